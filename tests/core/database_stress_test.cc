// SPDX-License-Identifier: Apache-2.0
// One writer and several readers of the real store: what every version shows must add up.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/core/store.h"
#include "tests/core/test_scale.h"

namespace synod::core {
namespace {

constexpr int kAccounts = 32;
constexpr std::int64_t kTotal = 32'000;
constexpr int kReaders = 3;

std::string account(std::uint64_t number) {
  return "account" + std::string(1, static_cast<char>('A' + number));
}

/// Transfers that keep a total, beside churn of all kinds in the same tables.
class Bank {
 public:
  Bank(base::Nanos snapshot_window, std::uint64_t operations)
      : store_(policy(), options(snapshot_window)), operations_(operations) {
    std::vector<Step> steps;
    for (std::uint64_t i = 0; i < kAccounts; ++i) {
      steps.push_back(set_step(account(i), std::to_string(kTotal / kAccounts)));
    }
    EXPECT_TRUE(store_.commit(std::move(steps)).ok());
    first_ = store_.newest();
  }

  void run() {
    std::vector<std::thread> readers;
    for (std::uint64_t i = 0; i < kReaders; ++i) {
      readers.emplace_back([this, i] { read(base::Random(100 + i)); });
    }
    write(base::Random(99));
    for (auto& reader : readers) reader.join();
    EXPECT_GE(done_.load(), operations_);
    EXPECT_GT(full_reads_.load(), 0U);
    const base::Status tables = store_.database().verify_tables();
    EXPECT_TRUE(tables.ok()) << tables.to_string();
    store_.persist();
    const base::Status rows = store_.database().verify_backend(store_.backend());
    EXPECT_TRUE(rows.ok()) << rows.to_string();
    const StateHash hash = store_.database().hash();
    store_.reopen();
    EXPECT_EQ(store_.database().hash(), hash);
    EXPECT_EQ(total_now(), kTotal);
  }
  [[nodiscard]] std::uint64_t old_reads_answered() const { return old_answered_.load(); }

 private:
  static Policy policy() {
    Policy policy;
    policy.conflict_window_ms = 40;
    policy.sweep_per_operation = 8;
    return policy;
  }
  static DatabaseOptions options(base::Nanos snapshot_window) {
    DatabaseOptions options;
    options.snapshot_window = snapshot_window;
    options.old_bytes_max = 4U << 20;
    return options;
  }

  [[nodiscard]] bool is_over() const {
    return done_.load(std::memory_order_relaxed) >= operations_ &&
           writes_.load(std::memory_order_relaxed) >= operations_ / 8;
  }
  void count() { done_.fetch_add(1, std::memory_order_relaxed); }

  void write(base::Random random) {
    for (; !is_over(); count()) {
      const std::uint64_t number = writes_.fetch_add(1, std::memory_order_relaxed) + 1;
      if (random.chance(0.05)) store_.now_ms += 1;
      const Outcome outcome = store_.run(next_write(random));
      if (!outcome.ok()) ADD_FAILURE() << outcome.message;
      if (number % 4 == 0) {
        store_.database().housekeep(
            std::chrono::microseconds(static_cast<std::int64_t>(20 * number)));
      }
      if (number % 2'000 == 0) store_.persist();
    }
  }

  static KvOperation next_write(base::Random& random) {
    const std::string key = "churn" + std::to_string(random.below(3'000));
    const std::string ns = random.chance(0.5) ? "" : "other";
    switch (random.below(20)) {
      case 0: {
        KvOperation tick;
        tick.kind = OperationKind::kTick;
        return tick;
      }
      case 1: {
        Step clear = step_on(StepKind::kClearRange, key, ns);
        clear.end_key = key + "9";
        return commit_of({clear});
      }
      case 2:
        if (!random.chance(0.01)) return commit_of({});
        return commit_of({step_on(StepKind::kClearNamespace, "", "other")});
      case 3:
      case 4:
        return commit_of({step_on(StepKind::kDelete, key, ns)});
      case 5:
      case 6:
        return commit_of({set_step(key, "short-lived", random.between(1, 30), ns)});
      case 7:
      case 8:
      case 9:
        return commit_of({set_step(key, std::string(random.below(80), 'x'), 0, ns)});
      default: {
        const std::int64_t amount = random.between(-50, 50);
        Step take = step_on(StepKind::kIncrement, account(random.below(kAccounts)));
        Step give = step_on(StepKind::kIncrement, account(random.below(kAccounts)));
        take.number = -amount;
        give.number = amount;
        return commit_of({take, give});
      }
    }
  }

  static RangeReadRequest accounts_at(std::optional<Version> at) {
    RangeReadRequest request;
    request.begin = "account";
    request.end = "accounu";
    request.at = at;
    return request;
  }
  static std::int64_t total_of(const RangeReadReply& reply) {
    std::int64_t total = 0;
    for (const auto& [key, value] : reply.rows) total += std::stoll(value);
    return total;
  }
  [[nodiscard]] std::int64_t total_now() {
    return total_of(store_.core().read_range(accounts_at(std::nullopt)));
  }

  void read(base::Random random) {
    Version newest_seen{0};
    while (!is_over() && !testing::Test::HasFailure()) {
      const Version visible = store_.core().visible_version();
      EXPECT_GE(visible, newest_seen);
      newest_seen = std::max(newest_seen, visible);
      switch (random.below(8)) {
        case 0:
          read_churn_twice(random);
          break;
        case 1:
          read_old(random);
          break;
        case 2:
          read_current(newest_seen);
          break;
        default:
          read_point(random, newest_seen);
      }
    }
  }

  void expect_total(const RangeReadReply& reply) {
    EXPECT_EQ(reply.rows.size(), static_cast<std::size_t>(kAccounts)) << reply.read_at.value();
    EXPECT_EQ(total_of(reply), kTotal) << "at version " << reply.read_at.value();
    full_reads_.fetch_add(1, std::memory_order_relaxed);
    count();
  }

  void read_current(Version& newest_seen) {
    const RangeReadReply reply = store_.core().read_range(accounts_at(std::nullopt));
    ASSERT_EQ(reply.code, OutcomeCode::kOk);
    EXPECT_GE(reply.read_at, newest_seen);
    newest_seen = reply.read_at;
    expect_total(reply);
    const RangeReadReply again = store_.core().read_range(accounts_at(reply.read_at));
    if (again.code == OutcomeCode::kTooOld) return;
    EXPECT_EQ(again.rows, reply.rows) << "at version " << reply.read_at.value();
    count();
  }

  void read_old(base::Random& random) {
    const std::int64_t visible = store_.core().visible_version().value();
    const Version at(visible - static_cast<std::int64_t>(random.below(51)));
    if (at < first_) return;
    const RangeReadReply reply = store_.core().read_range(accounts_at(at));
    if (reply.code == OutcomeCode::kTooOld) {
      EXPECT_TRUE(reply.rows.empty());
      return;
    }
    EXPECT_EQ(reply.read_at, at);
    expect_total(reply);
    if (at.value() < visible) old_answered_.fetch_add(1, std::memory_order_relaxed);
    // A point read of the same version agrees with the range.
    const std::size_t pick = random.below(kAccounts);
    if (pick >= reply.rows.size()) return;
    PointReadRequest request;
    request.key = reply.rows[pick].first;
    request.at = at;
    const PointReadReply point = store_.core().read(request);
    if (point.code == OutcomeCode::kTooOld) return;
    EXPECT_TRUE(point.found);
    EXPECT_EQ(point.value, reply.rows[pick].second);
    EXPECT_LE(point.version, at);
    count();
  }

  void read_churn_twice(base::Random& random) {
    RangeReadRequest request;
    request.ns = random.chance(0.5) ? "" : "other";
    request.begin = "churn" + std::to_string(random.below(3'000));
    request.limit = 50;
    const RangeReadReply first = store_.core().read_range(request);
    ASSERT_EQ(first.code, OutcomeCode::kOk);
    for (std::size_t i = 1; i < first.rows.size(); ++i) {
      ASSERT_LT(first.rows[i - 1].first, first.rows[i].first);
    }
    count();
    request.at = first.read_at;
    const RangeReadReply second = store_.core().read_range(request);
    if (second.code == OutcomeCode::kTooOld) return;
    EXPECT_EQ(second.rows, first.rows) << "at version " << first.read_at.value();
    count();
  }

  void read_point(base::Random& random, Version& newest_seen) {
    PointReadRequest request;
    const bool is_account = random.chance(0.5);
    request.key = is_account ? account(random.below(kAccounts))
                             : "churn" + std::to_string(random.below(3'000));
    const PointReadReply reply = store_.core().read(request);
    ASSERT_EQ(reply.code, OutcomeCode::kOk);
    EXPECT_GE(reply.read_at, newest_seen);
    newest_seen = reply.read_at;
    EXPECT_TRUE(reply.found || !is_account);
    EXPECT_LE(reply.version, reply.read_at);
    count();
    request.at = reply.read_at;
    const PointReadReply again = store_.core().read(request);
    if (again.code == OutcomeCode::kTooOld) return;
    EXPECT_EQ(again.found, reply.found);
    EXPECT_EQ(again.value, reply.value);
    EXPECT_EQ(again.version, reply.version);
    count();
  }

  Store store_;
  const std::uint64_t operations_;
  Version first_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<std::uint64_t> full_reads_{0};
  std::atomic<std::uint64_t> old_answered_{0};
};

TEST(DatabaseStress, EveryVersionAddsUpWithHardlyAnyHistory) {
  Bank bank(base::Nanos(0), test_operations(4'000'000) / 2);
  bank.run();
}

TEST(DatabaseStress, EveryVersionAddsUpWithANormalHistory) {
  Bank bank(std::chrono::seconds(5), test_operations(4'000'000) / 2 + 1);
  bank.run();
  EXPECT_GT(bank.old_reads_answered(), 0U);
}

}  // namespace
}  // namespace synod::core
