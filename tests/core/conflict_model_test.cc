// SPDX-License-Identifier: Apache-2.0
// The verdict of each transaction, predicted by the least clever model there is: a list of all
// writes, the clock of every version, and nothing shared with the code under test.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/core/store.h"
#include "tests/core/test_scale.h"

namespace synod::core {
namespace {

constexpr std::array<const char*, 3> kNames{"", "a", "b"};
constexpr int kHotKeys = 50;      ///< Written all the time.
constexpr int kColdKeys = 1'500;  ///< Written rarely, read in long ranges.
constexpr std::int64_t kWindowMs = 1'000;

std::string key_name(int key) {
  std::string digits = std::to_string(key);
  digits.insert(0, 4 - digits.size(), '0');
  return (key < kHotKeys ? "hot" : "kept-by-few") + digits;
}

enum class Verdict { kCommit, kRead, kTooOld, kFuture };

/// Every write there ever was.
class WriteList {
 public:
  struct Write {
    std::int64_t version;
    int ns;
    int key;
    std::int64_t expiry;  ///< 0: none. Deletes have none.
  };

  WriteList() : newest_write_(kNames.size() * (kHotKeys + kColdKeys), Write{0, 0, 0, 0}) {}

  [[nodiscard]] std::int64_t newest() const {
    return static_cast<std::int64_t>(clocks_.size()) - 1;
  }
  [[nodiscard]] std::int64_t clock() const { return clocks_.back(); }
  [[nodiscard]] std::int64_t floor() const { return floor_; }
  [[nodiscard]] std::size_t writes() const { return writes_.size(); }

  /// A version at `clock`; the writes of it follow.
  std::int64_t take_version(std::int64_t clock) {
    clocks_.push_back(std::max(clock, clocks_.back()));
    while (floor_ < newest() &&
           clocks_[static_cast<std::size_t>(floor_) + 1] <= clocks_.back() - kWindowMs) {
      ++floor_;
    }
    return newest();
  }
  void write(int ns, int key, std::int64_t expiry) {
    writes_.push_back({newest(), ns, key, expiry});
    newest_write_[slot(ns, key)] = writes_.back();
  }
  void clear(int ns) {
    cleared_[static_cast<std::size_t>(ns)] = newest();
    for (int key = 0; key < kHotKeys + kColdKeys; ++key) {
      newest_write_[slot(ns, key)] = Write{newest(), ns, key, 0};
    }
  }

  /// Whether a key in [begin, end) of `ns` changed for a reader of `at` who commits at `now`.
  [[nodiscard]] bool changed(int ns, int begin, int end, std::int64_t at, std::int64_t now) const {
    if (cleared_[static_cast<std::size_t>(ns)] > at) return true;
    for (auto write = writes_.rbegin(); write != writes_.rend() && write->version > at; ++write) {
      if (write->ns == ns && write->key >= begin && write->key < end) return true;
    }
    const std::int64_t then = clocks_[static_cast<std::size_t>(at)];
    if (then == now) return false;
    for (int key = begin; key < end; ++key) {
      const std::int64_t expiry = newest_write_[slot(ns, key)].expiry;
      if (expiry > then && expiry <= now) return true;
    }
    return false;
  }

 private:
  static std::size_t slot(int ns, int key) {
    return static_cast<std::size_t>(ns * (kHotKeys + kColdKeys) + key);
  }

  std::vector<Write> writes_;
  std::vector<Write> newest_write_;
  std::vector<std::int64_t> clocks_{0};
  std::array<std::int64_t, kNames.size()> cleared_{};
  std::int64_t floor_ = 0;
};

/// Random transactions into a store and the list.
class ConflictModel {
 public:
  ConflictModel(std::uint64_t seed, bool with_restarts)
      : random_(seed), with_restarts_(with_restarts), store_(policy()) {
    list_.take_version(store_.now_ms);  // The policy took the first version.
  }

  void run(std::uint64_t transactions) {
    for (std::uint64_t i = 0; i < transactions && !testing::Test::HasFatalFailure(); ++i) {
      if (random_.chance(0.02)) store_.now_ms += random_.between(1, 3);
      if (random_.chance(0.00001)) store_.now_ms += 2 * kWindowMs;
      step(i);
      if (i % 256 == 0) store_.database().housekeep(std::chrono::milliseconds(i));
      if (i % 65'536 == 65'535) store_.persist();
      if (with_restarts_ && random_.chance(0.0001)) store_.reopen();
    }
  }
  [[nodiscard]] std::uint64_t seen(Verdict verdict) const {
    return seen_[static_cast<std::size_t>(verdict)];
  }

 private:
  static Policy policy() {
    Policy policy;
    policy.conflict_window_ms = kWindowMs;
    policy.sweep_per_operation = 1;  // Expired keys wait long for their sweep.
    policy.sweep_per_tick = 3;
    return policy;
  }

  int any_ns() { return static_cast<int>(random_.below(kNames.size())); }
  int any_key() {
    return random_.chance(0.9) ? static_cast<int>(random_.below(kHotKeys))
                               : kHotKeys + static_cast<int>(random_.below(kColdKeys));
  }

  std::int64_t any_read_version() {
    const std::int64_t newest = list_.newest();
    if (random_.chance(0.01)) return newest + random_.between(1, 3);
    if (random_.chance(0.01)) return -random_.between(0, 2);
    if (random_.chance(0.01)) return list_.floor() + random_.between(-3, 3);
    if (random_.chance(0.003)) return random_.between(list_.floor(), newest);
    return newest - static_cast<std::int64_t>(random_.below(random_.chance(0.5) ? 4 : 40));
  }

  void add_reads(KvOperation& operation, bool& changed) {
    const std::int64_t at = operation.read_version;
    const bool known = at > 0 && at <= list_.newest() && at >= list_.floor();
    const std::int64_t now = std::max(store_.now_ms, list_.clock());
    for (std::uint64_t i = random_.below(3); i > 0; --i) {
      const int key = any_key();
      const bool everywhere = random_.chance(0.2);
      const int ns = any_ns();
      ReadConflictKey read;
      read.key = key_name(key);
      if (!everywhere) read.ns = kNames[static_cast<std::size_t>(ns)];
      for (int other = 0; known && other < static_cast<int>(kNames.size()); ++other) {
        if (!everywhere && other != ns) continue;
        changed = changed || list_.changed(other, key, key + 1, at, now);
      }
      operation.read_keys.push_back(std::move(read));
    }
    for (std::uint64_t i = random_.below(3); i > 0; --i) {
      const int ns = any_ns();
      int begin = any_key();
      int end = kHotKeys + kColdKeys;
      ReadConflictRange range;
      if (random_.chance(0.2)) begin = kHotKeys;  // Long: cheaper to look at the recent writes.
      range.begin = key_name(begin);
      if (random_.chance(0.8)) {
        end = random_.chance(0.5) ? begin + static_cast<int>(random_.below(4)) : any_key();
        range.end = key_name(end);
      }
      range.ns = kNames[static_cast<std::size_t>(ns)];
      changed = changed || (known && list_.changed(ns, begin, end, at, now));
      operation.read_ranges.push_back(std::move(range));
    }
  }

  Verdict predict(const KvOperation& operation, bool changed) const {
    if (!operation.has_read_set()) return Verdict::kCommit;
    if (operation.read_version <= 0 || operation.read_version > list_.newest()) {
      return Verdict::kFuture;
    }
    if (operation.read_version < list_.floor()) return Verdict::kTooOld;
    return changed ? Verdict::kRead : Verdict::kCommit;
  }

  void add_writes(KvOperation& operation) {
    if (random_.chance(0.0002)) {
      operation.steps.push_back(
          step_on(StepKind::kClearNamespace, "", kNames[1 + random_.below(2)]));
      return;
    }
    for (std::uint64_t i = random_.below(4); i > 0; --i) {
      const std::string ns = kNames[static_cast<std::size_t>(any_ns())];
      const std::string key = key_name(any_key());
      if (random_.chance(0.3)) {
        operation.steps.push_back(step_on(StepKind::kDelete, key, ns));
      } else {
        const std::int64_t ttl = random_.chance(0.3) ? random_.between(1, 12) : 0;
        operation.steps.push_back(set_step(key, "v", ttl, ns));
      }
    }
  }

  void apply(const KvOperation& operation) {
    (void)list_.take_version(store_.now_ms);
    for (const Step& step : operation.steps) {
      const auto ns =
          static_cast<int>(std::find(kNames.begin(), kNames.end(), step.ns) - kNames.begin());
      if (step.kind == StepKind::kClearNamespace) {
        if (exists_[static_cast<std::size_t>(ns)]) list_.clear(ns);
        continue;
      }
      auto& exists = exists_[static_cast<std::size_t>(ns)];
      if (step.kind == StepKind::kDelete && !exists) continue;  // Nothing is written there.
      exists = true;
      const int key = std::stoi(step.key.substr(step.key.size() - 4));
      list_.write(ns, key, step.ttl_ms > 0 ? list_.clock() + step.ttl_ms : 0);
    }
  }

  void step(std::uint64_t number) {
    if (random_.chance(0.001)) {
      ASSERT_TRUE(store_.tick(0).ok());
      (void)list_.take_version(store_.now_ms);
      return;
    }
    KvOperation operation;
    operation.read_version = any_read_version();
    bool changed = false;
    if (random_.chance(0.7)) add_reads(operation, changed);
    add_writes(operation);
    const Verdict expected = predict(operation, changed);
    const std::int64_t at = operation.read_version;
    const Outcome outcome = store_.run(operation);
    ++seen_[static_cast<std::size_t>(expected)];
    if (expected != Verdict::kCommit && expected != Verdict::kRead) {
      ASSERT_EQ(outcome.code, OutcomeCode::kConflict) << number;
    }
    ASSERT_EQ(verdict_of(outcome), expected)
        << "transaction " << number << " at " << at << " of " << list_.newest() << ", floor "
        << list_.floor() << ": " << outcome.message;
    if (expected != Verdict::kCommit) return;
    apply(operation);
    ASSERT_EQ(store_.database().state().conflict_floor().value(), list_.floor()) << number;
    ASSERT_EQ(outcome.version.value(), list_.newest());
  }

  static Verdict verdict_of(const Outcome& outcome) {
    if (outcome.ok()) return Verdict::kCommit;
    EXPECT_EQ(outcome.code, OutcomeCode::kConflict) << outcome.message;
    if (outcome.detail == ConflictDetail::kTooOld) return Verdict::kTooOld;
    if (outcome.detail == ConflictDetail::kFuture) return Verdict::kFuture;
    return Verdict::kRead;
  }

  base::Random random_;
  const bool with_restarts_;
  Store store_;
  WriteList list_;
  std::array<bool, kNames.size()> exists_{true, false, false};
  std::array<std::uint64_t, 4> seen_{};
};

void expect_all_verdicts(const ConflictModel& model, std::uint64_t transactions) {
  EXPECT_GT(model.seen(Verdict::kCommit), transactions / 10);
  EXPECT_GT(model.seen(Verdict::kRead), transactions / 10);
  EXPECT_GT(model.seen(Verdict::kFuture), transactions / 1'000);
  if (transactions < 300'000) return;
  EXPECT_GT(model.seen(Verdict::kTooOld), transactions / 10'000);
}

TEST(ConflictModel, PredictsEveryVerdict) {
  const std::uint64_t transactions = test_operations(700'000);
  ConflictModel model(1, false);
  model.run(transactions);
  expect_all_verdicts(model, transactions);
}

TEST(ConflictModel, PredictsEveryVerdictAcrossRestarts) {
  const std::uint64_t transactions = test_operations(400'000);
  ConflictModel model(2, true);
  model.run(transactions);
  expect_all_verdicts(model, transactions);
}

TEST(ConflictModel, ReadersOlderThanTheRingGetTheSameVerdict) {
  Store store;
  ASSERT_TRUE(store.commit({set_step("cold", "v"), set_step("warm", "v")}).ok());
  const std::int64_t before = store.newest().value();
  ASSERT_TRUE(store.commit({set_step("warm", "v")}).ok());
  for (int i = 0; i < 70'000; ++i) {
    ASSERT_TRUE(store.commit({set_step("hot" + std::to_string(i % 500), "v")}).ok());
  }
  const auto reads = [&](std::int64_t at, const char* begin, const char* end) {
    KvOperation operation;
    operation.read_version = at;
    operation.read_ranges.push_back({"", begin, end});
    return store.run(std::move(operation)).detail;
  };
  EXPECT_EQ(reads(before, "cold", "cole"), ConflictDetail::kNone);
  EXPECT_EQ(reads(before, "warm", ""), ConflictDetail::kRead);
  EXPECT_EQ(reads(before + 1, "warm", ""), ConflictDetail::kNone);
  EXPECT_EQ(reads(before, "", ""), ConflictDetail::kRead);
  EXPECT_EQ(reads(store.newest().value() - 1, "", ""), ConflictDetail::kNone)
      << "the commits above wrote nothing";
}

}  // namespace
}  // namespace synod::core
