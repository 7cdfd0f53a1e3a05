// SPDX-License-Identifier: Apache-2.0
#include "core/write_behind.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>

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
  ASSERT_EQ(batch.rows.puts.size(), 3U);
  EXPECT_EQ(batch.rows.puts[0].key, "a");
  EXPECT_EQ(batch.rows.puts[0].value, std::nullopt) << "the backend may hold an older one";
  EXPECT_EQ(batch.rows.puts[1].value, "22");
  EXPECT_EQ(batch.rows.puts[2].key, "c");
}

TEST(WriteBehind, TheLastWriteOfOneOperationWins) {
  WriteBehind rows;
  rows.erase_row("a");
  rows.put_row("a", "1");
  rows.put_row("b", "1");
  rows.erase_row("b");
  rows.seal(LogIndex(1), Version(1));
  const auto batch = rows.take();
  ASSERT_EQ(batch.rows.puts.size(), 2U);
  EXPECT_EQ(batch.rows.puts[0].value, "1");
  EXPECT_EQ(batch.rows.puts[1].value, std::nullopt);
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
  ASSERT_EQ(batch.rows.puts.size(), 1U);
  EXPECT_EQ(batch.rows.puts[0].value, "1");
  rows.discard_open();
  rows.seal(LogIndex(2), Version(2));
  EXPECT_EQ(rows.take().rows.puts.size(), 0U);
}

TEST(WriteBehind, CountsTheBytesThatWait) {
  WriteBehind rows;
  EXPECT_EQ(rows.bytes(), 0U);
  rows.put_row("key", "12345");
  EXPECT_EQ(rows.bytes(), 0U);
  rows.seal(LogIndex(1), Version(1));
  EXPECT_EQ(rows.bytes(), 8U);
  rows.put_row("key", "1");
  rows.put_row("k", "");
  rows.seal(LogIndex(2), Version(2));
  EXPECT_EQ(rows.bytes(), 5U);
  rows.erase_row("key");
  rows.seal(LogIndex(3), Version(3));
  EXPECT_EQ(rows.bytes(), 4U);
  (void)rows.take();
  EXPECT_EQ(rows.bytes(), 0U);
  rows.put_row("key", "1");
  rows.seal(LogIndex(4), Version(4));
  EXPECT_EQ(rows.bytes(), 4U);
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
      rows.seal(LogIndex(i), Version(i));
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
    for (const auto& put : batch.rows.puts) {
      if (put.value) {
        state[put.key] = *put.value;
      } else {
        state.erase(put.key);
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
