// SPDX-License-Identifier: Apache-2.0
#include "core/table/btree.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/table/btree_node.h"
#include "tests/core_table/table_support.h"

namespace synod::core {
namespace {

using test::TestKey;

KeyRef lowest() { return {NamespaceId(0), Space(0), {}}; }

class BTreeTest : public testing::Test {
 protected:
  ~BTreeTest() override {
    tree_.scan(lowest(), true, [this](KeyNode& node) {
      test::retire_node(epochs_, &node);
      return true;
    });
  }
  KeyNode* add(const TestKey& key) {
    KeyNode* node = test::create_node(key.ref());
    tree_.insert(node);
    epochs_.collect();
    return node;
  }
  void remove(const TestKey& key) {
    KeyNode* node = tree_.find(key.ref());
    ASSERT_NE(node, nullptr);
    tree_.erase(node);
    test::retire_node(epochs_, node);
    epochs_.collect();
  }
  std::vector<std::string> scanned(const KeyRef& from, bool inclusive, std::size_t count_max) {
    std::vector<std::string> keys;
    if (count_max == 0) return keys;
    tree_.scan(from, inclusive, [&](const KeyNode& node) {
      keys.emplace_back(node.key());
      return keys.size() < count_max;
    });
    return keys;
  }

  EpochManager epochs_;
  BTree tree_{epochs_, test::node_base()};
};

TEST_F(BTreeTest, IsEmptyAtFirst) {
  EXPECT_EQ(tree_.size(), 0U);
  EXPECT_EQ(tree_.find(TestKey{1, 0, "a"}.ref()), nullptr);
  EXPECT_TRUE(scanned(lowest(), true, 10).empty());
}

TEST_F(BTreeTest, ScansFromAKeyWithOrWithoutIt) {
  for (const char* key : {"d", "b", "a", "c"}) add({1, 0, key});
  EXPECT_EQ(scanned(TestKey{1, 0, "b"}.ref(), true, 2), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(scanned(TestKey{1, 0, "b"}.ref(), false, 9), (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(scanned(TestKey{1, 0, "bb"}.ref(), true, 9), (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(scanned(TestKey{1, 0, "bb"}.ref(), false, 1), (std::vector<std::string>{"c"}));
  EXPECT_TRUE(scanned(TestKey{1, 0, "d"}.ref(), false, 9).empty());
  EXPECT_TRUE(scanned(TestKey{2, 0, ""}.ref(), true, 9).empty());
}

TEST_F(BTreeTest, OrdersByNamespaceThenSpaceThenUnsignedBytes) {
  const std::vector<TestKey> keys = {
      {0, 9, "z"},    {1, 0, ""},     {1, 0, std::string(1, '\0')}, {1, 0, std::string(9, '\0')},
      {1, 0, "\x7f"}, {1, 0, "\x80"}, {1, 0, "\xff\xff"},           {1, 127, "a"},
      {1, 255, ""},   {256, 0, "a"},  {0xffffffffU, 0, ""}};
  for (std::size_t i = 0; i < keys.size(); ++i) add(keys[i * 7 % keys.size()]);
  std::size_t at = 0;
  tree_.scan(lowest(), true, [&](const KeyNode& node) {
    EXPECT_EQ(node.ref(), keys.at(at++).ref());
    return true;
  });
  EXPECT_EQ(at, keys.size());
}

TEST_F(BTreeTest, TellsKeysApartThatShareMoreThanANodeKeeps) {
  const std::string shared(300, 's');
  for (std::uint64_t i = 0; i < 500; ++i) add({1, 0, shared + test::numbered(i * 7 % 500)});
  for (std::uint64_t i = 0; i < 500; ++i) {
    const std::string key = shared + test::numbered(i);
    const KeyNode* node = tree_.find(TestKey{1, 0, key}.ref());
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->key(), key);
  }
  EXPECT_EQ(tree_.find(TestKey{1, 0, shared}.ref()), nullptr);
  EXPECT_EQ(scanned(TestKey{1, 0, shared}.ref(), true, 1)[0], shared + test::numbered(0));
  EXPECT_EQ(scanned(TestKey{1, 0, std::string(299, 's') + "t"}.ref(), true, 1).size(), 0U);
}

TEST_F(BTreeTest, FillsItsLeavesWithAscendingKeys) {
  constexpr std::uint64_t kKeys = 50'000;
  for (std::uint64_t i = 0; i < kKeys; ++i) add({1, 0, test::numbered(i)});
  EXPECT_EQ(scanned(lowest(), true, SIZE_MAX).size(), kKeys);
  EXPECT_LE(tree_.memory_bytes(), kKeys * 19);
}

TEST_F(BTreeTest, GivesItsMemoryBackAsItEmptiesFromEitherEnd) {
  for (const bool ascending : {true, false}) {
    constexpr std::uint64_t kKeys = 20'000;
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      add({1, 0, test::numbered(i * 7919 % kKeys)});
    }
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      remove({1, 0, test::numbered(ascending ? i : kKeys - 1 - i)});
      if (i % 1'000 == 0) {
        EXPECT_EQ(scanned(lowest(), true, SIZE_MAX).size(), kKeys - 1 - i);
      }
    }
    EXPECT_EQ(tree_.size(), 0U);
    EXPECT_EQ(tree_.memory_bytes(), sizeof(BTreeNode)) << "one empty leaf is left";
  }
}

TEST_F(BTreeTest, MergesThinLeavesAndInnerNodes) {
  constexpr std::uint64_t kKeys = 50'000;
  for (std::uint64_t i = 0; i < kKeys; ++i) add({1, 0, test::numbered(i)});
  const std::size_t full = tree_.memory_bytes();
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    if (i % 50 != 0) remove({1, 0, test::numbered(i)});
  }
  EXPECT_EQ(scanned(lowest(), true, SIZE_MAX).size(), kKeys / 50);
  EXPECT_LE(tree_.memory_bytes(), full / 15);
}

TEST_F(BTreeTest, ShowsAScanEveryKeyThatStaysWhateverTheWriterDoesMeanwhile) {
  constexpr std::uint64_t kKeys = 2'000;
  for (std::uint64_t i = 0; i < 2 * kKeys; ++i) add({1, 0, test::numbered(i)});
  // The visitor plays the writer in the middle of the reader's scan, far ahead and behind.
  const EpochManager::Guard guard = epochs_.enter();
  std::vector<std::string> seen;
  tree_.scan(lowest(), true, [&](const KeyNode& node) {
    const std::string key(node.key());
    EXPECT_TRUE(seen.empty() || seen.back() < key);
    seen.push_back(key);
    const std::uint64_t odd = 2 * (seen.size() * 7919 % kKeys) + 1;
    if (tree_.find(TestKey{1, 0, test::numbered(odd)}.ref()) != nullptr) {
      remove({1, 0, test::numbered(odd)});
    }
    for (int i = 0; i < 3; ++i) {
      const TestKey extra{1, 0, key + "/" + std::to_string(i)};
      if (seen.size() < 10'000 && tree_.find(extra.ref()) == nullptr) add(extra);
    }
    return true;
  });
  std::size_t even = 0;
  for (const std::string& key : seen) {
    if (key.size() == test::numbered(0).size() && (key.back() - '0') % 2 == 0) ++even;
  }
  EXPECT_EQ(even, kKeys);
}

TEST_F(BTreeTest, IsBuiltFromNodesInOrder) {
  for (const std::uint64_t count : {0U, 1U, 64U, 65U, 129U, 4'096U, 4'097U, 40'000U}) {
    BTree tree(epochs_, test::node_base());
    std::vector<KeyNode*> nodes;
    for (std::uint64_t i = 0; i < count; ++i) {
      nodes.push_back(test::create_node(TestKey{1, 0, test::numbered(2 * i)}.ref()));
    }
    tree.build(nodes);
    EXPECT_EQ(tree.size(), count);
    EXPECT_LE(tree.memory_bytes(), count * 15 + 1'000);
    for (KeyNode* node : nodes) ASSERT_EQ(tree.find(node->ref()), node);
    std::size_t at = 0;
    tree.scan(lowest(), true, [&](const KeyNode& node) { return &node == nodes.at(at++); });
    EXPECT_EQ(at, nodes.size());
    // What was built bears changes at every place.
    for (std::uint64_t i = 0; i < count; i += 3) {
      tree.erase(nodes[i]);
      test::retire_node(epochs_, nodes[i]);
      nodes[i] = test::create_node(TestKey{1, 0, test::numbered(2 * i + 1)}.ref());
      tree.insert(nodes[i]);
      epochs_.collect();
    }
    for (KeyNode* node : nodes) {
      ASSERT_EQ(tree.find(node->ref()), node);
      test::retire_node(epochs_, node);
    }
  }
}

TEST(BTreeSeparator, IsTheShortestStringAboveTheLeftAndNotAboveTheRight) {
  base::Random random(5);
  for (int i = 0; i < 200'000; ++i) {
    TestKey left = test::tricky_key(random);
    TestKey right = test::tricky_key(random);
    if (left == right) continue;
    if (right < left) std::swap(left, right);
    const base::Bytes separator = btree_separator(left.ref(), right.ref());
    ASSERT_LT(BTreeKey(left.ref()).compare(separator), 0);
    ASSERT_GE(BTreeKey(right.ref()).compare(separator), 0);
    const base::Bytes shorter = separator.substr(0, separator.size() - 1);
    ASSERT_GE(BTreeKey(left.ref()).compare(shorter), 0);
  }
}

TEST(BTreeDeathTest, DiesOfAKeyInsertedTwice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EpochManager epochs;
  BTree tree(epochs, test::node_base());
  KeyNode* node = test::create_node({NamespaceId(1), Space(0), "twice"});
  tree.insert(node);
  EXPECT_DEATH(tree.insert(node), "absent keys only");
  tree.erase(node);
  EXPECT_DEATH(tree.erase(node), "present nodes only");
  test::destroy_node(node);
}

}  // namespace
}  // namespace synod::core
