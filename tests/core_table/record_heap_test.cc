// SPDX-License-Identifier: Apache-2.0
#include "core/table/record_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/table/btree.h"
#include "core/table/cuckoo_table.h"

namespace synod::core {
namespace {

RecordHeader header_of(std::int64_t version, std::int64_t expiry = 0,
                       std::uint32_t generation = 0) {
  RecordHeader header;
  header.version = Version(version);
  header.expiry = TimeMs(expiry);
  header.generation = generation;
  header.digest = static_cast<std::uint64_t>(version) * 31;
  return header;
}

class RecordHeapTest : public testing::Test {
 protected:
  static KeyRef ref(std::string_view key) { return {NamespaceId(7), Space(200), key}; }
  static Record& head(KeyNode& node) { return *node.head.load(); }
  /// Lets go of what lies behind the head, as cut_chains does, and destroys it.
  void cut(KeyNode& node) {
    heap_.cut_behind(head(node));
    heap_.settle(node);
    while (epochs_.retired_count() > 0) epochs_.collect();
  }

  EpochManager epochs_;
  RecordHeap heap_{epochs_};
};

TEST_F(RecordHeapTest, KeepsWhatItWasGiven) {
  const std::string long_key(70'000, 'k');
  for (const std::string_view key :
       {std::string_view(), std::string_view("key"), std::string_view(long_key)}) {
    for (const std::size_t size : {0U, 1U, 100U, 128U, 129U, 255U, 256U, 5'000U, 200'000U}) {
      for (int parts = 0; parts < 4; ++parts) {
        const std::string value(size, 'v');
        const RecordHeader header = header_of(5, (parts & 1) * 99, (parts & 2) * 1000U);
        KeyNode* node = heap_.create_node(ref(key), header, value);
        EXPECT_EQ(node->ref(), ref(key));
        const Record& record = head(*node);
        EXPECT_EQ(record.value(), value);
        EXPECT_EQ(record.version, header.version);
        EXPECT_EQ(record.expiry(), header.expiry);
        EXPECT_EQ(record.generation(), header.generation);
        EXPECT_EQ(record.digest, header.digest);
        EXPECT_EQ(record.older(), nullptr);
        EXPECT_EQ(record.has(Record::kInNode), size <= 128);
        heap_.retire_node(*node);
      }
    }
  }
  epochs_.collect();
  EXPECT_EQ(heap_.bytes_in_use(), 0U);
}

TEST_F(RecordHeapTest, KeepsLongKeysWhereBothIndexesFindThem) {
  CuckooTable table(base::SipKey{1, 2}, epochs_, heap_.base(), 16);
  BTree tree(epochs_, heap_.base());
  std::vector<std::string> keys;
  for (const std::size_t size :
       {KeyNode::kBesideMax - 1, KeyNode::kBesideMax, KeyNode::kBesideMax + 1,
        SlabAllocator::kSlotBytesMax, SlabAllocator::kSlotBytesMax + 1, KeyNode::kKeyBytesMax}) {
    // In order of size; told apart by their last byte alone.
    keys.push_back(std::string(size - 1, 'k') + 'l');
    keys.push_back(std::string(size, 'k'));
  }
  std::sort(keys.begin(), keys.end());
  for (const std::string& key : keys) {
    KeyNode* node = heap_.create_node(ref(key), header_of(1), key.substr(0, 100));
    EXPECT_EQ(node->is_apart(), key.size() > KeyNode::kBesideMax);
    tree.insert(node);
    table.insert(node);
  }
  std::size_t at = 0;
  tree.scan(ref(""), true, [&](const KeyNode& node) { return node.key() == keys[at++]; });
  EXPECT_EQ(at, keys.size());
  for (const std::string& key : keys) {
    KeyNode* node = table.find(ref(key));
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->key(), key);
    EXPECT_EQ(tree.find(ref(key)), node);
    EXPECT_EQ(head(*node).value(), key.substr(0, 100));
    heap_.supersede(*node, header_of(2), "new");
    cut(*node);
    EXPECT_TRUE(head(*node).has(Record::kInNode)) << "the room is behind the key, wherever that is";
    table.erase(node);
    tree.erase(node);
    heap_.retire_node(*node);
  }
  epochs_.collect();
  EXPECT_EQ(heap_.bytes_in_use(), 0U);
}

TEST_F(RecordHeapTest, SaysThatItsAddressesComeToTheirEndWhileThereAreSomeLeft) {
  constexpr std::size_t kChunks = 16;
  RecordHeap heap(epochs_, kChunks * NodeRange::kChunkBytes);
  std::vector<KeyNode*> nodes;
  for (std::uint64_t i = 0; !heap.is_nearly_full(); ++i) {
    nodes.push_back(heap.create_node(ref(std::to_string(i)), header_of(1), std::string(100, 'v')));
  }
  EXPECT_GE(nodes.size() * 150, (kChunks - 3) * NodeRange::kChunkBytes);
  // Values that lie apart take no addresses of keys.
  const std::size_t left = NodeRange::kChunkBytes / 64;
  for (std::size_t i = 0; i < left; ++i) {
    nodes.push_back(
        heap.create_node(ref("x" + std::to_string(i)), header_of(1), std::string(200, 'v')));
  }
  EXPECT_TRUE(heap.is_nearly_full());
  for (KeyNode* node : nodes) heap.retire_node(*node);
  while (epochs_.retired_count() > 0) epochs_.collect();
  EXPECT_FALSE(heap.is_nearly_full());
  EXPECT_EQ(heap.bytes_in_use(), 0U);
}

TEST_F(RecordHeapTest, KeepsEverySizeOfValueWithEveryOtherField) {
  // Sizes around those where the size itself takes more room, in every company.
  for (std::uint32_t size = 250; size < 262; ++size) {
    for (int parts = 0; parts < 4; ++parts) {
      const RecordHeader header = header_of(5, (parts & 1) * 99, (parts & 2) * 1000U);
      KeyNode* node = heap_.create_node(ref("k"), header, std::string(size, 'a'));
      heap_.supersede(*node, header, std::string(size, 'b'));
      const Record& newest = head(*node);
      EXPECT_EQ(newest.value(), std::string(size, 'b'));
      EXPECT_EQ(newest.older()->value(), std::string(size, 'a'));
      EXPECT_EQ(newest.expiry(), header.expiry);
      EXPECT_EQ(newest.generation(), header.generation);
      EXPECT_EQ(newest.bytes(), Record::bytes_for(header, size, true));
      cut(*node);
      heap_.replace_head(*node, heap_.create_cold(header, size));
      EXPECT_EQ(head(*node).value_size(), size);
      EXPECT_EQ(head(*node).expiry(), header.expiry);
      EXPECT_EQ(head(*node).generation(), header.generation);
      heap_.retire_node(*node);
    }
  }
}

TEST_F(RecordHeapTest, TakesThirtySixBytesBesideTheKeyAndASmallValue) {
  const KeyNode* node =
      heap_.create_node(ref("0123456789abcdef"), header_of(1), std::string(100, 'v'));
  EXPECT_LE(SlabAllocator::slot_bytes(node), 16U + 100U + 36U);
}

TEST_F(RecordHeapTest, ChainsVersionsNewestFirst) {
  KeyNode* node = heap_.create_node(ref("a"), header_of(1), "one");
  heap_.supersede(*node, header_of(2, 50), "two");
  heap_.supersede(*node, header_of(3), "three");
  const Record& newest = head(*node);
  EXPECT_EQ(newest.value(), "three");
  EXPECT_EQ(newest.older()->value(), "two");
  EXPECT_EQ(newest.older()->expiry(), TimeMs(50));
  EXPECT_EQ(newest.older()->older()->value(), "one");
  EXPECT_EQ(newest.older()->older()->older(), nullptr);
}

TEST_F(RecordHeapTest, BringsTheNewestHomeOnceTheOldIsGone) {
  KeyNode* node = heap_.create_node(ref("a"), header_of(1), "one");
  const std::size_t bytes = heap_.bytes_in_use();
  for (std::int64_t version = 2; version < 50; ++version) {
    heap_.supersede(*node, header_of(version), std::to_string(version % 10));
    if (version % 3 == 0) heap_.supersede(*node, header_of(++version), "x");
    cut(*node);
    EXPECT_TRUE(head(*node).has(Record::kInNode));
    EXPECT_EQ(head(*node).version, Version(version));
    EXPECT_EQ(heap_.bytes_in_use(), bytes) << "a hot key takes no more than a cold one";
  }
}

TEST_F(RecordHeapTest, LeavesTheRoomAloneWhileAReaderMayBeThere) {
  KeyNode* node = heap_.create_node(ref("a"), header_of(1), "one");
  {
    const EpochManager::Guard guard = epochs_.enter();
    const base::BytesView seen = head(*node).value();
    heap_.supersede(*node, header_of(2), "two");
    heap_.cut_behind(head(*node));
    EXPECT_FALSE(heap_.settle(*node));
    for (int i = 0; i < 3; ++i) epochs_.collect();
    heap_.supersede(*node, header_of(3), "");
    EXPECT_EQ(seen, "one");
    EXPECT_FALSE(head(*node).has(Record::kInNode));
  }
  cut(*node);
  EXPECT_TRUE(head(*node).has(Record::kInNode));
  EXPECT_EQ(head(*node).value(), "");
}

TEST_F(RecordHeapTest, WritesTheVacantRoomAgainWhereTheNewestIsTooLarge) {
  KeyNode* node = heap_.create_node(ref("a"), header_of(1), std::string(100, 'a'));
  heap_.supersede(*node, header_of(2), std::string(1'000, 'b'));
  cut(*node);
  EXPECT_FALSE(head(*node).has(Record::kInNode));
  heap_.supersede(*node, header_of(3), "small");
  EXPECT_TRUE(head(*node).has(Record::kInNode));
  EXPECT_EQ(head(*node).older()->value(), std::string(1'000, 'b'));
  cut(*node);
  EXPECT_EQ(head(*node).value(), "small");
}

TEST_F(RecordHeapTest, RetiresANodeWhoseOldRecordsAreStillOnTheirWay) {
  // The room becomes vacant while the node itself waits: nothing may move into it then.
  for (int i = 0; i < 3; ++i) {
    KeyNode* node = heap_.create_node(ref("a"), header_of(1), "one");
    heap_.supersede(*node, header_of(2), "two");
    heap_.cut_behind(head(*node));
    if (i == 1) heap_.supersede(*node, header_of(3), "three");
    heap_.retire_node(*node);
    for (int j = 0; j < 5; ++j) epochs_.collect(1);
  }
  epochs_.collect();
  EXPECT_EQ(heap_.bytes_in_use(), 0U);
}

TEST_F(RecordHeapTest, DropsAValueAndTakesItBack) {
  const std::string value(5'000, 'v');
  KeyNode* node = heap_.create_node(ref("a"), header_of(9, 77), value);
  const std::size_t with_value = heap_.bytes_in_use();
  const Record& warm = head(*node);
  heap_.replace_head(*node, heap_.create_cold(warm.header(), warm.value_size()));
  epochs_.collect();
  EXPECT_LT(heap_.bytes_in_use(), 150U);
  EXPECT_TRUE(head(*node).is_cold);
  EXPECT_EQ(head(*node).value_size(), 5'000U);
  EXPECT_EQ(head(*node).expiry(), TimeMs(77));
  heap_.replace_head(*node, heap_.create(head(*node).header(), value));
  epochs_.collect();
  EXPECT_EQ(head(*node).value(), value);
  EXPECT_EQ(heap_.bytes_in_use(), with_value);
}

TEST_F(RecordHeapTest, MovesRecordsOutOfSparseChunks) {
  std::vector<KeyNode*> nodes;
  for (int i = 0; i < 20'000; ++i) {
    nodes.push_back(heap_.create_node(ref(std::to_string(i)), header_of(1), std::string(700, 'v')));
  }
  base::Random random(2);
  for (KeyNode* node : nodes) {
    const Record& record = head(*node);
    if (!random.chance(0.1)) heap_.replace_head(*node, heap_.create_cold(record.header(), 700));
  }
  epochs_.collect();
  for (int round = 0; round < 4; ++round) {
    for (KeyNode* node : nodes) {
      heap_.settle(*node);
      epochs_.collect();
    }
  }
  EXPECT_LE(heap_.bytes_reserved(), heap_.bytes_in_use() * 4 / 3 + 3 * SlabAllocator::kChunkBytes);
  for (KeyNode* node : nodes) {
    EXPECT_TRUE(head(*node).is_cold || head(*node).value() == std::string(700, 'v'));
  }
}

}  // namespace
}  // namespace synod::core
