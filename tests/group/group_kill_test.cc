// SPDX-License-Identifier: Apache-2.0
// Three real servers, killed with SIGKILL under load, alone and together, with a ledger of what
// they acknowledged kept in this process.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/group/figures.h"
#include "tests/group/ledger.h"
#include "tests/group/process_group.h"

namespace synod::group {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Millis = std::chrono::milliseconds;

constexpr std::size_t kWriters = 2 * kNodes;
constexpr int kVerifyEvery = 10;
constexpr std::uint64_t kLongAway = 3'500;  ///< Acknowledged writes after which logs were cut.
constexpr Seconds kPatience{30};            ///< Longer than any limit that is asserted.

enum class Fault : std::uint8_t { kAny, kLeader, kAgain, kTwo, kAll };
constexpr std::array<Fault, 10> kFaults = {
    Fault::kAny,   Fault::kAny,   Fault::kAny, Fault::kLeader, Fault::kLeader,
    Fault::kAgain, Fault::kAgain, Fault::kTwo, Fault::kAll,    Fault::kAll};

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::kAny:
      return "any node";
    case Fault::kLeader:
      return "the leader";
    case Fault::kAgain:
      return "one, again while it starts";
    case Fault::kTwo:
      return "two at once";
    case Fault::kAll:
      return "all three at once";
  }
  return "?";
}

class GroupKill : public ::testing::Test {
 protected:
  void begin(const char* name) {
    std::printf("[   KILL   ] seed %d\n", seed_);
    GroupOptions options;
    options.name = name;
    options.settings = small_logs();
    group_.emplace(std::move(options));
    const base::Status started = group_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
  }

  std::size_t leader() {
    const auto found = group_->leader();
    return found ? *found : random_.below(kNodes);
  }

  std::vector<std::size_t> shuffled() {
    std::vector<std::size_t> nodes = {0, 1, 2};
    for (std::size_t i = kNodes; i > 1; --i) std::swap(nodes[i - 1], nodes[random_.below(i)]);
    return nodes;
  }

  std::vector<std::size_t> choose(Fault fault) {
    std::vector<std::size_t> victims = shuffled();
    if (fault == Fault::kLeader) return {leader()};
    if (fault == Fault::kTwo) victims.resize(2);
    if (fault == Fault::kAny || fault == Fault::kAgain) victims.resize(1);
    return victims;
  }

  void kill_at_once(const std::vector<std::size_t>& victims) {
    for (const std::size_t victim : victims) group_->signal(victim, SIGKILL);
    for (const std::size_t victim : victims) group_->kill(victim);
  }

  void launch(std::size_t node) {
    const base::Status launched = group_->launch(node);
    ASSERT_TRUE(launched.ok()) << launched.to_string();
  }

  /// Waits for a write at `node`; the time since `begun` goes to `figures`.
  void measure(std::size_t node, SteadyClock::time_point begun, Figures& figures) {
    const auto written = group_->time_to_write(node, kPatience);
    ASSERT_TRUE(written.ok()) << written.status().to_string();
    figures.add(std::chrono::duration_cast<Millis>(SteadyClock::now() - begun));
  }

  void wait_for(std::uint64_t writes) {
    ASSERT_TRUE(ledger_.wait_for(writes, 30)) << "the group does not go on";
  }

  // GoogleTest: ASSERT in a helper ends the helper alone.
#define STEP(call) \
  call;            \
  if (HasFatalFailure()) return

  void kill_one(Fault fault, std::size_t victim) {
    const auto begun = SteadyClock::now();
    kill_at_once({victim});
    const std::size_t survivor = (victim + 1 + random_.below(2)) % kNodes;
    STEP(measure(survivor, begun, back_[fault]));
    STEP(wait_for(random_.chance(0.12) ? kLongAway : 1 + random_.below(150)));
    STEP(launch(victim));
    for (auto more = fault == Fault::kAgain ? 1 + random_.below(3) : 0; more > 0; --more) {
      STEP(wait_for(random_.below(100)));
      group_->kill(victim);
      STEP(launch(victim));
    }
    measure(victim, SteadyClock::now(), rejoined_);
  }

  void kill_majority(Fault fault, const std::vector<std::size_t>& victims) {
    kill_at_once(victims);
    std::size_t running = kNodes - victims.size();
    const bool last_comes_late = random_.chance(0.5);
    SteadyClock::time_point begun;
    for (const std::size_t victim : victims) {
      // The clock runs from the start of the process that makes a majority possible.
      if (running == 1) begun = SteadyClock::now();
      STEP(launch(victim));
      if (++running == 2 && last_comes_late) {
        STEP(measure(victim, begun, back_[fault]));
        STEP(wait_for(1 + random_.below(100)));
      }
    }
    if (!last_comes_late) {
      STEP(measure(victims[random_.below(victims.size())], begun, back_[fault]));
    }
    for (const std::size_t victim : victims) {
      const base::Status ready = group_->wait_for_port(victim);
      ASSERT_TRUE(ready.ok()) << ready.to_string();
    }
  }

  void round(int number) {
    ledger_.start(group_->endpoints());
    STEP(wait_for(1 + random_.below(120)));
    const Fault fault = kFaults[random_.below(kFaults.size())];
    const auto victims = choose(fault);
    SCOPED_TRACE(base::concat("round ", number, ", killed: ", name_of(fault), ", node ",
                              victims.front() + 1));
    if (victims.size() == 1) {
      STEP(kill_one(fault, victims.front()));
    } else {
      STEP(kill_majority(fault, victims));
    }
    STEP(wait_for(20));
    ledger_.stop();
    note_failures(victims);
    note_images();
    check(number % kVerifyEvery == 0);
  }

  /// Who is connected to a node that lives, while a majority does, does not notice.
  void note_failures(const std::vector<std::size_t>& victims) {
    for (std::size_t writer = 0; writer < kWriters; ++writer) {
      const auto failures = ledger_.take_failures(writer);
      const std::size_t node = writer % kNodes;
      if (std::find(victims.begin(), victims.end(), node) != victims.end()) {
        failures_of_killed_ += failures.size();
        continue;
      }
      failures_of_survivors_[victims.size()] += failures.size();
      if (victims.size() > 1) continue;
      for (const std::string& failure : failures) {
        ADD_FAILURE() << "writer at node " << node + 1 << ", which lives: " << failure;
      }
    }
  }

  /// The folder with the data has another name after each image that was installed.
  void note_images() {
    for (std::size_t node = 0; node < kNodes; ++node) {
      for (const auto& entry : std::filesystem::directory_iterator(group_->data_of(node))) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("image-")) images_.insert(name);
      }
    }
  }

  void check(bool everything) {
    const std::size_t node = random_.below(kNodes);
    auto client = client::Client::connect({group_->endpoint(node)});
    ASSERT_TRUE(client.ok()) << client.status().to_string();
    const base::Status checked = ledger_.check(*client, everything);
    ASSERT_TRUE(checked.ok()) << "at node " << node + 1 << ": " << checked.to_string();
    if (!everything) return;
    const base::Status equal = group_->wait_for_equal_replicas(kPatience);
    ASSERT_TRUE(equal.ok()) << equal.to_string();
  }

  const int seed_ = number_from("SYNOD_GROUP_SEED", 20'261'121);
  base::Random random_{static_cast<std::uint64_t>(seed_)};
  std::optional<ProcessGroup> group_;
  Ledger ledger_{kWriters};
  std::map<Fault, Figures> back_;  ///< From the kill, or from the second node's start, to a write.
  Figures rejoined_;               ///< From the last start of the killed node to a write there.
  std::size_t failures_of_killed_ = 0;
  std::array<std::size_t, kNodes + 1> failures_of_survivors_{};  ///< By the number of victims.
  std::set<std::string> images_;
};

TEST_F(GroupKill, LosesNothingAcknowledgedWhoeverIsKilled) {
  const int rounds = number_from("SYNOD_GROUP_KILL_ROUNDS", 50);
  STEP(begin("group-kill"));
  for (int number = 1; number <= rounds; ++number) {
    STEP(round(number));
  }
  STEP(check(true));
  Figures all;
  for (const auto& [fault, figures] : back_) {
    std::printf("[   KILL   ] %-26s served again: %s\n", name_of(fault), figures.text().c_str());
    EXPECT_LE(figures.max(), Seconds(5));
  }
  std::printf("[   KILL   ] rejoined: %s; images installed: at least %zu\n",
              rejoined_.text().c_str(), images_.size());
  std::printf(
      "[   KILL   ] %d rounds, %llu acknowledged transactions, none lost; failures at "
      "writers: %zu of survivors of one kill, %zu of survivors of two, %zu of the killed\n",
      rounds, static_cast<unsigned long long>(ledger_.acknowledged()), failures_of_survivors_[1],
      failures_of_survivors_[2], failures_of_killed_);
  if (rounds >= 50) {
    EXPECT_GE(images_.size(), 1U) << "nobody had to be brought back by an image";
  }
}

TEST_F(GroupKill, ANewLeaderAcknowledgesWithinASecond) {
  const int rounds = number_from("SYNOD_GROUP_LEADER_KILLS", 20);
  STEP(begin("group-leader"));
  Figures figures;
  for (int number = 1; number <= rounds; ++number) {
    ledger_.start(group_->endpoints());
    STEP(wait_for(1 + random_.below(50)));
    const std::size_t victim = leader();
    const std::size_t survivor = (victim + 1 + random_.below(2)) % kNodes;
    const auto begun = SteadyClock::now();
    kill_at_once({victim});
    STEP(measure(survivor, begun, figures));
    STEP(launch(victim));
    STEP(measure(victim, SteadyClock::now(), rejoined_));
    ledger_.stop();
    note_failures({victim});
  }
  STEP(check(true));
  std::printf("[   KILL   ] leader killed, a survivor acknowledges: %s\n", figures.text().c_str());
  std::printf("[   KILL   ] the old leader serves again: %s\n", rejoined_.text().c_str());
  EXPECT_LE(figures.median(), Millis(1'000));
}

TEST_F(GroupKill, AllThreeServeWithinTenSecondsInWhateverOrderTheyStart) {
  STEP(begin("group-orders"));
  std::array<std::size_t, kNodes> order = {0, 1, 2};
  Figures figures;
  do {
    SCOPED_TRACE(base::concat("order ", order[0] + 1, order[1] + 1, order[2] + 1));
    ledger_.start(group_->endpoints());
    STEP(wait_for(1 + random_.below(120)));
    kill_at_once({0, 1, 2});
    const auto begun = SteadyClock::now();
    for (const std::size_t node : order) {
      STEP(launch(node));
      const base::Status ready = group_->wait_for_port(node);
      ASSERT_TRUE(ready.ok()) << ready.to_string();
    }
    STEP(measure(order[random_.below(kNodes)], begun, figures));
    ledger_.stop();
    STEP(check(true));
  } while (std::next_permutation(order.begin(), order.end()));
  std::printf("[   KILL   ] all killed and started, served after: %s\n", figures.text().c_str());
  EXPECT_EQ(figures.size(), 6U);
  EXPECT_LE(figures.max(), Seconds(10));
}

#undef STEP

}  // namespace
}  // namespace synod::group
