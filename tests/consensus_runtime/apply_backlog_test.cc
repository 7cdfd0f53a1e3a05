// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/apply_backlog.h"

#include <gtest/gtest.h>

#include <variant>

namespace synod::consensus {
namespace {

const Ballot kBallot{ConfigId(1), Round(1), ReplicaId(1)};

Entry command(std::size_t bytes) {
  return make_entry(kBallot, EntryKind::kCommand, base::Bytes(bytes - Entry::kOverhead, 'x'));
}

/// An acceptor with slots 1 to `last` of 100 bytes, accepted and not decided.
Acceptor acceptor_with(std::uint64_t last) {
  RecoveredState state;
  Configuration first;
  first.id = ConfigId(1);
  first.first = Slot(1);
  first.voters = {Member{ReplicaId(1), Incarnation(1)}, Member{ReplicaId(2), Incarnation(2)}};
  state.chain.configurations = {first};
  state.promised = kBallot;
  Acceptor acceptor(state);
  Accept accept{kBallot, Slot(1), {}, Slot(), ReadSequence()};
  for (std::uint64_t i = 0; i < last; ++i) accept.entries.push_back(command(100));
  EXPECT_EQ(acceptor.accept(accept), Acceptor::Verdict::kTaken);
  return acceptor;
}

class ApplyBacklogTest : public ::testing::Test {
 protected:
  void hand_over(std::uint64_t first, std::uint64_t last) {
    std::vector<Delivery> deliveries;
    for (std::uint64_t slot = first; slot <= last; ++slot) {
      deliveries.push_back(Delivery{Slot(slot), command(100), false});
    }
    backlog_.on_handed_over(deliveries);
  }
  /// What is left of an Accept of these slots, at a log that ends with slot 10.
  Accept limited(std::uint64_t first, std::uint64_t last) {
    Accept accept{kBallot, Slot(first), {}, Slot(9), ReadSequence(3)};
    for (std::uint64_t slot = first; slot <= last; ++slot) accept.entries.push_back(command(100));
    Message message = accept;
    backlog_.limit(message, acceptor_);
    return std::get<Accept>(message);
  }

  ApplyBacklog backlog_{1000};
  Acceptor acceptor_ = acceptor_with(10);
};

TEST_F(ApplyBacklogTest, IsFullFromItsBoundUntilHalfIsExecuted) {
  hand_over(1, 9);
  EXPECT_FALSE(backlog_.is_full());
  hand_over(10, 10);
  EXPECT_TRUE(backlog_.is_full());
  EXPECT_EQ(backlog_.bytes(), 1000U);
  backlog_.on_executed(Slot(4));
  EXPECT_TRUE(backlog_.is_full());
  backlog_.on_executed(Slot(5));
  EXPECT_FALSE(backlog_.is_full());
  backlog_.on_executed(Slot(100));  // An image that contains more.
  EXPECT_EQ(backlog_.bytes(), 0U);
}

TEST_F(ApplyBacklogTest, ChangesNothingWhileThereIsRoom) {
  hand_over(1, 9);
  EXPECT_EQ(limited(11, 14).entries.size(), 4U);
}

TEST_F(ApplyBacklogTest, AnAcceptKeepsWhatStandsInTheLogAlreadyAndItsCommit) {
  hand_over(1, 10);
  const Accept kept = limited(8, 14);
  EXPECT_EQ(kept.first, Slot(8));
  EXPECT_EQ(kept.entries.size(), 3U);
  EXPECT_EQ(kept.commit, Slot(9));
  EXPECT_EQ(kept.read_sequence, ReadSequence(3));
}

TEST_F(ApplyBacklogTest, WhatIsNotTakenIsNoGap) {
  hand_over(1, 10);
  for (const std::uint64_t first : {11, 20}) {
    const Accept kept = limited(first, first + 3);
    EXPECT_TRUE(kept.entries.empty());
    EXPECT_EQ(acceptor_.accept(kept), Acceptor::Verdict::kTaken);
  }
  EXPECT_EQ(acceptor_.log().last(), Slot(10));
  EXPECT_EQ(acceptor_.commit(), Slot(9)) << "commit goes on";
  Message heartbeat = Heartbeat{kBallot, Slot(9), Slot(40), ReadSequence(), LeaseSequence()};
  backlog_.limit(heartbeat, acceptor_);
  EXPECT_EQ(std::get<Heartbeat>(heartbeat).last, Slot(10));
}

TEST_F(ApplyBacklogTest, LearnedEntriesEndWhereTheLogEnds) {
  hand_over(1, 10);
  Entries entries{RequestId(1), Slot(9), {}, Slot(30), Slot(), kBallot};
  for (int i = 0; i < 5; ++i) entries.entries.push_back(command(100));
  Message message = entries;
  backlog_.limit(message, acceptor_);
  EXPECT_EQ(std::get<Entries>(message).entries.size(), 2U);
}

}  // namespace
}  // namespace synod::consensus
