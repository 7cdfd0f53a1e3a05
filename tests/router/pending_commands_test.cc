// SPDX-License-Identifier: Apache-2.0
#include "router/pending_commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>

#include "base/random.h"
#include "router/forward_intake.h"

namespace synod::router {
namespace {

using core::OutcomeCode;

constexpr base::Nanos kHold = std::chrono::seconds(5);
constexpr PendingCommands::Patience kPatience{kHold, 2 * kHold};
const core::Outcome kHeld = core::refused(OutcomeCode::kNoQuorum, "nobody leads", 500);

PendingCommands::Command command_of(std::size_t bytes, base::Nanos submitted = base::Nanos(0)) {
  PendingCommands::Command command;
  command.bytes.assign(bytes, 'c');
  command.done = [](const core::Outcome&) {};
  command.submitted = submitted;
  return command;
}

std::vector<std::uint64_t> numbers_of(PendingCommands& pending) {
  std::vector<std::uint64_t> numbers;
  while (const auto next = pending.next()) numbers.push_back(next->number);
  return numbers;
}

TEST(PendingCommands, NumbersGoInTheOrderOfSubmission) {
  PendingCommands pending(1'000);
  for (int i = 0; i < 3; ++i) pending.add(command_of(1));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const auto next = pending.next();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->number, i);
    EXPECT_EQ(next->sequence, i);
  }
  EXPECT_FALSE(pending.next());
}

TEST(PendingCommands, TheWindowBoundsWhatIsHandedOutButNeverStopsOne) {
  PendingCommands pending(10);
  pending.add(command_of(100));
  pending.add(command_of(6));
  EXPECT_EQ(numbers_of(pending), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(pending.on_executed(1, core::Outcome()).size(), 1U);
  pending.add(command_of(6));
  EXPECT_EQ(numbers_of(pending), (std::vector<std::uint64_t>{2}));
}

TEST(PendingCommands, AFencePassedHandsOutAgainWithNewNumbers) {
  PendingCommands pending(1'000);
  for (int i = 0; i < 3; ++i) pending.add(command_of(1));
  EXPECT_EQ(numbers_of(pending).size(), 3U);
  EXPECT_EQ(pending.on_executed(1, core::Outcome()).size(), 1U);
  EXPECT_TRUE(pending.pass_fence().empty());
  const auto next = pending.next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->number, 1U);
  EXPECT_EQ(next->sequence, 2U);
}

TEST(PendingCommands, WhatASkippedPartMayHoldIsUnknownAndNeverHandedOutAgain) {
  PendingCommands pending(1'000);
  pending.add(command_of(1));
  pending.add(command_of(1));
  ASSERT_TRUE(pending.next());
  pending.on_skipped();
  const auto ended = pending.pass_fence();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome.code, OutcomeCode::kOutcomeUnknown);
  const auto next = pending.next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->sequence, 2U);
}

TEST(PendingCommands, TimeEndsWhatWaitsAsRefusedAndWhatIsOutAsUnknown) {
  PendingCommands pending(1);
  pending.add(command_of(1));
  ASSERT_TRUE(pending.next());
  pending.add(command_of(1));
  auto late = command_of(1);
  late.deadline = base::Nanos(1);
  pending.add(std::move(late));
  auto ended = pending.expire(base::Nanos(2), kPatience, kHeld);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome.code, OutcomeCode::kTimeout);
  ended = pending.expire(kHold + base::Nanos(1), kPatience, kHeld);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome.code, OutcomeCode::kNoQuorum);
  ended = pending.expire(2 * kHold + base::Nanos(1), kPatience, kHeld);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome.code, OutcomeCode::kOutcomeUnknown);
  EXPECT_EQ(pending.size(), 0U);
  EXPECT_EQ(pending.bytes(), 0U);
}

TEST(PendingCommands, AnEndedCommandIsStillGivenAgainUntilItArrived) {
  PendingCommands pending(1'000);
  pending.add(command_of(1));
  pending.add(command_of(1));
  EXPECT_EQ(numbers_of(pending).size(), 2U);
  EXPECT_EQ(pending.expire(2 * kHold + base::Nanos(1), kPatience, kHeld).size(), 2U);
  pending.rewind();
  EXPECT_EQ(numbers_of(pending), (std::vector<std::uint64_t>{1, 2}));
}

TEST(PendingCommands, WhatIsPassedInItsOwnBallotWasRefused) {
  PendingCommands pending(1'000);
  pending.add(command_of(1));
  pending.add(command_of(1));
  EXPECT_EQ(numbers_of(pending).size(), 2U);
  const auto ended = pending.on_executed(2, core::Outcome());
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_TRUE(ended[0].outcome.ok());
  EXPECT_EQ(ended[1].outcome.code, OutcomeCode::kBusy);
}

TEST(PendingCommands, WhatDidNotLeaveIsNotInDoubt) {
  PendingCommands pending(1'000);
  pending.add(command_of(1));
  ASSERT_TRUE(pending.next());
  pending.take_back();
  const auto ended = pending.expire(kHold + base::Nanos(1), kPatience, kHeld);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].outcome.code, OutcomeCode::kNoQuorum);
}

TEST(PendingCommands, ARefusalWhoseWordWasLostIsLearnedFromWhatFollows) {
  PendingCommands pending(1'000);
  for (int i = 0; i < 4; ++i) pending.add(command_of(1));
  EXPECT_EQ(numbers_of(pending).size(), 4U);
  EXPECT_TRUE(pending.on_refused(3, core::refused(OutcomeCode::kBusy, "")));
  const auto ended = pending.on_executed(4, core::Outcome());
  ASSERT_EQ(ended.size(), 3U);
  EXPECT_TRUE(ended[0].outcome.ok());
  EXPECT_EQ(ended[1].outcome.code, OutcomeCode::kBusy);
  EXPECT_EQ(ended[2].outcome.code, OutcomeCode::kBusy);
}

TEST(PendingCommands, ANoLongerLeadingOwnerGetsNothingMore) {
  PendingCommands pending(1'000);
  pending.add(command_of(1));
  ASSERT_TRUE(pending.next());
  pending.on_not_leading(1);
  pending.add(command_of(1));
  EXPECT_FALSE(pending.next());
  // It was never proposed: its end is no unknown one.
  const auto ended = pending.expire(kHold + base::Nanos(1), kPatience, kHeld);
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_EQ(ended[0].outcome.code, OutcomeCode::kNoQuorum);
}

/// A submitter, a way that loses, and owners that take over from each other with part of what was
/// proposed: what the log executes.
class Channel {
 public:
  explicit Channel(std::uint64_t seed) : random_(seed) {}

  void live() {
    for (int i = 0; i < 400; ++i) act();
    while (!told_all()) {
      loss_ = 0;
      pending_.rewind();
      send();
      deliver();
      execute(log_.size());
    }
  }

  [[nodiscard]] const std::vector<std::uint64_t>& executed() const { return executed_; }
  [[nodiscard]] bool told_all() const { return pending_.size() == 0; }

 private:
  struct Frame {
    std::uint64_t number = 0;
    std::uint64_t sequence = 0;
    consensus::Ballot ballot;
  };

  void act() {
    switch (random_.below(8)) {
      case 0:
      case 1:
        pending_.add(command_of(1));
        break;
      case 2:
      case 3:
        send();
        break;
      case 4:
      case 5:
        deliver();
        break;
      case 6:
        execute(random_.below(log_.size() + 1));
        break;
      default:
        if (random_.chance(0.5)) {
          pending_.rewind();
        } else if (random_.chance(0.3)) {
          change_owner();
        }
    }
  }

  void send() {
    while (const auto next = pending_.next()) {
      if (random_.chance(loss_)) {
        pending_.take_back();
        return;
      }
      way_.push_back({next->number, next->sequence, ballot_});
    }
  }

  /// Frames of older ballots may still come; a broken connection loses all that are on the way.
  void deliver() {
    if (random_.chance(loss_)) way_.clear();
    while (!way_.empty()) {
      const Frame frame = way_.front();
      way_.pop_front();
      const auto answer = intake_.take(RouterProcess(1), frame.ballot, frame.number);
      if (answer.verdict == ForwardIntake::Verdict::kTake && frame.ballot == ballot_) {
        log_.push_back(frame.sequence);
      } else if (answer.verdict == ForwardIntake::Verdict::kGap && frame.ballot == ballot_) {
        pending_.on_consumed(answer.expected);
        pending_.rewind(answer.expected);
      }
    }
  }

  void execute(std::size_t count) {
    for (; count > 0 && !log_.empty(); --count) {
      executed_.push_back(log_.front());
      (void)pending_.on_executed(log_.front(), core::Outcome());
      log_.erase(log_.begin());
    }
  }

  /// A new owner keeps a prefix of what was proposed; its barrier stands behind it.
  void change_owner() {
    log_.resize(random_.below(log_.size() + 1));
    execute(log_.size());
    ballot_.round = ballot_.round.next();
    EXPECT_TRUE(pending_.pass_fence().empty());
  }

  base::Random random_;
  double loss_ = 0.1;
  consensus::Ballot ballot_{consensus::ConfigId(1), consensus::Round(1), consensus::ReplicaId(1)};
  PendingCommands pending_{8};
  ForwardIntake intake_;
  std::deque<Frame> way_;
  std::vector<std::uint64_t> log_;  ///< Proposed, not executed.
  std::vector<std::uint64_t> executed_;
};

TEST(PendingCommands, WhateverIsLostEachIsExecutedOnceAndInOrder) {
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    Channel channel(seed);
    channel.live();
    const auto& executed = channel.executed();
    EXPECT_TRUE(std::is_sorted(executed.begin(), executed.end())) << "seed " << seed;
    EXPECT_EQ(std::set<std::uint64_t>(executed.begin(), executed.end()).size(), executed.size())
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace synod::router
