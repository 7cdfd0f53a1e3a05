// SPDX-License-Identifier: Apache-2.0
#include "core/state/state_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace synod::core {
namespace {

const StateHasher kHasher(std::array<char, 16>{'s', 'e', 'e', 'd'});

RecordHeader header() {
  RecordHeader header;
  header.version = Version(5);
  header.expiry = TimeMs(6);
  header.digest = 7;
  header.generation = 8;
  return header;
}

const KeyRef kRef{NamespaceId(1), Space(0), "key"};

TEST(StateHash, SumsDoNotDependOnOrder) {
  std::vector<StateHash> parts;
  for (int i = 0; i < 6; ++i) parts.push_back(kHasher.row(std::to_string(i), "v"));
  StateHash forwards;
  for (const auto& part : parts) forwards.add(part);
  StateHash backwards;
  std::for_each(parts.rbegin(), parts.rend(), [&](const auto& part) { backwards.add(part); });
  EXPECT_EQ(forwards, backwards);
  for (const auto& part : parts) forwards.subtract(part);
  EXPECT_EQ(forwards, StateHash());
}

TEST(StateHash, EveryFieldOfAnEntryCounts) {
  std::vector<StateHash> hashes{kHasher.entry(kRef, header())};
  const auto with = [&](auto change) {
    KeyRef ref = kRef;
    RecordHeader changed = header();
    change(ref, changed);
    hashes.push_back(kHasher.entry(ref, changed));
  };
  with([](KeyRef& ref, RecordHeader&) { ref.ns = NamespaceId(2); });
  with([](KeyRef& ref, RecordHeader&) { ref.ns = NamespaceId(1U << 31); });
  with([](KeyRef& ref, RecordHeader&) { ref.space = Space(1); });
  with([](KeyRef& ref, RecordHeader&) { ref.key = "kez"; });
  with([](KeyRef& ref, RecordHeader&) { ref.key = ""; });
  with([](KeyRef& ref, RecordHeader&) { ref.key = base::BytesView("key\0", 4); });
  with([](KeyRef&, RecordHeader& h) { h.version = Version(6); });
  with([](KeyRef&, RecordHeader& h) { h.version = Version(5 + (std::int64_t{1} << 40)); });
  with([](KeyRef&, RecordHeader& h) { h.expiry = TimeMs(5); });
  with([](KeyRef&, RecordHeader& h) { h.expiry = TimeMs(0); });
  with([](KeyRef&, RecordHeader& h) { h.digest = 8; });
  with([](KeyRef&, RecordHeader& h) { h.generation = 9; });
  with([](KeyRef&, RecordHeader& h) { h.generation = 8 + (1U << 16); });
  with([](KeyRef&, RecordHeader& h) { h.type = RecordType::kTombstone; });
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    for (std::size_t j = i + 1; j < hashes.size(); ++j) {
      EXPECT_NE(hashes[i].low, hashes[j].low) << i << " and " << j;
      EXPECT_NE(hashes[i].high, hashes[j].high) << i << " and " << j;
    }
  }
}

TEST(StateHash, RowsKeepKeyAndValueApart) {
  EXPECT_NE(kHasher.row("ab", "c").low, kHasher.row("a", "bc").low);
  EXPECT_NE(kHasher.row("a", "b").high, kHasher.row("b", "a").high);
  EXPECT_NE(kHasher.row("a", ""), kHasher.row("", "a"));
}

TEST(StateHash, DependsOnTheSeed) {
  for (std::size_t byte = 0; byte < 16; ++byte) {
    std::array<char, 16> seed{'s', 'e', 'e', 'd'};
    seed[byte] = static_cast<char>(seed[byte] ^ 1);
    const StateHasher other(seed);
    EXPECT_NE(other.row("a", "b"), kHasher.row("a", "b"));
    EXPECT_NE(other.entry(kRef, header()), kHasher.entry(kRef, header()));
    EXPECT_NE(other.digest("value"), kHasher.digest("value"));
  }
}

TEST(StateHash, PrintsThirtyTwoDigitsHighFirst) {
  EXPECT_EQ((StateHash{0x1, 0xa}).to_string(), "000000000000000a0000000000000001");
}

}  // namespace
}  // namespace synod::core
