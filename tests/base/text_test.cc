// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "base/random.h"

namespace synod::base {
namespace {

TEST(Text, ConcatJoinsStringsAndNumbers) {
  EXPECT_EQ(concat("slot ", 7, " of ", std::string("g"), " ", -1, " ", 1.5), "slot 7 of g -1 1.5");
  EXPECT_EQ(concat(std::string_view("view"), "/", std::string_view()), "view/");
  EXPECT_EQ(concat(), "");
}

TEST(Text, BytesAreShownWithTheLargestUnitThatFits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1 KiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(20U << 20), "20 MiB");
  EXPECT_EQ(format_bytes(3ULL << 30), "3 GiB");
  EXPECT_EQ(format_bytes(5ULL << 40), "5 TiB");
  EXPECT_EQ(format_bytes(2048ULL << 40), "2048 TiB");
}

TEST(Text, ParsesEveryWayOfWritingASize) {
  const struct {
    const char* text;
    std::uint64_t bytes;
  } cases[] = {{"0", 0},
               {"512", 512},
               {"512B", 512},
               {"64KiB", 64U << 10},
               {"64 kb", 65536},
               {"64k", 65536},
               {"20 MiB", 20U << 20},
               {"20mb", 20U << 20},
               {"1GiB", 1U << 30},
               {"2g", 2ULL << 30},
               {"1TiB", 1ULL << 40},
               {"18446744073709551615", UINT64_MAX}};
  for (const auto& sample : cases) {
    std::uint64_t bytes = 1;
    EXPECT_TRUE(parse_bytes(sample.text, bytes)) << sample.text;
    EXPECT_EQ(bytes, sample.bytes) << sample.text;
  }
}

TEST(Text, RefusesWhatIsNoSizeAndLeavesTheResultAlone) {
  for (const char* text :
       {"", "KiB", "-1", "1.5GiB", "64XB", "64 K iB", "1 2", "0x10", " 1", "64KiB ",
        "18446744073709551616", "18446744073709551615KiB", "16777216TiB"}) {
    std::uint64_t bytes = 77;
    EXPECT_FALSE(parse_bytes(text, bytes)) << text;
    EXPECT_EQ(bytes, 77U) << text;
  }
}

TEST(Text, WholeUnitsComeBackAsTheyWere) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t bytes = (random.next() >> random.below(64)) & ~0x3ffULL;
    std::uint64_t back = 0;
    const std::string text = format_bytes(bytes);
    if (text.find('.') != std::string::npos) continue;
    ASSERT_TRUE(parse_bytes(text, back)) << text;
    ASSERT_EQ(back, bytes);
  }
}

}  // namespace
}  // namespace synod::base
