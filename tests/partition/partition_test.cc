// SPDX-License-Identifier: Apache-2.0
// Three server processes in network namespaces, cut off from each other in every way, while
// clients write at all of them and read at all of them.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/text.h"
#include "tests/group/ledger.h"
#include "tests/group/process_group.h"
#include "tests/partition/network.h"
#include "tests/partition/watch.h"

namespace synod::partition {
namespace {

using base::Millis;
using group::Seconds;

constexpr std::size_t kWriters = 6;
constexpr int kStepMs = 20;
constexpr Millis kServesWithin{5'000};
constexpr Millis kStallMax{10'000};
constexpr Seconds kHealsWithin{20};

/// How long a fault lasts, `seconds` unless the environment says longer.
Millis fault_time(std::int64_t seconds) {
  const char* text = std::getenv("SYNOD_PARTITION_SECONDS");
  return Millis(1000 * std::max<std::int64_t>(seconds, text != nullptr ? std::atoll(text) : 0));
}

Millis now() { return std::chrono::duration_cast<Millis>(base::SystemClock().boot_time()); }

/// What happened over a stretch of time.
struct Progress {
  std::uint64_t acknowledged = 0;
  Millis stall{0};  ///< The longest time in which nothing was.
};

class Partition : public testing::Test {
 protected:
  void SetUp() override {
    auto network = Network::create();
    ASSERT_TRUE(network.ok()) << network.status().to_string();
    network_ = std::move(*network);
    group_.emplace(options_in(*network_, "partition"));
    const base::Status started = group_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
    watch_.emplace(group_->endpoints());
    watch_->start();
    ledger_.start(group_->endpoints());
    ASSERT_TRUE(ledger_.wait_for(100, 20)) << "no load before any fault";
  }

  void TearDown() override {
    ledger_.stop();
    if (watch_) watch_->stop();
  }

  [[nodiscard]] Network& network() { return *network_; }
  [[nodiscard]] group::ProcessGroup& group() { return *group_; }
  [[nodiscard]] group::Ledger& ledger() { return ledger_; }

  std::size_t leader_now() {
    auto found = group().leader();
    const Millis end = now() + kServesWithin;
    for (; !found && now() < end; ::poll(nullptr, 0, kStepMs)) found = group().leader();
    EXPECT_TRUE(found.has_value()) << "nobody knows a leader";
    return found.value_or(0);
  }
  static std::size_t after(std::size_t node, std::size_t by = 1) { return (node + by) % kNodes; }
  static void must(const base::Status& status) { ASSERT_TRUE(status.ok()) << status.to_string(); }

  /// Looks at the ledger for a while.
  Progress observe(Millis how_long) {
    Progress seen;
    const std::uint64_t first = ledger_.acknowledged();
    std::uint64_t last = first;
    Millis moved = now();
    for (const Millis end = moved + how_long; now() < end; ::poll(nullptr, 0, kStepMs)) {
      if (const std::uint64_t count = ledger_.acknowledged(); count != last) {
        last = count;
        moved = now();
      }
      seen.stall = std::max(seen.stall, now() - moved);
    }
    seen.acknowledged = last - first;
    return seen;
  }

  /// Writes are acknowledged at `nodes` within five seconds from now.
  void expect_serves(const std::vector<std::size_t>& nodes, const char* what) {
    for (const std::size_t node : nodes) {
      const auto time = group().time_to_write(node, Seconds(30));
      ASSERT_TRUE(time.ok()) << time.status().to_string();
      std::printf("%s: node %zu takes writes after %lld ms\n", what, node + 1,
                  static_cast<long long>(time->count()));
      EXPECT_LE(*time, kServesWithin) << what;
    }
  }

  [[nodiscard]] std::int64_t number_of(std::size_t node, const std::string& name) {
    return std::atoll(group().status_of(node, name).c_str());
  }

  /// Takes a snapshot at the node and waits until its log begins behind `slot`.
  void expect_log_cut_behind(std::size_t node, std::int64_t slot) {
    const suite::Finished taken = group().ctl(node, {"snapshot"});
    ASSERT_EQ(taken.code, 0) << taken.output;
    const Millis end = now() + kHealsWithin;
    while (number_of(node, "log_base") <= slot && now() < end) ::poll(nullptr, 0, kStepMs);
    EXPECT_GT(number_of(node, "log_base"), slot) << "the log of node " << node + 1;
  }

  void forget_reads() {
    for (std::size_t node = 0; node < kNodes; ++node) {
      (void)watch_->take_linearizable(node);
      (void)watch_->take_local(node);
    }
  }

  /// Since forget_reads() nothing but clear refusals to read what must be current, local answers.
  void expect_refuses_reads(std::size_t node) {
    const ReadCounts linearizable = watch_->take_linearizable(node);
    const ReadCounts local = watch_->take_local(node);
    std::printf("node %zu, cut off: linearizable %s; local %s\n", node + 1,
                linearizable.to_string().c_str(), local.to_string().c_str());
    EXPECT_EQ(linearizable.answered, 0U);
    EXPECT_GT(linearizable.failures(), 0U);
    for (const auto& [code, count] : linearizable.failed) {
      EXPECT_TRUE(code == "NO_QUORUM" || code == "NOT_LEADER" || code == "BUSY" ||
                  code == "TIMEOUT")
          << count << " reads failed with " << code;
    }
    // Local answers are old here, which shows that the watch can tell.
    EXPECT_GT(local.old, 0U);
    EXPECT_EQ(local.failures(), 0U);
  }

  /// Heals, and has every node serve, all replicas equal and the ledger balanced.
  void expect_converges(const char* what) {
    const Millis healed = now();
    must(network().heal());
    for (std::size_t node = 0; node < kNodes; ++node) {
      must(group().time_to_write(node, kHealsWithin).status());
    }
    const auto served = static_cast<long long>((now() - healed).count());
    ledger_.stop();
    must(group().wait_for_equal_replicas(Seconds(30)));
    std::printf("%s: healed; all serve after %lld ms; %zu acknowledged, %zu others\n", what, served,
                static_cast<std::size_t>(ledger_.acknowledged()), ledger_.take_failures().size());
    auto client = client::Client::connect(group().endpoints());
    must(client.status());
    must(ledger_.check(*client, true));
    expect_no_violation();
  }

  void expect_no_violation() {
    for (const std::string& violation : watch_->violations()) ADD_FAILURE() << violation;
  }

 private:
  std::unique_ptr<Network> network_;  // before the group: its processes live in it
  std::optional<group::ProcessGroup> group_;
  std::optional<Watch> watch_;
  group::Ledger ledger_{kWriters};
};

TEST_F(Partition, AnIsolatedLeaderIsReplacedAndAnswersNothing) {
  const std::size_t old = leader_now();
  must(network().isolate(old));
  expect_serves({after(old), after(old, 2)}, "leader isolated");
  forget_reads();
  observe(fault_time(4));
  expect_refuses_reads(old);
  EXPECT_NE(group().leader(old), old);
  expect_converges("leader isolated");
}

TEST_F(Partition, ALeaderThatHearsNothingIsReplaced) {
  const std::size_t old = leader_now();
  for (const std::size_t other : {after(old), after(old, 2)}) must(network().cut(other, old));
  expect_serves({after(old), after(old, 2)}, "leader deaf");
  forget_reads();
  observe(fault_time(4));
  expect_refuses_reads(old);
  expect_converges("leader deaf");
}

TEST_F(Partition, ALeaderThatNobodyHearsIsReplaced) {
  const std::size_t old = leader_now();
  for (const std::size_t other : {after(old), after(old, 2)}) must(network().cut(old, other));
  expect_serves({after(old), after(old, 2)}, "leader mute");
  forget_reads();
  observe(fault_time(4));
  expect_refuses_reads(old);
  expect_converges("leader mute");
}

TEST_F(Partition, AnIsolatedFollowerIsMissedByNobodyAndAnswersNothing) {
  const std::size_t leader = leader_now();
  const std::size_t cut_off = after(leader);
  must(network().isolate(cut_off));
  expect_serves({leader, after(leader, 2)}, "follower isolated");
  observe(Millis(500));  // a read that was under way may still have been answered
  forget_reads();
  const Progress seen = observe(fault_time(4));
  expect_refuses_reads(cut_off);
  const std::int64_t executed = number_of(cut_off, "group_applied_index");
  expect_log_cut_behind(leader, executed);
  expect_log_cut_behind(after(leader, 2), executed);
  EXPECT_LE(seen.stall, kServesWithin);
  EXPECT_GT(seen.acknowledged, 0U);
  EXPECT_EQ(group().leader(cut_off), leader);
  expect_converges("follower isolated");
  EXPECT_GT(number_of(cut_off, "log_base"), executed) << "it did not come back by an image";
}

TEST_F(Partition, AFollowerThatComesBackDoesNotDeposeALeader) {
  for (const std::size_t distance : {1U, 2U}) {
    const std::size_t follower = after(leader_now(), distance);
    must(network().isolate(follower));
    const Progress alone = observe(fault_time(4));  // many times the election timeout
    // Who leads just before it comes back: a machine that stood still may have ended a lead.
    const auto leader = group().leader(follower);
    ASSERT_TRUE(leader.has_value());
    const std::string ballot = group().status_of(*leader, "ballot");
    ASSERT_FALSE(ballot.empty());
    must(network().heal());
    const auto back = group().time_to_write(follower, kHealsWithin);
    must(back.status());
    const Progress together = observe(Millis(1'500));
    std::printf("follower %zu away: stall %lld ms; back after %lld ms, stall %lld ms\n",
                follower + 1, static_cast<long long>(alone.stall.count()),
                static_cast<long long>(back->count()),
                static_cast<long long>(together.stall.count()));
    EXPECT_GT(together.acknowledged, 0U);
    EXPECT_EQ(group().status_of(*leader, "ballot"), ballot);
    EXPECT_EQ(group().leader(), leader);
  }
  expect_converges("pre-vote");
}

TEST_F(Partition, AOneWayCutBetweenAnyTwoIsSurvived) {
  for (std::size_t from = 0; from < kNodes; ++from) {
    for (const std::size_t to : {after(from), after(from, 2)}) {
      const std::size_t leader = leader_now();
      const std::string what =
          base::concat("leader ", leader + 1, ", cut from ", from + 1, " to ", to + 1);
      must(network().cut(from, to));
      const Progress seen = observe(fault_time(6));
      std::printf("%s: %zu acknowledged, longest stall %lld ms\n", what.c_str(),
                  static_cast<std::size_t>(seen.acknowledged),
                  static_cast<long long>(seen.stall.count()));
      EXPECT_LE(seen.stall, kServesWithin) << what;
      must(network().heal());
      for (std::size_t node = 0; node < kNodes; ++node) {
        must(group().time_to_write(node, kHealsWithin).status().with_context(what + ": "));
      }
    }
  }
  expect_converges("one-way cuts");
}

TEST_F(Partition, TwoThatCannotTalkDoNotStopTheThird) {
  for (std::size_t third = 0; third < kNodes; ++third) {
    const std::size_t leader = leader_now();
    const std::string what = base::concat("leader ", leader + 1, ", no word between ",
                                          after(third) + 1, " and ", after(third, 2) + 1);
    must(network().cut_both(after(third), after(third, 2)));
    const Progress seen = observe(fault_time(11));
    std::printf("%s: %zu acknowledged, longest stall %lld ms\n", what.c_str(),
                static_cast<std::size_t>(seen.acknowledged),
                static_cast<long long>(seen.stall.count()));
    EXPECT_LE(seen.stall, kStallMax) << what;
    must(network().heal());
    for (std::size_t node = 0; node < kNodes; ++node) {
      must(group().time_to_write(node, kHealsWithin).status().with_context(what + ": "));
    }
  }
  expect_converges("partial partitions");
}

TEST_F(Partition, AFlappingNetworkLosesNothing) {
  Progress all;
  std::size_t cuts = 0;
  for (const Millis end = now() + fault_time(15); now() < end; ++cuts) {
    // By turns whoever leads, and each of the nodes.
    const auto leader = cuts % 2 == 0 ? group().leader() : std::optional(cuts / 2 % kNodes);
    must(network().isolate(leader.value_or(0)));
    const Progress away = observe(Millis(1'000));
    must(network().heal());
    const Progress back = observe(Millis(1'000));
    all.acknowledged += away.acknowledged + back.acknowledged;
    all.stall = std::max({all.stall, away.stall, back.stall});
  }
  std::printf("flapping: %zu cuts, %zu acknowledged, longest stall within a second %lld ms\n", cuts,
              static_cast<std::size_t>(all.acknowledged),
              static_cast<long long>(all.stall.count()));
  EXPECT_GT(all.acknowledged, 0U);
  expect_converges("flapping");
}

TEST_F(Partition, LossOfPacketsLosesNothing) {
  for (const unsigned percent : {10U, 30U}) {
    must(network().lose(percent));
    const Progress seen = observe(fault_time(10));
    std::printf("%u %% loss: %zu acknowledged, longest stall %lld ms\n", percent,
                static_cast<std::size_t>(seen.acknowledged),
                static_cast<long long>(seen.stall.count()));
    // At 30 % most answers of TCP come too late for the election timeout: nothing is promised.
    if (percent <= 10) {
      EXPECT_LE(seen.stall, kStallMax);
    }
  }
  expect_converges("loss");
}

}  // namespace
}  // namespace synod::partition
