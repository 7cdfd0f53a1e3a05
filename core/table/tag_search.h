// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace synod::core {

/// How the tags of buckets are compared. Every way gives the same masks; tests hold them against
/// each other.
enum class TagSearch : std::uint8_t {
  kScalar,  ///< Byte by byte; the reference, and what other machines than x86-64 use.
  kSse2,    ///< A bucket at a time.
  kAvx2,    ///< Two buckets at a time in batches, one otherwise.
};

/// The tags of a bucket, 16 bytes as two words.
struct TagLine {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// The fastest way this processor has.
[[nodiscard]] TagSearch best_tag_search();

/// Bit i is set iff byte i of the line equals `tag`.
[[nodiscard]] inline unsigned match_tags_scalar(const TagLine& line, std::uint8_t tag) {
  unsigned mask = 0;
  for (unsigned i = 0; i < 8; ++i) {
    mask |= static_cast<unsigned>(((line.low >> (8 * i)) & 0xff) == tag) << i;
    mask |= static_cast<unsigned>(((line.high >> (8 * i)) & 0xff) == tag) << (8 + i);
  }
  return mask;
}

/// Bits 0-15 for the bytes of `first` that equal `tag`, bits 16-31 for those of `second`.
template <TagSearch kSearch>
[[nodiscard]] inline unsigned match_tag_pair(const TagLine& first, const TagLine& second,
                                             std::uint8_t tag) {
#if defined(__x86_64__)
  if constexpr (kSearch != TagSearch::kScalar) {
    const __m128i wanted = _mm_set1_epi8(static_cast<char>(tag));
    const auto match = [&wanted](const TagLine& line) {
      const __m128i words =
          _mm_set_epi64x(static_cast<long long>(line.high), static_cast<long long>(line.low));
      return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(words, wanted)));
    };
    return match(first) | (match(second) << 16);
  }
#endif
  return match_tags_scalar(first, tag) | (match_tags_scalar(second, tag) << 16);
}

/// masks[i] = the bytes of lines[i] that equal tags[i], as match_tags_scalar has them. Falls back
/// to the scalar way where the processor lacks the one asked for.
void match_tags_many(TagSearch search, const TagLine* lines, const std::uint8_t* tags,
                     std::uint16_t* masks, std::size_t count);

/// The first byte of the line that is 0, or 16.
[[nodiscard]] inline std::size_t first_zero_tag(const TagLine& line) {
  // A borrow runs upwards only: the lowest byte that shows is right.
  const auto zero_in = [](std::uint64_t word) {
    const std::uint64_t zeros = (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
    return static_cast<std::size_t>(std::countr_zero(zeros)) / 8;
  };
  const std::size_t in_low = zero_in(line.low);
  return in_low < 8 ? in_low : 8 + zero_in(line.high);
}

}  // namespace synod::core
