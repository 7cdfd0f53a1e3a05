// SPDX-License-Identifier: Apache-2.0
#include "client/cli/text_format.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace synod::client {
namespace {

TEST(TextFormat, EscapesEverythingThatIsNotPrintable) {
  EXPECT_EQ(format_bytes_text(std::string_view("a\\b\n\t\r\0\xff z", 10), ByteFormat::kEscaped),
            "a\\\\b\\n\\t\\r\\x00\\xff z");
  EXPECT_EQ(format_bytes_text("k\xff", ByteFormat::kHex), "6bff");
  EXPECT_EQ(format_bytes_text("k\xff", ByteFormat::kRaw), "k\xff");
}

TEST(TextFormat, ParsingIsTheInverseOfFormatting) {
  base::Random random(7);
  for (int round = 0; round < 2'000; ++round) {
    base::Bytes bytes;
    for (std::uint64_t i = random.below(20); i > 0; --i) {
      bytes += static_cast<char>(random.below(256));
    }
    for (const auto format : {ByteFormat::kEscaped, ByteFormat::kHex, ByteFormat::kRaw}) {
      const auto parsed = parse_bytes_text(format_bytes_text(bytes, format), format);
      ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
      EXPECT_EQ(*parsed, bytes);
    }
  }
}

TEST(TextFormat, RefusesWhatItCannotRead) {
  for (const char* text : {"\\", "\\x", "\\x1", "\\xg0", "\\q"}) {
    EXPECT_FALSE(parse_bytes_text(text, ByteFormat::kEscaped).ok()) << text;
  }
  for (const char* text : {"0", "abc", "zz", "0x"}) {
    EXPECT_FALSE(parse_bytes_text(text, ByteFormat::kHex).ok()) << text;
  }
}

TEST(TextFormat, JsonStringsAreAscii) {
  EXPECT_EQ(json_string("a\"\\\n\xff"), "\"a\\\"\\\\\\u000a\\u00ff\"");
}

}  // namespace
}  // namespace synod::client
