// SPDX-License-Identifier: Apache-2.0
#include "core/table/tag_search.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace synod::core {
namespace {

void match_scalar(const std::uint64_t* words, const std::uint8_t* tags, std::uint8_t* masks,
                  std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    masks[i] = static_cast<std::uint8_t>(match_tags_scalar(words[i], tags[i]));
  }
}

#if defined(__x86_64__)

/// The tag in all eight bytes.
long long spread(std::uint8_t tag) {
  return static_cast<long long>(std::uint64_t{tag} * 0x0101010101010101ULL);
}

std::size_t match_sse2(const std::uint64_t* words, const std::uint8_t* tags, std::uint8_t* masks,
                       std::size_t count) {
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    const __m128i pair = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words + i));
    const __m128i wanted = _mm_set_epi64x(spread(tags[i + 1]), spread(tags[i]));
    const int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(pair, wanted));
    masks[i] = static_cast<std::uint8_t>(mask & 0xff);
    masks[i + 1] = static_cast<std::uint8_t>((mask >> 8) & 0xff);
  }
  return i;
}

__attribute__((target("avx2"))) std::size_t match_avx2(const std::uint64_t* words,
                                                       const std::uint8_t* tags,
                                                       std::uint8_t* masks, std::size_t count) {
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const __m256i four = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i));
    const __m256i wanted = _mm256_set_epi64x(spread(tags[i + 3]), spread(tags[i + 2]),
                                             spread(tags[i + 1]), spread(tags[i]));
    const auto mask =
        static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(four, wanted)));
    for (std::size_t j = 0; j < 4; ++j) {
      masks[i + j] = static_cast<std::uint8_t>((mask >> (8 * j)) & 0xff);
    }
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

void match_tags_many(TagSearch search, const std::uint64_t* words, const std::uint8_t* tags,
                     std::uint8_t* masks, std::size_t count) {
  std::size_t done = 0;
#if defined(__x86_64__)
  if (search == TagSearch::kAvx2 && __builtin_cpu_supports("avx2")) {
    done = match_avx2(words, tags, masks, count);
  } else if (search != TagSearch::kScalar) {
    done = match_sse2(words, tags, masks, count);
  }
#else
  static_cast<void>(search);
#endif
  match_scalar(words + done, tags + done, masks + done, count - done);
}

}  // namespace synod::core
