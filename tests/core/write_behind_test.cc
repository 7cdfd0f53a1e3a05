// SPDX-License-Identifier: Apache-2.0
#include "core/write_behind.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "base/random.h"

namespace synod::core {
namespace {

TEST(WriteBehind, MakesSeveralWritesOfARowOne) {
  WriteBehind rows;
  rows.put_row("b", "1");
  rows.put_row("a", "1");
  rows.seal(LogIndex(1), Version(1));
  rows.put_row("b", "22");
  rows.erase_row("a");
  rows.put_row("c", "3");
  rows.seal(LogIndex(2), Version(2));
  const auto batch = rows.take();
  EXPECT_EQ(batch.last, LogIndex(2));
  ASSERT_EQ(batch.rows.puts().size(), 3U);
  EXPECT_EQ(batch.rows.puts()[0].key, "a");
  EXPECT_EQ(batch.rows.puts()[0].value, std::nullopt) << "the backend may hold an older one";
  EXPECT_EQ(batch.rows.puts()[1].value, "22");
  EXPECT_EQ(batch.rows.puts()[2].key, "c");
}

TEST(WriteBehind, TheLastWriteOfOneOperationWins) {
  WriteBehind rows;
  rows.erase_row("a");
  rows.put_row("a", "1");
  rows.put_row("b", "1");
  rows.erase_row("b");
  rows.seal(LogIndex(1), Version(1));
  const auto batch = rows.take();
  ASSERT_EQ(batch.rows.puts().size(), 2U);
  EXPECT_EQ(batch.rows.puts()[0].value, "1");
  EXPECT_EQ(batch.rows.puts()[1].value, std::nullopt);
}

TEST(WriteBehind, GivesNothingOfAnOperationUnderWay) {
  WriteBehind rows;
  rows.put_row("a", "1");
  EXPECT_EQ(rows.take().last, LogIndex(0));
  rows.seal(LogIndex(1), Version(1));
  rows.put_row("a", "2");
  rows.put_row("b", "2");
  const auto batch = rows.take();
  EXPECT_EQ(batch.last, LogIndex(1));
  ASSERT_EQ(batch.rows.puts().size(), 1U);
  EXPECT_EQ(batch.rows.puts()[0].value, "1");
  rows.discard_open();
  rows.seal(LogIndex(2), Version(2));
  EXPECT_EQ(rows.take().rows.puts().size(), 0U);
}

TEST(WriteBehind, CountsWhatWasTakenAsLongAsItIsThere) {
  WriteBehind rows;
  rows.put_row("key", "12345");
  rows.seal(LogIndex(1), Version(1));
  {
    WriteBehind::Batch batch = rows.take();
    EXPECT_EQ(rows.bytes(), 0U);
    EXPECT_EQ(rows.held_bytes(), 8U);
    const WriteBehind::Batch moved = std::move(batch);
    EXPECT_EQ(rows.held_bytes(), 8U);
  }
  EXPECT_EQ(rows.held_bytes(), 0U);
}

TEST(WriteBehind, CountsAtLeastTheBytesThatWait) {
  WriteBehind rows;
  EXPECT_EQ(rows.bytes(), 0U);
  rows.put_row("key", "12345");
  EXPECT_EQ(rows.bytes(), 0U);
  rows.seal(LogIndex(1), Version(1));
  EXPECT_EQ(rows.bytes(), 8U);
  rows.put_row("key", "1");
  rows.put_row("k", "");
  rows.erase_row("key");
  rows.seal(LogIndex(2), Version(2));
  EXPECT_EQ(rows.bytes(), 16U);
  EXPECT_EQ(rows.take().rows.bytes(), 4U);
  EXPECT_EQ(rows.bytes(), 0U);
  rows.put_row("key", "1");
  rows.seal(LogIndex(4), Version(4));
  EXPECT_EQ(rows.bytes(), 4U);
}

TEST(WriteBehind, AHotRowTakesLittleMemoryHoweverOftenItIsWritten) {
  WriteBehind rows;
  constexpr std::uint64_t kWrites = 400'000;
  std::uint64_t most = 0;
  for (std::uint64_t i = 1; i <= kWrites; ++i) {
    rows.put_row("hot", std::string(100, 'x') + std::to_string(i));
    if (i % 1'000 == 0) rows.put_row("cold" + std::to_string(i), std::to_string(i));
    if (i % 10 == 0) rows.seal(LogIndex(i), Version(static_cast<std::int64_t>(i)));
    most = std::max(most, rows.bytes());
  }
  EXPECT_LT(most, 10U << 20U) << "WB3";
  const auto batch = rows.take();
  ASSERT_EQ(batch.rows.puts().size(), 401U);
  EXPECT_EQ(batch.rows.puts().back().key, "hot");
  EXPECT_EQ(batch.rows.puts().back().value, std::string(100, 'x') + std::to_string(kWrites));
  for (const auto& put : batch.rows.puts()) {
    if (put.key == "hot") continue;
    EXPECT_EQ(put.key, "cold" + std::string(*put.value));
  }
}

TEST(WriteBehind, AgreesWithAMapWhateverTheSizesAndHoweverLateItIsTaken) {
  base::Random random(11);
  for (int round = 0; round < 12; ++round) {
    WriteBehind rows;
    std::map<std::string, std::optional<std::string>> expected;
    const std::uint64_t keys = round % 2 == 0 ? 40 : 100'000;
    const std::uint64_t groups = random.between(1, 2'000);
    for (std::uint64_t i = 1; i <= groups; ++i) {
      for (std::uint64_t j = random.below(12); j > 0; --j) {
        const std::string number = std::to_string(random.below(keys));
        const std::string key = std::string(random.below(3) * 8, 'k') + number;
        if (random.chance(0.2)) {
          rows.erase_row(key);
          expected[key] = std::nullopt;
        } else {
          const std::string value(random.chance(0.01) ? random.below(200'000) : random.below(900),
                                  static_cast<char>('a' + random.below(26)));
          rows.put_row(key, value);
          expected[key] = value;
        }
      }
      rows.seal(LogIndex(i), Version(1));
    }
    const auto batch = rows.take();
    ASSERT_EQ(batch.rows.puts().size(), expected.size());
    std::size_t at = 0;
    for (const auto& [key, value] : expected) {
      ASSERT_EQ(batch.rows.puts()[at].key, key);
      ASSERT_EQ(batch.rows.puts()[at].value, value);
      ++at;
    }
  }
}

TEST(WriteBehind, AnEntryIsTheRowThatItsParsersRead) {
  WriteBehind rows;
  const KeyRef ref{NamespaceId(0x01020304), Space(7), "key"};
  RecordHeader header;
  header.version = Version(INT64_MAX);
  header.expiry = TimeMs(1LL << 61);
  header.generation = UINT32_MAX;
  header.digest = 0x1122334455667788ULL;
  rows.put_entry(ref, header, "value");
  rows.erase_entry(KeyRef{ref.ns, ref.space, "gone"});
  rows.seal(LogIndex(1), Version(1));
  const auto batch = rows.take();
  ASSERT_EQ(batch.rows.puts().size(), 2U);
  EXPECT_EQ(batch.rows.puts()[0].key, entry_row_key(KeyRef{ref.ns, ref.space, "gone"}));
  EXPECT_EQ(batch.rows.puts()[0].value, std::nullopt);
  EXPECT_EQ(batch.rows.puts()[1].key, entry_row_key(ref));
  EXPECT_EQ(batch.rows.puts()[1].value, entry_row_value(header, "value"));
  const auto parsed = parse_entry_row_value(*batch.rows.puts()[1].value);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->header.version, header.version);
  EXPECT_EQ(parsed->header.expiry, header.expiry);
  EXPECT_EQ(parsed->header.generation, header.generation);
  EXPECT_EQ(parsed->header.digest, header.digest);
  EXPECT_EQ(parsed->value, "value");
}

TEST(WriteBehind, AThreadThatTakesSeesWholeOperationsInOrder) {
  constexpr std::uint64_t kOperations = 20'000;
  WriteBehind rows;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= kOperations; ++i) {
      rows.put_row("head", std::to_string(i));
      rows.put_row("row" + std::to_string(i % 7), std::to_string(i));
      if (i % 5 == 0) rows.erase_row("row" + std::to_string((i + 3) % 7));
      rows.seal(LogIndex(i), Version(static_cast<std::int64_t>(i)));
      (void)rows.bytes();
    }
    done.store(true);
  });
  std::map<std::string, std::string> state;
  std::uint64_t last = 0;
  for (bool final_take = false; !final_take;) {
    final_take = done.load();
    const auto batch = rows.take();
    if (batch.last == LogIndex(0)) continue;
    EXPECT_GT(batch.last.value(), last);
    last = batch.last.value();
    for (const auto& put : batch.rows.puts()) {
      if (put.value) {
        state[std::string(put.key)] = *put.value;
      } else {
        state.erase(std::string(put.key));
      }
    }
    // WB1: the rows are those of every operation up to `last` and of none later.
    std::map<std::string, std::string> expected{{"head", std::to_string(last)}};
    for (std::uint64_t i = last > 40 ? last - 40 : 1; i <= last; ++i) {
      expected["row" + std::to_string(i % 7)] = std::to_string(i);
      if (i % 5 == 0) expected.erase("row" + std::to_string((i + 3) % 7));
    }
    ASSERT_EQ(state, expected) << last;
  }
  writer.join();
  EXPECT_EQ(last, kOperations);
}

}  // namespace
}  // namespace synod::core
