// SPDX-License-Identifier: Apache-2.0
#include "core/table/tag_search.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>

#include "base/random.h"

namespace synod::core {
namespace {

/// Words full of equal, neighbouring and sign-bit bytes, where shortcuts go wrong.
std::uint64_t tricky_word(base::Random& random) {
  static constexpr std::uint8_t kBytes[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xfe, 0xff};
  std::uint64_t word = 0;
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t byte = random.chance(0.8) ? kBytes[random.below(7)] : random.below(256);
    word = (word << 8) | byte;
  }
  return word;
}

TEST(TagSearch, ScalarFindsExactlyTheEqualBytes) {
  EXPECT_EQ(match_tags_scalar({0x0102030405060708ULL, 0}, 8), 1U);
  EXPECT_EQ(match_tags_scalar({0x0102030405060708ULL, 1}, 1), 0x180U);
  EXPECT_EQ(match_tags_scalar({0x0101010101010101ULL, 0x01ULL << 56}, 1), 0x80ffU);
  EXPECT_EQ(match_tags_scalar({0x0100000000000001ULL, 0x0001ULL << 48}, 0), 0xbf7eU);
}

TEST(TagSearch, FirstZeroTagIsTheLowestByteThatIsZero) {
  base::Random random(20262);
  for (int round = 0; round < 200'000; ++round) {
    const TagLine line{tricky_word(random), tricky_word(random)};
    ASSERT_EQ(first_zero_tag(line),
              static_cast<std::size_t>(std::countr_zero(match_tags_scalar(line, 0) | 0x10000U)));
  }
  EXPECT_EQ(first_zero_tag({~0ULL, ~0ULL}), 16U);
  EXPECT_EQ(first_zero_tag({~0ULL, 0xffffffffULL}), 12U) << "a full bucket of twelve";
}

TEST(TagSearch, EveryWayGivesTheScalarMasks) {
  base::Random random(20261);
  for (int round = 0; round < 20'000; ++round) {
    std::array<TagLine, 35> lines;
    std::array<std::uint8_t, 35> tags{};
    std::array<std::uint16_t, 35> expected{};
    const std::size_t count = random.below(lines.size() + 1);
    for (std::size_t i = 0; i < count; ++i) {
      lines[i] = {tricky_word(random), tricky_word(random)};
      const std::uint64_t word = random.chance(0.5) ? lines[i].low : lines[i].high;
      tags[i] = static_cast<std::uint8_t>(random.chance(0.7) ? word >> (8 * random.below(8))
                                                             : random.below(256));
      expected[i] = static_cast<std::uint16_t>(match_tags_scalar(lines[i], tags[i]));
    }
    for (const TagSearch search : {TagSearch::kScalar, TagSearch::kSse2, TagSearch::kAvx2}) {
      std::array<std::uint16_t, 35> masks{};
      match_tags_many(search, lines.data(), tags.data(), masks.data(), count);
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(masks[i], expected[i]);
    }
    for (std::size_t i = 0; i + 1 < count; ++i) {
      const unsigned pair = expected[i] | (match_tags_scalar(lines[i + 1], tags[i]) << 16);
      ASSERT_EQ(match_tag_pair<TagSearch::kScalar>(lines[i], lines[i + 1], tags[i]), pair);
      ASSERT_EQ(match_tag_pair<TagSearch::kSse2>(lines[i], lines[i + 1], tags[i]), pair);
    }
  }
}

}  // namespace
}  // namespace synod::core
