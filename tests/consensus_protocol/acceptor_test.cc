// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/acceptor.h"

#include <gtest/gtest.h>

#include "tests/consensus_protocol/samples.h"

namespace synod::consensus {
namespace {

Accept accept(const Ballot& in, std::uint64_t first, std::vector<Entry> entries,
              std::uint64_t commit = 0) {
  return Accept{in, Slot(first), std::move(entries), Slot(commit), ReadSequence()};
}

TEST(Acceptor, TakesNothingBehindAGap) {
  Acceptor acceptor(blank());
  acceptor.enter(ballot(1, 2));
  const Entry entry = command(ballot(1, 2), "a");
  EXPECT_EQ(acceptor.accept(accept(ballot(1, 2), 2, {entry})), Acceptor::Verdict::kGap);
  EXPECT_EQ(acceptor.log().last(), kNoSlot);
}

TEST(Acceptor, StampsTheSameValueAndOverwritesAnother) {
  Acceptor acceptor(blank());
  const Ballot b1 = ballot(1, 2);
  const Ballot b2 = ballot(2, 3);
  acceptor.enter(b1);
  ASSERT_EQ(acceptor.accept(accept(b1, 1, {command(b1, "a"), command(b1, "b")})),
            Acceptor::Verdict::kTaken);
  acceptor.persisted(acceptor.take_persist()->ticket);
  acceptor.enter(b2);
  ASSERT_EQ(acceptor.accept(accept(b2, 1, {command(b1, "a"), command(b2, "c")})),
            Acceptor::Verdict::kTaken);
  const Persist frame = *acceptor.take_persist();
  ASSERT_EQ(frame.records.size(), 2U);
  EXPECT_TRUE(frame.records[0].is_restamp);
  EXPECT_FALSE(frame.records[1].is_restamp);
  EXPECT_TRUE(frame.is_new_ballot);
  EXPECT_EQ(frame.promised, b2);
}

TEST(Acceptor, WritesAnAcceptedSlotOnce) {
  Acceptor acceptor(blank());
  const Ballot b1 = ballot(1, 2);
  acceptor.enter(b1);
  ASSERT_EQ(acceptor.accept(accept(b1, 1, {command(b1, "a")})), Acceptor::Verdict::kTaken);
  acceptor.persisted(acceptor.take_persist()->ticket);
  ASSERT_EQ(acceptor.accept(accept(b1, 1, {command(b1, "a")})), Acceptor::Verdict::kTaken);
  EXPECT_FALSE(acceptor.take_persist());
}

TEST(Acceptor, RefusesASecondValueInTheSameBallot) {
  Acceptor acceptor(blank());
  const Ballot b1 = ballot(1, 2);
  acceptor.enter(b1);
  ASSERT_EQ(acceptor.accept(accept(b1, 1, {command(b1, "a")})), Acceptor::Verdict::kTaken);
  EXPECT_EQ(acceptor.accept(accept(b1, 1, {command(b1, "b")})), Acceptor::Verdict::kConflict);
}

TEST(Acceptor, RefusesADamagedEntry) {
  Acceptor acceptor(blank());
  acceptor.enter(ballot(1, 2));
  Entry entry = command(ballot(1, 2), "a");
  entry.crc ^= 1;
  EXPECT_EQ(acceptor.accept(accept(ballot(1, 2), 1, {entry})), Acceptor::Verdict::kConflict);
}

TEST(Acceptor, LateFrameOfAnOverwrittenSlotMakesNothingDurable) {
  Acceptor acceptor(blank());
  const Ballot b1 = ballot(1, 2);
  const Ballot b2 = ballot(2, 3);
  acceptor.enter(b1);
  ASSERT_EQ(acceptor.accept(accept(b1, 1, {command(b1, "a")})), Acceptor::Verdict::kTaken);
  const Ticket first = acceptor.take_persist()->ticket;
  acceptor.enter(b2);
  ASSERT_EQ(acceptor.accept(accept(b2, 1, {command(b2, "b")})), Acceptor::Verdict::kTaken);
  const Ticket second = acceptor.take_persist()->ticket;
  acceptor.persisted(first);
  EXPECT_EQ(acceptor.durable(), kNoSlot);
  acceptor.persisted(second);
  EXPECT_EQ(acceptor.durable(), Slot(1));
}

TEST(Acceptor, EnteringABallotConfirmsOnlyWhatIsDecided) {
  Acceptor acceptor(blank());
  const Ballot b1 = ballot(1, 2);
  acceptor.enter(b1);
  ASSERT_EQ(acceptor.accept(accept(b1, 1, {command(b1, "a"), command(b1, "b")}, 1)),
            Acceptor::Verdict::kTaken);
  acceptor.persisted(acceptor.take_persist()->ticket);
  EXPECT_EQ(acceptor.durable(), Slot(2));
  acceptor.enter(ballot(2, 3));
  EXPECT_EQ(acceptor.through(), Slot(1));
  EXPECT_EQ(acceptor.durable(), Slot(1));
  acceptor.decide(Slot(2));
  EXPECT_EQ(acceptor.commit(), Slot(1));
}

TEST(Acceptor, LearnedSlotsCarryTheOwnPromiseAndCountWhenDurable) {
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  add(state, 1, ballot(1, 2), command(ballot(1, 2), "x"));
  Acceptor acceptor(state);
  acceptor.enter(ballot(3, 1));
  ASSERT_EQ(acceptor.learn(Slot(1), {command(ballot(2, 3), "y")}), Acceptor::Verdict::kTaken);
  EXPECT_EQ(acceptor.log().find(Slot(1))->ballot, ballot(3, 1));
  EXPECT_EQ(acceptor.commit(), kNoSlot);
  acceptor.persisted(acceptor.take_persist()->ticket);
  EXPECT_EQ(acceptor.commit(), Slot(1));
}

TEST(Acceptor, CommitAfterARestartStopsBeforeAnUnknownSlot) {
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  add(state, 1, ballot(1, 2), command(ballot(1, 2), "x"));
  add_unknown(state, 2, ballot(1, 2));
  add(state, 3, ballot(1, 2), command(ballot(1, 2), "z"));
  state.commit_hint = Slot(3);
  const Acceptor acceptor(state);
  EXPECT_EQ(acceptor.commit(), Slot(1));
  EXPECT_EQ(acceptor.through(), Slot(1));
  const std::vector<Promise> parts = acceptor.promise(Slot(1), SIZE_MAX);
  ASSERT_EQ(parts.at(0).slots.size(), 2U);
  EXPECT_FALSE(parts[0].slots[0].entry);
}

TEST(Acceptor, ADamagedSlotBelowTheFlushedStateMovesTheBase) {
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  add(state, 1, ballot(1, 2), command(ballot(1, 2), "x"));
  add_unknown(state, 2, ballot(1, 2));
  add(state, 3, ballot(1, 2), command(ballot(1, 2), "z"));
  state.applied = Slot(2);
  state.commit_hint = Slot(3);
  const Acceptor acceptor(state);
  EXPECT_EQ(acceptor.log().base(), Slot(2));
  EXPECT_EQ(acceptor.commit(), Slot(3));
}

TEST(Acceptor, ALeadersStreamRepairsAnUnknownSlot) {
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  add_unknown(state, 1, ballot(1, 2));
  Acceptor acceptor(state);
  acceptor.enter(ballot(2, 3));
  ASSERT_EQ(acceptor.accept(accept(ballot(2, 3), 1, {command(ballot(1, 2), "x")}, 1)),
            Acceptor::Verdict::kTaken);
  const Persist frame = *acceptor.take_persist();
  EXPECT_FALSE(frame.records.at(0).is_restamp);
  EXPECT_EQ(acceptor.commit(), Slot(1));
}

TEST(Acceptor, PartsOfAPromiseTileTheLog) {
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  for (std::uint64_t slot = 1; slot <= 5; ++slot) {
    add(state, slot, ballot(1, 2), command(ballot(1, 2), std::string(100, 'x')));
  }
  const Acceptor acceptor(state);
  const std::vector<Promise> parts = acceptor.promise(kNoSlot, 300);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].covers_to, parts[1].covers_after);
  EXPECT_EQ(parts[1].covers_to, parts[2].covers_after);
  EXPECT_EQ(parts[2].covers_to, kOpenEnd);
}

TEST(AcceptorDeath, APromiseNeverDecreases) {
  Acceptor acceptor(blank());
  acceptor.enter(ballot(2, 2));
  EXPECT_DEATH(acceptor.enter(ballot(1, 3)), "A1");
}

TEST(AcceptorDeath, FramesCompleteInOrder) {
  Acceptor acceptor(blank());
  acceptor.enter(ballot(2, 2));
  const Ticket ticket = acceptor.take_persist()->ticket;
  acceptor.persisted(ticket);
  EXPECT_DEATH(acceptor.persisted(ticket), "D3");
}

}  // namespace
}  // namespace synod::consensus
