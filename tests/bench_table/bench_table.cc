// SPDX-License-Identifier: Apache-2.0
// Ratios of our two tables to libcuckoo and absl::btree_map, in one run on one machine.
// SipHash-1-3 on both sides, values copied out, queries laid out in the order they are asked.
//   bench_table [keys]            ratios, for random and for numbered keys
//   bench_table --growth [keys]   the longest insertions while the tables grow from nothing
#include <absl/container/btree_map.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <libcuckoo/cuckoohash_map.hh>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/siphash.h"
#include "core/table/btree.h"
#include "core/table/cuckoo_table.h"
#include "core/table/epoch.h"
#include "core/table/record_heap.h"

namespace synod::core {
namespace {

constexpr base::SipKey kSipKey{11, 22};
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kScanKeys = 100;

struct SipHasher {
  std::size_t operator()(const std::string& key) const { return base::siphash13(kSipKey, key); }
};
using PointRival = libcuckoo::cuckoohash_map<std::string, std::string, SipHasher>;
using OrderRival = absl::btree_map<std::string, std::string>;

template <class Work>
double nanoseconds_each(std::size_t count, Work&& work) {
  timespec a{};
  timespec b{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
  work();
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
  return (static_cast<double>(b.tv_sec - a.tv_sec) * 1e9 + static_cast<double>(b.tv_nsec - a.tv_nsec)) / static_cast<double>(count);
}

void report(const char* what, double ours, double rival) {
  std::printf("  %-26s ours %8.1f ns  rival %8.1f ns  ratio %.2f\n", what, ours, rival,
              rival / ours);
}

std::vector<std::string> make_keys(std::size_t count, bool numbered) {
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

KeyRef ref_of(const std::string& key) { return {NamespaceId(1), Space(0), key}; }

class Bench {
 public:
  explicit Bench(std::vector<std::string> keys) : keys_(std::move(keys)) {}
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void insertion() {
    if (std::getenv("EAGER")) heap_.slabs().set_eager(true);
    const std::string value(kValueBytes, 'v');
    const double rival = nanoseconds_each(keys_.size(), [&] {
      for (const std::string& key : keys_) {
        rival_points_.insert(key, value);
        rival_order_.emplace(key, value);
      }
    });
    const double ours = nanoseconds_each(keys_.size(), [&] {
      for (std::size_t i = 0; i < keys_.size(); ++i) {
        KeyNode* node = heap_.create_node(ref_of(keys_[i]), {}, value);
        tree_.insert(node);
        table_.insert(node);
        if (i % 64 == 0) epochs_.collect();
      }
    });
    report("new key into both", ours, rival);
    const auto per_key = [this](std::size_t bytes) {
      return static_cast<double>(bytes) / static_cast<double>(keys_.size());
    };
    std::printf("  bytes per key: cuckoo %.1f, B-tree %.1f\n", per_key(table_.memory_bytes()),
                per_key(tree_.memory_bytes()));
    std::printf("  nodes and records %.1f in slots, %.1f reserved\n", per_key(heap_.bytes_in_use()),
                per_key(heap_.bytes_reserved()));
  }

  void points() {
    base::Random random(2);
    std::vector<std::string> queries(keys_.size());
    for (std::string& query : queries) query = keys_[random.below(keys_.size())];
    std::string out;
    const double rival = nanoseconds_each(queries.size(), [&] {
      for (const std::string& query : queries) hits_ += rival_points_.find(query, out) ? 1 : 0;
    });
    const double ours = nanoseconds_each(queries.size(), [&] {
      for (const std::string& query : queries) {
        const EpochManager::Guard guard = epochs_.enter();
        copy_value(table_.find(ref_of(query)), out);
      }
    });
    report("point read", ours, rival);
    const double batched = nanoseconds_each(queries.size(), [&] { read_batches(queries, out); });
    report("point read in 16s", batched, rival);
  }

  void scans() {
    base::Random random(3);
    std::vector<std::string> starts(keys_.size() / kScanKeys);
    for (std::string& start : starts) start = keys_[random.below(keys_.size())];
    std::string out;
    std::shared_mutex mutex;
    const double rival = nanoseconds_each(starts.size() * kScanKeys, [&] {
      for (const std::string& start : starts) {
        const std::shared_lock lock(mutex);
        std::size_t seen = 0;
        for (auto at = rival_order_.lower_bound(start);
             at != rival_order_.end() && seen < kScanKeys; ++at, ++seen) {
          out.assign(at->second);
        }
      }
    });
    const double ours = nanoseconds_each(starts.size() * kScanKeys, [&] {
      for (const std::string& start : starts) {
        const EpochManager::Guard guard = epochs_.enter();
        std::size_t seen = 0;
        tree_.scan(ref_of(start), true, [&](const KeyNode& node) {
          copy_value(&node, out);
          return ++seen < kScanKeys;
        });
      }
    });
    report("scan of 100, per key", ours, rival);
  }

  [[nodiscard]] std::size_t hits() const { return hits_; }

 private:
  void copy_value(const KeyNode* node, std::string& out) {
    if (node == nullptr) return;
    out.assign(node->head.load(std::memory_order_acquire)->value());
    ++hits_;
  }

  void read_batches(const std::vector<std::string>& queries, std::string& out) {
    std::array<KeyRef, 16> refs;
    std::array<KeyNode*, 16> nodes;
    for (std::size_t i = 0; i + refs.size() <= queries.size(); i += refs.size()) {
      const EpochManager::Guard guard = epochs_.enter();
      for (std::size_t j = 0; j < refs.size(); ++j) refs[j] = ref_of(queries[i + j]);
      table_.find_batch(refs, nodes);
      for (const KeyNode* node : nodes) {
        if (node != nullptr) __builtin_prefetch(node->head.load(std::memory_order_acquire));
      }
      for (const KeyNode* node : nodes) copy_value(node, out);
    }
  }

  const std::vector<std::string> keys_;
  PointRival rival_points_;
  OrderRival rival_order_;
  EpochManager epochs_;
  RecordHeap heap_{epochs_};
  CuckooTable table_{kSipKey, epochs_, std::getenv("EAGER") ? 1000000U : 1024U};
  BTree tree_{epochs_};
  std::size_t hits_ = 0;
};

/// Time this thread was running, so that other processes don't count.
double thread_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

void print_longest(const char* what, std::vector<double>& times) {
  std::partial_sort(times.begin(), times.begin() + 5, times.end(), std::greater<>());
  std::printf("  longest %-14s %.0f %.0f %.0f %.0f %.0f us of processor time\n", what, times[0],
              times[1], times[2], times[3], times[4]);
}

void growth(std::size_t keys) {
  EpochManager epochs;
  RecordHeap heap(epochs);
  CuckooTable table(kSipKey, epochs, 1);
  BTree tree(epochs);
  std::vector<double> cuckoo(keys);
  std::vector<double> btree(keys);
  std::vector<double> collect(keys);
  const std::string value(kValueBytes, 'v');
  for (std::size_t i = 0; i < keys; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "key:%012zu", i * 7919 % keys);
    KeyNode* node = heap.create_node({NamespaceId(1), Space(0), text}, {}, value);
    const double start = thread_microseconds();
    tree.insert(node);
    const double after_tree = thread_microseconds();
    table.insert(node);
    const double after_table = thread_microseconds();
    epochs.collect();
    const double end = thread_microseconds();
    btree[i] = after_tree - start;
    cuckoo[i] = after_table - after_tree;
    collect[i] = end - after_table;
  }
  std::printf("growth from 0 to %zu keys\n", keys);
  print_longest("cuckoo insert", cuckoo);
  print_longest("B-tree insert", btree);
  print_longest("collect", collect);
}

void ratios(std::size_t keys) {
  for (const bool numbered : {false, true}) {
    std::printf("%zu %s keys, %zu-byte values\n", keys, numbered ? "numbered" : "random",
                kValueBytes);
    Bench bench(make_keys(keys, numbered));
    bench.insertion();
    for (int round = 0; round < 3; ++round) {
      bench.points();
      bench.scans();
    }
    std::printf("  (%zu hits)\n", bench.hits());
  }
}

}  // namespace
}  // namespace synod::core

int main(int argc, char** argv) {
  const bool growth = argc > 1 && std::strcmp(argv[1], "--growth") == 0;
  const char* number = argc > (growth ? 2 : 1) ? argv[growth ? 2 : 1] : "1000000";
  const auto keys = static_cast<std::size_t>(std::strtoull(number, nullptr, 10));
  if (keys < 1'000) {
    std::fprintf(stderr, "at least 1000 keys\n");
    return 2;
  }
  if (growth) {
    synod::core::growth(keys);
  } else {
    synod::core::ratios(keys);
  }
  return 0;
}
