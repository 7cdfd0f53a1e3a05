// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace synod::core {

/// How tag words are compared. Every way gives the same masks; tests hold them against each other.
enum class TagSearch : std::uint8_t {
  kScalar,  ///< Byte by byte; the reference, and what other machines than x86-64 use.
  kSse2,    ///< Two words at a time.
  kAvx2,    ///< Four words at a time in batches, two otherwise.
};

/// The fastest way this processor has.
[[nodiscard]] TagSearch best_tag_search();

/// Bit i is set iff byte i of `word` equals `tag`.
[[nodiscard]] inline unsigned match_tags_scalar(std::uint64_t word, std::uint8_t tag) {
  unsigned mask = 0;
  for (unsigned i = 0; i < 8; ++i) {
    mask |= static_cast<unsigned>(((word >> (8 * i)) & 0xff) == tag) << i;
  }
  return mask;
}

/// Bits 0-7 for the bytes of `first` that equal `tag`, bits 8-15 for those of `second`.
template <TagSearch kSearch>
[[nodiscard]] inline unsigned match_tag_pair(std::uint64_t first, std::uint64_t second,
                                             std::uint8_t tag) {
#if defined(__x86_64__)
  if constexpr (kSearch != TagSearch::kScalar) {
    const __m128i words =
        _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first));
    const __m128i wanted = _mm_set1_epi8(static_cast<char>(tag));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(words, wanted)));
  }
#endif
  return match_tags_scalar(first, tag) | (match_tags_scalar(second, tag) << 8);
}

/// masks[i] = the bytes of words[i] that equal tags[i], as match_tags_scalar has them. Falls back
/// to the scalar way where the processor lacks the one asked for.
void match_tags_many(TagSearch search, const std::uint64_t* words, const std::uint8_t* tags,
                     std::uint8_t* masks, std::size_t count);

}  // namespace synod::core
