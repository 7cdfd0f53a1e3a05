// SPDX-License-Identifier: Apache-2.0
// One writer and three readers over both tables.
//
// Permanent keys enter in the order of their numbers and stay: once the writer has announced
// `permanent`, readers must find all below it. Passing keys enter and leave in the order of their
// numbers and never come back: once the writer has announced `gone`, none below it may be seen.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "core/table/btree.h"
#include "core/table/cuckoo_table.h"
#include "tests/core_table/table_support.h"

namespace synod::core {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kWrites = 120'000;
#else
constexpr std::size_t kWrites = 200'000;
#endif
constexpr int kReaders = 3;

enum class Kind : char { kPermanent = 'p', kPassing = 'x' };

/// Eight scattered bytes, so that neighbours in number are strangers in order, then kind and
/// number.
std::string make_key(Kind kind, std::uint64_t number) {
  std::string key(8, '\0');
  base::store_be64(key.data(), (number * 2 + (kind == Kind::kPassing)) * 0x9e3779b97f4a7c15ULL);
  key += static_cast<char>(kind);
  base::append_be64(key, number);
  return key;
}
Kind kind_of(const KeyNode& node) { return static_cast<Kind>(node.key()[8]); }
std::uint64_t number_of(const KeyNode& node) { return base::load_be64(node.key().data() + 9); }
KeyRef ref_of(const std::string& key) { return {NamespaceId(1), Space(0), key}; }

struct Shape {
  std::size_t initial_capacity;
  std::size_t permanent_max;
  std::size_t passing_max;  ///< How many passing keys live at one time.
};

class ConcurrentTablesTest : public testing::Test {
 protected:
  void run(const Shape& shape) {
    CuckooTable table(base::SipKey{1, 2}, epochs_, test::node_base(), shape.initial_capacity);
    table_ = &table;
    for (std::uint64_t i = 0; i < shape.permanent_max; ++i) {
      order_.emplace_back(make_key(Kind::kPermanent, i), i);
    }
    std::sort(order_.begin(), order_.end());
    std::vector<std::thread> readers;
    for (int i = 0; i < kReaders; ++i) {
      readers.emplace_back([this, i] { read(static_cast<std::uint64_t>(i)); });
    }
    write(shape);
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(table.size(), tree_.size());
    EXPECT_EQ(failures_.load(), 0);
    for (KeyNode* node : permanent_nodes_) test::retire_node(epochs_, node);
    for (std::size_t i = gone_; i < passing_nodes_.size(); ++i) {
      test::retire_node(epochs_, passing_nodes_[i]);
    }
  }

  void add(std::vector<KeyNode*>& nodes, Kind kind) {
    KeyNode* node = test::create_node(ref_of(make_key(kind, nodes.size())));
    tree_.insert(node);
    table_->insert(node);
    nodes.push_back(node);
  }

  void write(const Shape& shape) {
    base::Random random(99);
    const std::size_t writes = test::operations(kWrites);
    for (std::size_t i = 0; i < writes; ++i) {
      const std::size_t passing = passing_nodes_.size() - gone_;
      if (permanent_nodes_.size() < shape.permanent_max && random.chance(0.3)) {
        add(permanent_nodes_, Kind::kPermanent);
        permanent_.store(permanent_nodes_.size(), std::memory_order_release);
      } else if (passing < shape.passing_max && (passing == 0 || random.chance(0.55))) {
        add(passing_nodes_, Kind::kPassing);
        entered_.store(passing_nodes_.size(), std::memory_order_release);
      } else if (passing > 0) {
        KeyNode* node = passing_nodes_[gone_];
        table_->erase(node);
        tree_.erase(node);
        gone_.store(gone_ + 1, std::memory_order_release);
        test::retire_node(epochs_, node);
      }
      if (random.chance(0.25)) epochs_.collect();
    }
    done_.store(true, std::memory_order_release);
  }

  void read(std::uint64_t seed) {
    base::Random random(seed);
    std::size_t operations = 0;
    const std::size_t operations_min = test::operations(kWrites);
    while (!done_.load(std::memory_order_acquire) || operations < operations_min) {
      const std::uint64_t choice = random.below(1'000);
      if (choice < 700) {
        check_find(random);
        ++operations;
      } else if (choice < 850) {
        operations += check_batch(random);
      } else if (choice < 999) {
        check_scan(random, 1 + random.below(100));
        ++operations;
      } else {
        check_scan(random, 3'000);
        ++operations;
      }
    }
  }

  void expect(bool condition, const char* what) {
    if (!condition && failures_.fetch_add(1) < 5) ADD_FAILURE() << what;
  }

  void check_find(base::Random& random) {
    const EpochManager::Guard guard = epochs_.enter();
    const std::uint64_t permanent = permanent_.load(std::memory_order_acquire);
    if (permanent > 0) {
      const std::string key = make_key(Kind::kPermanent, random.below(permanent));
      const KeyNode* node = table_->find(ref_of(key));
      expect(node != nullptr && node->key() == key, "a permanent key is found by its hash");
      expect(tree_.find(ref_of(key)) == node, "a permanent key is found in order");
    }
    const std::uint64_t gone = gone_.load(std::memory_order_acquire);
    if (gone > 0) {
      const std::string key =
          make_key(Kind::kPassing, gone - 1 - random.below(std::min<std::uint64_t>(gone, 50)));
      expect(table_->find(ref_of(key)) == nullptr, "an erased key is not found by its hash");
      expect(tree_.find(ref_of(key)) == nullptr, "an erased key is not found in order");
    }
    const std::uint64_t entered = entered_.load(std::memory_order_acquire);
    if (entered > 0) {
      const std::string key = make_key(Kind::kPassing, entered - 1);
      const KeyNode* node = table_->find(ref_of(key));
      expect(node != nullptr ? node->key() == key
                             : gone_.load(std::memory_order_acquire) + 1 >= entered,
             "a passing key is found until it is being erased");
    }
  }

  std::size_t check_batch(base::Random& random) {
    const EpochManager::Guard guard = epochs_.enter();
    const std::uint64_t permanent = permanent_.load(std::memory_order_acquire);
    if (permanent == 0) return 1;
    std::array<std::string, 16> keys;
    std::array<KeyRef, 16> refs;
    std::array<KeyNode*, 16> found;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      keys[i] = make_key(Kind::kPermanent, random.below(permanent));
      refs[i] = ref_of(keys[i]);
    }
    table_->find_batch(refs, found);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      expect(found[i] != nullptr && found[i]->key() == keys[i],
             "a permanent key is found in a batch");
    }
    return keys.size();
  }

  void check_scan(base::Random& random, std::size_t count_max) {
    const EpochManager::Guard guard = epochs_.enter();
    const std::uint64_t permanent = permanent_.load(std::memory_order_acquire);
    const std::uint64_t gone = gone_.load(std::memory_order_acquire);
    // From any permanent key, perhaps of the future, on; `at` walks the keys that must come.
    std::size_t at = random.below(order_.size());
    std::string last;
    std::size_t seen = 0;
    bool stopped = false;
    const auto skip_future = [&] {
      while (at < order_.size() && order_[at].second >= permanent) ++at;
    };
    const std::string from = order_[at].first;
    tree_.scan(ref_of(from), true, [&](const KeyNode& node) {
      expect(last.empty() || last < node.key(), "a scan is sorted");
      expect(node.key() >= from, "a scan starts where it was told to");
      last = node.key();
      if (kind_of(node) == Kind::kPassing) {
        expect(number_of(node) >= gone, "a scan shows no key that was erased before it");
      } else if (number_of(node) < permanent) {
        skip_future();
        expect(at < order_.size() && order_[at].first == node.key(),
               "a scan shows every permanent key");
        ++at;
      }
      stopped = ++seen == count_max;
      return !stopped;
    });
    skip_future();
    expect(stopped || at == order_.size(), "a scan goes on to the last permanent key");
  }

  EpochManager epochs_;
  BTree tree_{epochs_, test::node_base()};
  CuckooTable* table_ = nullptr;
  std::vector<KeyNode*> permanent_nodes_;
  std::vector<KeyNode*> passing_nodes_;
  std::vector<std::pair<std::string, std::uint64_t>> order_;
  std::atomic<std::uint64_t> permanent_{0};
  std::atomic<std::uint64_t> entered_{0};
  std::atomic<std::uint64_t> gone_{0};
  std::atomic<bool> done_{false};
  std::atomic<int> failures_{0};
};

TEST_F(ConcurrentTablesTest, ReadersMissNothingWhileTheTablesGrow) {
  run({.initial_capacity = 1, .permanent_max = 100'000, .passing_max = 20'000});
}

TEST_F(ConcurrentTablesTest, ReadersMissNothingInACuckooTableThatIsNearlyFull) {
  // 512 buckets: 6,144 slots, growth from 5,760 keys on, which these stay just below.
  run({.initial_capacity = 5'000, .permanent_max = 5'100, .passing_max = 650});
}

TEST_F(ConcurrentTablesTest, ReadersMissNothingAmongAFewKeys) {
  run({.initial_capacity = 1, .permanent_max = 60, .passing_max = 90});
}

TEST(CuckooTableConcurrent, ReadersMissNoKeyThatIsBeingDisplaced) {
  // The smallest table at its fullest: 192 slots, growth from 180 keys on. Many insertions
  // displace, and each displacement hits one of the few keys that the readers ask for.
  constexpr std::uint64_t kPermanent = 119;
  constexpr std::uint64_t kPassing = 60;
  EpochManager epochs;
  CuckooTable table(base::SipKey{3, 4}, epochs, test::node_base(), 1);
  const std::size_t bytes = table.memory_bytes();
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; i < kPermanent; ++i) {
    keys.push_back(make_key(Kind::kPermanent, i));
    table.insert(test::create_node(ref_of(keys.back())));
  }
  std::atomic<bool> done{false};
  std::atomic<int> missed{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done.load(std::memory_order_acquire)) {
        const EpochManager::Guard guard = epochs.enter();
        for (const std::string& key : keys) missed += table.find(ref_of(key)) == nullptr ? 1 : 0;
      }
    });
  }
  base::Random random(17);
  std::array<KeyNode*, kPassing> passing{};
  const std::size_t writes = test::operations(10 * kWrites);
  for (std::size_t i = 0; i < writes; ++i) {
    KeyNode*& node = passing[random.below(kPassing)];
    if (node != nullptr) {
      table.erase(node);
      test::retire_node(epochs, node);
      if (i % 64 == 0) epochs.collect();
    }
    node = test::create_node(ref_of(make_key(Kind::kPassing, i)));
    table.insert(node);
  }
  done.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(missed.load(), 0);
  EXPECT_EQ(table.memory_bytes(), bytes) << "the table was to be nearly full all the time";
  table.for_each([&epochs](KeyNode& node) { test::retire_node(epochs, &node); });
}

}  // namespace
}  // namespace synod::core
