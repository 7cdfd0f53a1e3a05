// SPDX-License-Identifier: Apache-2.0
#include "core/ranked_nodes.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/table/record_heap.h"

namespace synod::core {
namespace {

class RankedNodesTest : public testing::Test {
 protected:
  KeyNode& node(const std::string& key) {
    KeyNode*& made = nodes_[key];
    if (made == nullptr) {
      made = heap_.create_node(KeyRef{NamespaceId(1), kUserSpace, key}, RecordHeader(), "v");
    }
    return *made;
  }

  EpochManager epochs_;
  RecordHeap heap_{epochs_};
  std::map<std::string, KeyNode*> nodes_;
  RankedNodes<TimeMs> ranked_{heap_.base()};
};

TEST_F(RankedNodesTest, OrdersByRankThenByKeyWhateverTheAddresses) {
  for (const char* key : {"c", "a", "b"}) EXPECT_TRUE(ranked_.add(TimeMs(5), node(key)));
  EXPECT_TRUE(ranked_.add(TimeMs(-5), node("z")));
  EXPECT_TRUE(ranked_.add(TimeMs(std::int64_t{1} << 40), node("A")));
  std::string order;
  for (; !ranked_.empty(); ranked_.remove(ranked_.first_rank(), ranked_.first_node())) {
    order += ranked_.first_node().key();
  }
  EXPECT_EQ(order, "zabcA");
}

TEST_F(RankedNodesTest, TakesTwelveBytesForEachOfManyAndLittleForManyGroups) {
  for (int i = 0; i < 1'000; ++i) ranked_.add(TimeMs(i), node(std::to_string(i)));
  EXPECT_LE(ranked_.memory_bytes(), 12'100U);
  for (int i = 0; i < 1'000; ++i) {
    ranked_.add(TimeMs(std::int64_t{i} << 32), node(std::to_string(i)));
  }
  EXPECT_LE(ranked_.memory_bytes(), 24'000U + 100'000U);
  for (int i = 0; i < 1'000; ++i) {
    ranked_.remove(TimeMs(std::int64_t{i} << 32), node(std::to_string(i)));
  }
  EXPECT_LE(ranked_.memory_bytes(), 12'100U) << "a group ends with its last entry";
}

TEST_F(RankedNodesTest, HoldsANodeOnceForEachRank) {
  EXPECT_TRUE(ranked_.add(TimeMs(1), node("a")));
  EXPECT_FALSE(ranked_.add(TimeMs(1), node("a")));
  EXPECT_TRUE(ranked_.add(TimeMs(2), node("a")));
  EXPECT_FALSE(ranked_.remove(TimeMs(3), node("a")));
  EXPECT_TRUE(ranked_.remove(TimeMs(1), node("a")));
  EXPECT_FALSE(ranked_.contains(TimeMs(1), node("a")));
  EXPECT_TRUE(ranked_.contains(TimeMs(2), node("a")));
}

TEST_F(RankedNodesTest, LooksAtRanksAboveTheFirstAndUpToTheLast) {
  for (int i = 0; i < 10; ++i) ranked_.add(TimeMs(i), node(std::to_string(i)));
  std::string seen;
  EXPECT_FALSE(ranked_.any_between(TimeMs(3), TimeMs(6), [&](const KeyNode& at) {
    seen += at.key();
    return false;
  }));
  EXPECT_EQ(seen, "456");
  EXPECT_TRUE(
      ranked_.any_between(TimeMs(3), TimeMs(6), [](const KeyNode& at) { return at.key() == "5"; }));
  EXPECT_FALSE(ranked_.any_between(TimeMs(9), TimeMs(99), [](const KeyNode&) { return true; }));
}

TEST_F(RankedNodesTest, AgreesWithASetOfPairs) {
  base::Random random(8);
  std::set<std::pair<std::int64_t, std::string>> model;
  for (int i = 0; i < 50'000; ++i) {
    const std::int64_t rank = random.chance(0.5) ? static_cast<std::int64_t>(random.below(50)) - 25
                                                 : static_cast<std::int64_t>(random.below(8)) << 31;
    const std::string key = std::to_string(random.below(60));
    if (random.chance(0.5)) {
      ASSERT_EQ(ranked_.add(TimeMs(rank), node(key)), model.emplace(rank, key).second);
    } else {
      ASSERT_EQ(ranked_.remove(TimeMs(rank), node(key)), model.erase({rank, key}) == 1);
    }
    ASSERT_EQ(ranked_.size(), model.size());
    if (model.empty()) continue;
    ASSERT_EQ(ranked_.first_rank(), TimeMs(model.begin()->first));
    ASSERT_EQ(ranked_.first_node().key(), model.begin()->second);
  }
}

}  // namespace
}  // namespace synod::core
