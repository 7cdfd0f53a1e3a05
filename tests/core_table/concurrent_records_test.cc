// SPDX-License-Identifier: Apache-2.0
// Readers beside a writer that supersedes, cuts, drops, restores and moves records of a few keys:
// a reader always sees a whole value of a version that was the newest no earlier than its start.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "base/random.h"
#include "core/table/cuckoo_table.h"
#include "core/table/record_heap.h"
#include "tests/core_table/table_support.h"

namespace synod::core {
namespace {

constexpr std::size_t kKeys = 40;
constexpr int kReaders = 3;

/// The value of a version: its number over and over, of a length that follows from it.
std::string value_of(std::int64_t version) {
  constexpr std::array<std::size_t, 6> kLengths = {0, 3, 60, 128, 129, 900};
  const std::string number = std::to_string(version) + ',';
  std::string value;
  while (value.size() < kLengths[static_cast<std::size_t>(version) % kLengths.size()]) {
    value += number;
  }
  return value;
}

class ConcurrentRecordsTest : public testing::Test {
 protected:
  void step(base::Random& random) {
    const std::size_t index = random.below(kKeys);
    KeyNode*& node = nodes_[index];
    RecordHeader header;
    header.version = Version(++version_);
    if (random.chance(0.3)) header.expiry = TimeMs(version_);
    const std::string value = value_of(version_);
    if (node == nullptr) {
      node = heap_.create_node(keys_[index].ref(), header, value);
      table_.insert(node);
    } else if (random.chance(0.05)) {
      remove(index);
      return;
    } else if (random.chance(0.2) && node->head.load()->older() == nullptr) {
      change_warmth(*node);
      return;
    } else {
      superseded_.push_back({node, heap_.supersede(*node, header, value)});
    }
    newest_[index].store(header.version.value(), std::memory_order_release);
  }

  void remove(std::size_t index) {
    while (!superseded_.empty()) cut_oldest();  // As remove_dead: chains first.
    newest_[index].store(0, std::memory_order_release);
    table_.erase(nodes_[index]);
    heap_.retire_node(*nodes_[index]);
    nodes_[index] = nullptr;
  }

  void change_warmth(KeyNode& node) {
    const Record& head = *node.head.load();
    if (head.is_cold) {
      heap_.replace_head(node, heap_.create(head.header(), value_of(head.version.value())));
    } else {
      heap_.replace_head(node, heap_.create_cold(head.header(), head.value_size()));
    }
  }

  void cut_oldest() {
    const auto [node, by] = superseded_.front();
    heap_.cut_behind(*by);
    heap_.settle(*node);
    superseded_.pop_front();
  }

  void write() {
    base::Random random(5);
    const std::size_t writes = test::operations(400'000);
    for (std::size_t i = 0; i < writes; ++i) {
      step(random);
      while (superseded_.size() > 30 || (!superseded_.empty() && random.chance(0.3))) cut_oldest();
      if (random.chance(0.3)) epochs_.collect();
      if (random.chance(0.1) && nodes_[i % kKeys] != nullptr) heap_.settle(*nodes_[i % kKeys]);
    }
    done_.store(true, std::memory_order_release);
  }

  void read(std::uint64_t seed) {
    base::Random random(seed);
    while (!done_.load(std::memory_order_acquire)) {
      const std::size_t index = random.below(kKeys);
      const EpochManager::Guard guard = epochs_.enter();
      const std::int64_t newest = newest_[index].load(std::memory_order_acquire);
      const KeyNode* node = table_.find(keys_[index].ref());
      if (node == nullptr) continue;
      std::int64_t above = INT64_MAX;
      const Record* record = node->head.load(std::memory_order_acquire);
      if (record != nullptr && record->version.value() < newest) {
        ++failures_;  // Unless the key was removed meanwhile, as the count then says.
        if (newest_[index].load(std::memory_order_acquire) != newest) --failures_;
      }
      for (; record != nullptr; record = record->older()) {
        const std::int64_t version = record->version.value();
        if (version >= above) ++failures_;
        above = version;
        const TimeMs expiry = record->expiry();
        if (expiry != TimeMs(0) && expiry != TimeMs(version)) ++failures_;
        if (record->value_size() != value_of(version).size()) ++failures_;
        if (!record->is_cold && record->value() != value_of(version)) ++failures_;
        record->was_read.store(true, std::memory_order_relaxed);
      }
    }
  }

  EpochManager epochs_;
  RecordHeap heap_{epochs_};
  CuckooTable table_{base::SipKey{5, 6}, epochs_, heap_.base()};
  std::array<test::TestKey, kKeys> keys_;
  std::array<KeyNode*, kKeys> nodes_{};
  std::array<std::atomic<std::int64_t>, kKeys> newest_{};
  std::deque<std::pair<KeyNode*, Record*>> superseded_;
  std::int64_t version_ = 0;
  std::atomic<bool> done_{false};
  std::atomic<int> failures_{0};
};

TEST_F(ConcurrentRecordsTest, ReadersSeeWholeRecordsWhateverMoves) {
  for (std::size_t i = 0; i < kKeys; ++i) keys_[i] = {1, 0, test::numbered(i)};
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([this, i] { read(static_cast<std::uint64_t>(i)); });
  }
  write();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(failures_.load(), 0);
  for (std::size_t i = 0; i < kKeys; ++i) {
    if (nodes_[i] != nullptr) remove(i);
  }
  epochs_.drain();
  EXPECT_EQ(heap_.bytes_in_use(), 0U) << "nothing leaks";
}

}  // namespace
}  // namespace synod::core
