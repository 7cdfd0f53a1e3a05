// SPDX-License-Identifier: Apache-2.0
// The cuckoo table against std::unordered_map, once for each way of searching tags.
#include <gtest/gtest.h>

#include <unordered_map>

#include "core/table/cuckoo_table.h"
#include "tests/core_table/table_support.h"

namespace synod::core {
namespace {

using test::TestKey;

class CuckooModelTest : public testing::TestWithParam<TagSearch> {
 protected:
  static constexpr std::size_t kKeys = 30'000;
  static constexpr std::size_t kPeriod = 150'000;

  /// Works on the first `keys` of all keys; at its fullest the table holds nine tenths of them.
  void run(std::size_t operations, std::size_t initial_capacity, std::size_t keys) {
    CuckooTable table(base::SipKey{random_.next(), random_.next()}, epochs_, test::node_base(),
                      initial_capacity, GetParam());
    for (std::size_t i = 0; i < operations; ++i) {
      step(table, random_.below(keys), test::insert_share(i, kPeriod));
      ASSERT_EQ(table.size(), model_.size());
      size_max_ = std::max(size_max_, table.size());
      if (i % kPeriod == 0) check_all(table);
      if (HasFatalFailure()) return;
    }
    check_all(table);
    memory_bytes_ = table.memory_bytes();
    for (const auto& [rank, node] : model_) test::retire_node(epochs_, node);
    model_.clear();
  }

  void step(CuckooTable& table, std::size_t rank, double insert_share) {
    const KeyRef ref = keys_[rank].ref();
    const auto known = model_.find(rank);
    KeyNode* const expected = known == model_.end() ? nullptr : known->second;
    ASSERT_EQ(table.find(ref), expected);
    if (random_.chance(0.2)) {
      check_batch(table);
    } else if (random_.chance(insert_share)) {
      if (expected != nullptr) return;
      KeyNode* node = test::create_node(ref);
      table.insert(node);
      model_.emplace(rank, node);
    } else if (expected != nullptr) {
      table.erase(expected);
      model_.erase(known);
      test::retire_node(epochs_, expected);
    }
    if (random_.chance(0.1)) epochs_.collect();
  }

  void check_batch(const CuckooTable& table) {
    std::array<std::size_t, 20> ranks;
    std::array<KeyRef, 20> refs;
    std::array<KeyNode*, 20> found;
    const std::size_t count = random_.below(refs.size() + 1);
    for (std::size_t i = 0; i < count; ++i) {
      ranks[i] = random_.below(kKeys);
      refs[i] = keys_[ranks[i]].ref();
    }
    table.find_batch(std::span(refs).first(count), found);
    for (std::size_t i = 0; i < count; ++i) {
      const auto known = model_.find(ranks[i]);
      ASSERT_EQ(found[i], known == model_.end() ? nullptr : known->second);
    }
  }

  void check_all(const CuckooTable& table) {
    std::size_t visited = 0;
    table.for_each([&visited](const KeyNode&) { ++visited; });
    ASSERT_EQ(visited, model_.size());
    for (std::size_t rank = 0; rank < kKeys; ++rank) {
      const auto known = model_.find(rank);
      ASSERT_EQ(table.find(keys_[rank].ref()), known == model_.end() ? nullptr : known->second);
    }
  }

  base::Random random_{4711};
  std::vector<TestKey> keys_ =
      test::distinct_keys(kKeys, [this] { return test::tricky_key(random_); });
  EpochManager epochs_;
  std::unordered_map<std::size_t, KeyNode*> model_;
  std::size_t size_max_ = 0;
  std::size_t memory_bytes_ = 0;
};

TEST_P(CuckooModelTest, AgreesFromASmallTableOn) {
  run(test::operations(test::kModelOperations) / 6, 1, kKeys);
}

TEST_P(CuckooModelTest, AgreesInATableThatStaysNearlyFull) {
  // 2,048 buckets of 12 slots grow from 23,040 keys on; nine tenths of 25,400 stay just below.
  run(test::operations(test::kModelOperations) / 6, 20'000, 25'400);
  EXPECT_EQ(memory_bytes_, 2'048 * sizeof(CuckooBucket));
  EXPECT_GE(size_max_, 2'048U * CuckooBucket::kSlots * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(EveryTagSearch, CuckooModelTest,
                         testing::Values(TagSearch::kScalar, TagSearch::kSse2, TagSearch::kAvx2));

}  // namespace
}  // namespace synod::core
