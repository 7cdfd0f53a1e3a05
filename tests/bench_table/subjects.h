// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <absl/container/btree_map.h>

#include <array>
#include <cstdio>
#include <deque>
#include <libcuckoo/cuckoohash_map.hh>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/siphash.h"
#include "core/table/btree.h"
#include "core/table/cuckoo_table.h"
#include "core/table/epoch.h"
#include "core/table/page_keeper.h"
#include "core/table/record_heap.h"
#include "tests/support/page_thread.h"

/// What the benchmarks of the tables compare: ours and the rivals, each with the same few
/// operations, SipHash-1-3 and values copied out.
namespace synod::bench {

inline constexpr base::SipKey kSipKey{11, 22};
inline constexpr std::size_t kValueBytes = 100;

/// Distinct with overwhelming likelihood, in no order.
inline std::vector<std::string> make_keys(std::size_t count, bool numbered) {
  base::Random random(1);
  std::vector<std::string> keys(count);
  for (std::size_t i = 0; i < count; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, numbered ? "key:%012llu" : "%016llx",
                  static_cast<unsigned long long>(numbered ? i : random.next()));
    keys[i] = text;
  }
  for (std::size_t i = count - 1; i > 0; --i) std::swap(keys[i], keys[random.below(i + 1)]);
  return keys;
}

/// `count` of the keys at random, laid out in the order they are asked.
inline std::vector<std::string> make_queries(const std::vector<std::string>& keys,
                                             std::size_t count, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<std::string> queries(count);
  for (std::string& query : queries) query = keys[random.below(keys.size())];
  return queries;
}

/// The two tables with their heap, written as TransactionalKvDatabase writes them.
class Tables {
 public:
  static constexpr std::size_t kBatch = 16;

  explicit Tables(std::size_t initial_capacity = 1'024)
      : table_(kSipKey, epochs_, heap_.base(), initial_capacity) {
    heap_.set_pages(&pages_);
    table_.set_pages(&pages_);
  }

  /// Writer. As a start loads: in huge pages where granted. REQUIRES: empty; the keys are sorted.
  void load(const std::vector<std::string>& keys, const std::string& value) {
    std::vector<core::KeyNode*> nodes;
    nodes.reserve(keys.size());
    heap_.set_eager(true);
    for (const std::string& key : keys) {
      nodes.push_back(heap_.create_node(ref_of(key), next_header(), value));
    }
    heap_.set_eager(false);
    tree_.build(nodes);
    table_.build(nodes);
  }
  /// Writer.
  void insert(const std::string& key, const std::string& value) {
    core::KeyNode* node = heap_.create_node(ref_of(key), next_header(), value);
    tree_.insert(node);
    table_.insert(node);
    tend();
  }
  /// Writer. REQUIRES: the key is present.
  void update(const std::string& key, const std::string& value) {
    core::KeyNode* node = table_.find(ref_of(key));
    superseded_.emplace_back(node, heap_.supersede(*node, next_header(), value));
    tend();
  }
  /// Writer. Lets all superseded records go.
  void settle() {
    while (!superseded_.empty()) cut_oldest();
    epochs_.collect();
    epochs_.collect();
  }

  /// True if found; the value goes to `out`.
  bool read(const std::string& key, std::string& out) const {
    const auto guard = epochs_.enter();
    return copy(table_.find(ref_of(key)), out);
  }
  std::size_t read_batch(std::span<const std::string> keys, std::string& out) const {
    std::array<core::KeyRef, kBatch> refs;
    std::array<core::KeyNode*, kBatch> nodes;
    const auto guard = epochs_.enter();
    for (std::size_t i = 0; i < keys.size(); ++i) refs[i] = ref_of(keys[i]);
    table_.find_batch(std::span(refs).first(keys.size()), nodes);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (nodes[i] != nullptr) __builtin_prefetch(nodes[i]->head.load(std::memory_order_acquire));
    }
    std::size_t found = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) found += copy(nodes[i], out) ? 1 : 0;
    return found;
  }
  std::size_t scan(const std::string& from, std::size_t keys_max, std::string& out) const {
    const auto guard = epochs_.enter();
    std::size_t seen = 0;
    tree_.scan(ref_of(from), true, [&](const core::KeyNode& node) {
      copy(&node, out);
      return ++seen < keys_max;
    });
    return seen;
  }

  [[nodiscard]] const core::CuckooTable& table() const { return table_; }
  [[nodiscard]] const core::BTree& tree() const { return tree_; }
  [[nodiscard]] const core::RecordHeap& heap() const { return heap_; }

 private:
  static constexpr std::size_t kKept = 1'024;       ///< Superseded records that readers may need.
  static constexpr std::size_t kCollectEvery = 64;  ///< As after a group of operations.
  static constexpr std::size_t kCollectedMax = 1'024;

  static core::KeyRef ref_of(const std::string& key) {
    return {core::NamespaceId(1), core::Space(0), key};
  }
  static bool copy(const core::KeyNode* node, std::string& out) {
    if (node == nullptr) return false;
    out.assign(node->head.load(std::memory_order_acquire)->value());
    return true;
  }
  core::RecordHeader next_header() {
    core::RecordHeader header;
    header.version = core::Version(++version_);
    return header;
  }
  void cut_oldest() {
    constexpr std::size_t kAhead = 8;
    if (superseded_.size() > kAhead) {
      core::RecordHeap::prefetch(*superseded_[kAhead].first, *superseded_[kAhead].second);
    }
    const auto [node, by] = superseded_.front();
    heap_.cut_behind(*by);
    heap_.settle(*node);
    superseded_.pop_front();
  }
  void tend() {
    if (version_ % static_cast<std::int64_t>(kCollectEvery) != 0) return;
    while (superseded_.size() > kKept) cut_oldest();
    epochs_.collect(kCollectedMax);
  }

  core::PageKeeper pages_;
  mutable core::EpochManager epochs_;
  core::RecordHeap heap_{epochs_};
  core::CuckooTable table_;
  core::BTree tree_{epochs_, heap_.base()};
  std::deque<std::pair<core::KeyNode*, core::Record*>> superseded_;
  std::int64_t version_ = 0;
  tests::PageThread page_thread_{pages_};
};

/// libcuckoo for points, absl::btree_map under a shared lock for order.
class Rivals {
 public:
  void insert(const std::string& key, const std::string& value) {
    points_.insert(key, value);
    order_.emplace(key, value);
  }
  void update(const std::string& key, const std::string& value) {
    points_.insert_or_assign(key, value);
  }
  bool read(const std::string& key, std::string& out) const { return points_.find(key, out); }
  std::size_t scan(const std::string& from, std::size_t keys_max, std::string& out) {
    const std::shared_lock lock(mutex_);
    std::size_t seen = 0;
    for (auto at = order_.lower_bound(from); at != order_.end() && seen < keys_max; ++at, ++seen) {
      out.assign(at->second);
    }
    return seen;
  }

 private:
  struct SipHasher {
    std::size_t operator()(const std::string& key) const { return base::siphash13(kSipKey, key); }
  };
  libcuckoo::cuckoohash_map<std::string, std::string, SipHasher> points_;
  absl::btree_map<std::string, std::string> order_;
  std::shared_mutex mutex_;
};

}  // namespace synod::bench
