// SPDX-License-Identifier: Apache-2.0
#include "core/state/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace synod::core {
namespace {

RecordHeader header_of(std::int64_t version) {
  RecordHeader header;
  header.version = Version(version);
  header.expiry = TimeMs(1'700'000'000'123);
  header.digest = 0x0123456789abcdefULL;
  header.generation = 70'000;
  return header;
}

TEST(Rows, EntryKeysSortAsTheTablesDo) {
  base::Random random(3);
  std::vector<base::Bytes> keys;
  for (int i = 0; i < 12; ++i) {
    base::Bytes key;
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      key += static_cast<char>(random.chance(0.5) ? random.below(2) : 254 + random.below(2));
    }
    keys.push_back(key);
  }
  std::vector<KeyRef> refs;
  for (const std::uint32_t ns : {0U, 1U, 255U, 256U, 0x80000000U}) {
    for (const int space : {0, 1, 255}) {
      for (const auto& key : keys) {
        refs.push_back({NamespaceId(ns), Space(static_cast<std::uint8_t>(space)), key});
      }
    }
  }
  for (const auto& a : refs) {
    for (const auto& b : refs) {
      ASSERT_EQ(a < b, entry_row_key(a) < entry_row_key(b));
    }
  }
}

TEST(Rows, EntryKeysComeBack) {
  const KeyRef ref{NamespaceId(0xfedcba98), Space(7), base::BytesView("a\0b", 3)};
  const base::Bytes row = entry_row_key(ref);
  const auto parsed = parse_entry_row_key(row);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, ref);
  for (std::size_t size = 0; size < 6; ++size) {
    EXPECT_FALSE(parse_entry_row_key(base::BytesView(row).substr(0, size)).has_value());
  }
  EXPECT_TRUE(parse_entry_row_key(base::BytesView(row).substr(0, 6)).has_value());
  EXPECT_FALSE(parse_entry_row_key("m12345678").has_value());
}

TEST(Rows, EntryValuesComeBack) {
  const base::Bytes row = entry_row_value(header_of(77), "value");
  const auto parsed = parse_entry_row_value(row);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->header.version, Version(77));
  EXPECT_EQ(parsed->header.expiry, TimeMs(1'700'000'000'123));
  EXPECT_EQ(parsed->header.digest, 0x0123456789abcdefULL);
  EXPECT_EQ(parsed->header.generation, 70'000U);
  EXPECT_EQ(parsed->header.type, RecordType::kBytes);
  EXPECT_EQ(parsed->value, "value");
}

TEST(Rows, EveryTruncatedEntryHeaderIsRefused) {
  const base::Bytes row = entry_row_value(header_of(77), "");
  for (std::size_t size = 0; size < row.size(); ++size) {
    const auto parsed = parse_entry_row_value(base::BytesView(row).substr(0, size));
    ASSERT_FALSE(parsed.ok()) << size;
    EXPECT_EQ(parsed.status().code(), base::StatusCode::kCorruption);
  }
  EXPECT_TRUE(parse_entry_row_value(row).ok());
}

TEST(Rows, ImpossibleEntryFieldsAreRefused) {
  for (const std::int64_t version : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN}) {
    EXPECT_FALSE(parse_entry_row_value(entry_row_value(header_of(version), "v")).ok());
  }
  for (int type = 2; type < 256; ++type) {
    RecordHeader header = header_of(1);
    header.type = static_cast<RecordType>(type);
    EXPECT_FALSE(parse_entry_row_value(entry_row_value(header, "v")).ok());
  }
  RecordHeader tombstone = header_of(1);
  tombstone.type = RecordType::kTombstone;
  EXPECT_TRUE(parse_entry_row_value(entry_row_value(tombstone, "")).ok());
  EXPECT_FALSE(parse_entry_row_value(entry_row_value(tombstone, "v")).ok());
  RecordHeader negative = header_of(1);
  negative.expiry = TimeMs(-1);
  EXPECT_FALSE(parse_entry_row_value(entry_row_value(negative, "v")).ok());
}

TEST(Rows, NumbersAreExactlyThemselves) {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN, INT64_MAX}) {
    const base::Bytes row = number_row_value(number);
    ASSERT_TRUE(parse_number_row_value(row).ok());
    EXPECT_EQ(*parse_number_row_value(row), number);
    for (std::size_t size = 0; size < row.size(); ++size) {
      EXPECT_FALSE(parse_number_row_value(base::BytesView(row).substr(0, size)).ok());
    }
    EXPECT_FALSE(parse_number_row_value(row + "x").ok());
  }
}

TEST(Rows, AppliedRowsAreExactlyThemselves) {
  AppliedRow applied{LogIndex(UINT64_MAX), StateHash{UINT64_MAX, 12345}};
  const base::Bytes row = applied_row_value(applied);
  const auto parsed = parse_applied_row(row);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->index, applied.index);
  EXPECT_EQ(parsed->hash, applied.hash);
  for (std::size_t size = 0; size < row.size(); ++size) {
    EXPECT_FALSE(parse_applied_row(base::BytesView(row).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(parse_applied_row(row + base::Bytes(1, '\0')).ok());
}

TEST(Rows, MarkKeysSortByVersion) {
  EXPECT_LT(mark_row_key(Version(255)), mark_row_key(Version(256)));
  EXPECT_LT(mark_row_key(Version(256)), mark_row_key(Version(INT64_MAX)));
  EXPECT_EQ(mark_row_key(Version(1)).size(), 9U);
}

}  // namespace
}  // namespace synod::core
