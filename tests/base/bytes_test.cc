// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace synod::base {
namespace {

TEST(Bytes, SuffixNamesTheByteOrder) {
  char out[8];
  store_le32(out, 0x01020304U);
  EXPECT_EQ(std::string(out, 4), std::string("\x04\x03\x02\x01"));
  store_be32(out, 0x01020304U);
  EXPECT_EQ(std::string(out, 4), std::string("\x01\x02\x03\x04"));
  store_be16(out, 0x0102U);
  EXPECT_EQ(std::string(out, 2), std::string("\x01\x02"));
  store_le64(out, 0x0102030405060708ULL);
  EXPECT_EQ(std::string(out, 8), std::string("\x08\x07\x06\x05\x04\x03\x02\x01"));
  store_be64(out, 0x0102030405060708ULL);
  EXPECT_EQ(std::string(out, 8), std::string("\x01\x02\x03\x04\x05\x06\x07\x08"));
}

TEST(Bytes, LoadsWhatWasStoredAtAnyAlignment) {
  Random random(1);
  char buffer[17];
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random.next();
    char* at = buffer + random.below(9);
    store_le64(at, value);
    ASSERT_EQ(load_le64(at), value);
    store_be64(at, value);
    ASSERT_EQ(load_be64(at), value);
    store_le32(at, static_cast<std::uint32_t>(value));
    ASSERT_EQ(load_le32(at), static_cast<std::uint32_t>(value));
    store_be32(at, static_cast<std::uint32_t>(value));
    ASSERT_EQ(load_be32(at), static_cast<std::uint32_t>(value));
    store_be16(at, static_cast<std::uint16_t>(value));
    ASSERT_EQ(load_be16(at), static_cast<std::uint16_t>(value));
  }
}

TEST(Bytes, AppendGrowsByTheWidth) {
  Bytes out = "x";
  append_le32(out, 1);
  append_le64(out, 2);
  append_be32(out, 3);
  append_be64(out, 4);
  ASSERT_EQ(out.size(), 1U + 4 + 8 + 4 + 8);
  EXPECT_EQ(load_le32(out.data() + 1), 1U);
  EXPECT_EQ(load_le64(out.data() + 5), 2U);
  EXPECT_EQ(load_be32(out.data() + 13), 3U);
  EXPECT_EQ(load_be64(out.data() + 17), 4U);
}

TEST(Bytes, BigEndianSortsLikeTheNumber) {
  Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t a = random.next() >> random.below(64);
    const std::uint64_t b = random.next() >> random.below(64);
    Bytes left;
    Bytes right;
    append_be64(left, a);
    append_be64(right, b);
    ASSERT_EQ(a < b, left < right);
  }
}

TEST(Bytes, EscapeShowsOnlyPrintableAscii) {
  EXPECT_EQ(escape("plain key"), "plain key");
  EXPECT_EQ(escape(BytesView("a\0\xff\n\\", 5)), "a\\x00\\xff\\x0a\\x5c");
  EXPECT_EQ(escape(""), "");
}

TEST(Bytes, EscapeCutsAndSaysSo) {
  EXPECT_EQ(escape("abcdef", 4), "abcd...");
  EXPECT_EQ(escape("abcd", 4), "abcd");
  EXPECT_EQ(escape(std::string(100, 'x')).size(), 64U + 3);
}

TEST(Bytes, PrefixSuccessorIsTheFirstKeyBeyondThePrefix) {
  EXPECT_EQ(prefix_successor("ab"), "ac");
  EXPECT_EQ(prefix_successor("a\xff\xff"), "b");
  EXPECT_EQ(prefix_successor("\xff\xff"), "");
  EXPECT_EQ(prefix_successor(""), "");
  EXPECT_EQ(prefix_successor("a\x7f"), "a\x80");
}

TEST(Bytes, PrefixSuccessorBoundsExactlyTheKeysWithThePrefix) {
  Random random(3);
  const auto draw = [&random] {
    Bytes key(random.below(4), '\0');
    for (char& c : key) c = "\x00\x01\x7f\x80\xfe\xff"[random.below(6)];
    return key;
  };
  for (int i = 0; i < 20'000; ++i) {
    const Bytes prefix = draw();
    const Bytes key = draw();
    const Bytes end = prefix_successor(prefix);
    const bool inside = key >= prefix && (end.empty() || key < end);
    ASSERT_EQ(inside, key.starts_with(prefix)) << escape(prefix) << " " << escape(key);
  }
}

}  // namespace
}  // namespace synod::base
