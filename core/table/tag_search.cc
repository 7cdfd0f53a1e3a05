// SPDX-License-Identifier: Apache-2.0
#include "core/table/tag_search.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace synod::core {
namespace {

void match_scalar(const TagLine* lines, const std::uint8_t* tags, std::uint16_t* masks,
                  std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    masks[i] = static_cast<std::uint16_t>(match_tags_scalar(lines[i], tags[i]));
  }
}

#if defined(__x86_64__)

std::size_t match_sse2(const TagLine* lines, const std::uint8_t* tags, std::uint16_t* masks,
                       std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const __m128i line = _mm_loadu_si128(reinterpret_cast<const __m128i*>(lines + i));
    const __m128i wanted = _mm_set1_epi8(static_cast<char>(tags[i]));
    masks[i] = static_cast<std::uint16_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(line, wanted)));
  }
  return count;
}

__attribute__((target("avx2"))) std::size_t match_avx2(const TagLine* lines,
                                                       const std::uint8_t* tags,
                                                       std::uint16_t* masks, std::size_t count) {
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    const __m256i two = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lines + i));
    const __m256i wanted = _mm256_set_m128i(_mm_set1_epi8(static_cast<char>(tags[i + 1])),
                                            _mm_set1_epi8(static_cast<char>(tags[i])));
    const auto mask =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(two, wanted)));
    masks[i] = static_cast<std::uint16_t>(mask & 0xffff);
    masks[i + 1] = static_cast<std::uint16_t>(mask >> 16);
  }
  return i;
}

#endif

}  // namespace

TagSearch best_tag_search() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return TagSearch::kAvx2;
  return TagSearch::kSse2;
#else
  return TagSearch::kScalar;
#endif
}

void match_tags_many(TagSearch search, const TagLine* lines, const std::uint8_t* tags,
                     std::uint16_t* masks, std::size_t count) {
  std::size_t done = 0;
#if defined(__x86_64__)
  if (search == TagSearch::kAvx2 && __builtin_cpu_supports("avx2")) {
    done = match_avx2(lines, tags, masks, count);
  } else if (search != TagSearch::kScalar) {
    done = match_sse2(lines, tags, masks, count);
  }
#else
  static_cast<void>(search);
#endif
  match_scalar(lines + done, tags + done, masks + done, count - done);
}

}  // namespace synod::core
