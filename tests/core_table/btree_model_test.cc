// SPDX-License-Identifier: Apache-2.0
// The B-tree against std::map. Keys of a universe are known by their rank, whose order is the order
// of the keys; the map's key is the rank.
#include <gtest/gtest.h>

#include <map>

#include "core/table/btree.h"
#include "tests/core_table/table_support.h"

namespace synod::core {
namespace {

using test::TestKey;

class BTreeModelTest : public testing::Test {
 protected:
  using Model = std::map<std::size_t, KeyNode*>;

  void run(std::vector<TestKey> keys, std::size_t operations, std::size_t period) {
    keys_ = std::move(keys);
    for (std::size_t i = 0; i < operations; ++i) {
      step(random_.below(keys_.size()), test::insert_share(i, period));
      ASSERT_EQ(tree_.size(), model_.size());
      if (i % period == 0) check_scan(0, true, SIZE_MAX);
      if (HasFatalFailure()) return;
    }
    check_scan(0, true, SIZE_MAX);
    for (const auto& [rank, node] : model_) test::retire_node(epochs_, node);
  }

  void step(std::size_t rank, double insert_share) {
    const KeyRef ref = keys_[rank].ref();
    const auto known = model_.find(rank);
    KeyNode* const expected = known == model_.end() ? nullptr : known->second;
    ASSERT_EQ(tree_.find(ref), expected);
    if (random_.chance(0.2)) {
      check_scan(rank, random_.chance(0.5), 1 + random_.below(20));
    } else if (random_.chance(insert_share)) {
      if (expected != nullptr) return;
      KeyNode* node = test::create_node(ref);
      tree_.insert(node);
      model_.emplace(rank, node);
    } else if (expected != nullptr) {
      tree_.erase(expected);
      model_.erase(known);
      test::retire_node(epochs_, expected);
    }
    if (random_.chance(0.1)) epochs_.collect();
  }

  void check_scan(std::size_t from, bool inclusive, std::size_t count_max) {
    Model::const_iterator expected =
        inclusive ? model_.lower_bound(from) : model_.upper_bound(from);
    std::size_t seen = 0;
    bool agrees = true;
    tree_.scan(keys_[from].ref(), inclusive, [&](KeyNode& node) {
      agrees = expected != model_.end() && expected->second == &node;
      if (agrees) ++expected;
      return agrees && ++seen < count_max;
    });
    ASSERT_TRUE(agrees);
    ASSERT_TRUE(seen == count_max || expected == model_.end());
  }

  base::Random random_{4711};
  EpochManager epochs_;
  BTree tree_{epochs_, test::node_base()};
  Model model_;
  std::vector<TestKey> keys_;
};

TEST_F(BTreeModelTest, AgreesOnKeysThatAreHardToTellApart) {
  run(test::distinct_keys(20'000, [this] { return test::tricky_key(random_); }),
      test::operations(test::kModelOperations) / 2, 60'000);
}

TEST_F(BTreeModelTest, AgreesOnNumberedKeysInOneNamespace) {
  std::uint64_t number = 0;
  run(test::distinct_keys(50'000,
                          [&number] {
                            return TestKey{1, 0, test::numbered(number++)};
                          }),
      test::operations(test::kModelOperations) / 4, 150'000);
}

TEST_F(BTreeModelTest, AgreesOnAFewKeysOverAndOver) {
  run(test::distinct_keys(150, [this] { return test::tricky_key(random_); }),
      test::operations(test::kModelOperations) / 4, 400);
}

}  // namespace
}  // namespace synod::core
