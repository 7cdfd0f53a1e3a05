// SPDX-License-Identifier: Apache-2.0
// Histories that the protocol has to survive.
#include <cstdlib>
#include <utility>

#include <gtest/gtest.h>

#include "consensus/protocol/configuration_codec.h"
#include "tests/consensus_protocol/directed.h"
#include "tests/consensus_protocol/samples.h"

namespace synod::consensus {
namespace {

/// An abort in the scenario is a failure of the test, not of the program.
template <class Scenario>
void expect_survives(Scenario scenario) {
  EXPECT_EXIT(
      {
        scenario();
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

void sync(Acceptor& acceptor) {
  const auto frame = acceptor.take_persist();
  if (frame) acceptor.persisted(frame->ticket);
}

Envelope from_next(std::uint32_t sender, Message message) {
  Envelope envelope = from(sender, std::move(message));
  envelope.config = ConfigId(2);
  return envelope;
}

// --- 1. What was learned and is not durable yet is overwritten by a late leader, and then decided.
TEST(Review, LearnedAndNotYetDurableIsNotOverwrittenByALateLeader) {
  RecoveredState state = blank();
  state.promised = ballot(1, 3);
  Acceptor acceptor(state);
  // Decided in ballot 3 by others; replica 2's ballot 2 lies between it and the own promise.
  const Entry chosen = command(ballot(3, 3), "chosen");
  ASSERT_EQ(acceptor.learn(Slot(1), {chosen}), Acceptor::Verdict::kTaken);
  acceptor.enter(ballot(2, 2));
  const Entry orphan = command(ballot(2, 2), "orphan");
  (void)acceptor.accept(Accept{ballot(2, 2), Slot(1), {orphan}, kNoSlot, ReadSequence()});
  sync(acceptor);
  if (acceptor.commit() >= Slot(1)) {
    EXPECT_TRUE(acceptor.log().find(Slot(1))->entry->same_value(chosen));
  }
}

// The same, whole: F (replica 1) catches up from C, who has entered configuration 2; an Accept
// that A sent in ballot 2 before it crashed (its own frame never got to the disk) comes late.
TEST(Review, AFollowerThatCatchesUpExecutesWhatWasChosen) {
  RecoveredState state = blank();
  state.promised = ballot(1, 3);
  Replica replica = fresh_replica(state);
  replica.advance(base::Millis(5000));
  replica.step(from_next(3, Hello{ProcessId(7), {}, Slot(9), kNoSlot, Slot(9), {}, 1}));
  const auto fetches = only<Fetch>(replica.take_output().send_now);
  ASSERT_EQ(fetches.size(), 1U);
  const Entry chosen = command(ballot(3, 3), "chosen");
  replica.step(from_next(
      3, Entries{fetches[0].id, Slot(1), {chosen}, Slot(1), kNoSlot, null_ballot(ConfigId(2))}));
  const Entry orphan = command(ballot(2, 2), "orphan");
  replica.step(from(2, Accept{ballot(2, 2), Slot(1), {orphan}, kNoSlot, ReadSequence()}));
  const Output frame = replica.take_output();
  sync(replica, frame);
  const Output after = replica.take_output();
  for (const Delivery& each : after.apply) {
    EXPECT_TRUE(each.entry.same_value(chosen)) << "executed " << *each.entry.command;
  }
}

// Over a way that is slower than the questions are repeated every answer comes behind the next
// question.
TEST(Review, AnAnswerThatTakesLongerThanARepetitionIsAnAnswer) {
  Replica replica = fresh_replica();
  replica.advance(base::Millis(5000));
  replica.step(from_next(3, Hello{ProcessId(7), {}, Slot(9), kNoSlot, Slot(9), {}, 1}));
  const auto first = only<Fetch>(replica.take_output().send_now);
  ASSERT_EQ(first.size(), 1U);
  replica.advance(base::Millis(5150));
  replica.tick();
  EXPECT_EQ(only<Fetch>(replica.take_output().send_now).size(), 1U) << "it is repeated";
  const Entry chosen = command(ballot(3, 3), "chosen");
  const Entries answer{first[0].id, Slot(1), {chosen}, Slot(1), kNoSlot, null_ballot(ConfigId(2))};
  replica.step(from_next(3, answer));
  sync(replica, replica.take_output());
  EXPECT_EQ(replica.acceptor().commit(), Slot(1));
  const auto next = only<Fetch>(replica.take_output().send_now);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].low, Slot(2));
  EXPECT_NE(next[0].id, first[0].id);
}

// --- 2. A damaged slot that was decided before the start is accepted again in a late leader's
// ballot, and passed for decided because of the old commit.
RecoveredState damaged_below_hint() {
  // Slots 2 and 3 were learned (stamped with the own promise, ballot 1 of replica 2); chosen they
  // were in a higher ballot. Their frame is damaged, the hint in the next frame is not.
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  add(state, 1, ballot(1, 2), command(ballot(1, 2), "one"));
  add_unknown(state, 2, ballot(1, 2));
  add_unknown(state, 3, ballot(1, 2));
  add(state, 4, ballot(1, 2), command(ballot(3, 3), "four"));
  state.commit_hint = Slot(4);
  return state;
}

TEST(Review, AnOldCommitDoesNotDecideWhatIsAcceptedLater) {
  Replica replica = fresh_replica(damaged_below_hint());
  replica.advance(base::Millis(5000));
  // All of this was sent by replica 2 in ballot 1 long ago. "two" is chosen (commit 2), "orphan"
  // never was: slot 3 was decided with another value in ballot 3.
  const Entry orphan = command(ballot(1, 2), "orphan");
  replica.step(from(
      2,
      Accept{
          ballot(1, 2), Slot(2), {command(ballot(1, 2), "two"), orphan}, Slot(1), ReadSequence()}));
  sync(replica, replica.take_output());
  replica.step(from(2, Commit{ballot(1, 2), Slot(2)}));
  const Output output = replica.take_output();
  EXPECT_EQ(replica.acceptor().commit(), Slot(2));
  EXPECT_EQ(replica.acceptor().decided(Slot(3)), nullptr);
  for (const Delivery& each : output.apply) EXPECT_FALSE(each.entry.same_value(orphan));
}

// --- 3. Phase 1 is told of a decided slot that no voter reported.
TEST(Review, PhaseOneIsToldOfADecidedSlotBehindTheLastReportedOne) {
  expect_survives([] {
    PhaseOne phase_one(ballot(2, 1), three(), kNoSlot);
    Promise damaged{ballot(2, 1), kNoSlot, kNoSlot, kNoSlot, kOpenEnd, {}, ballot(1, 3)};
    Promise blank_one{ballot(2, 1), kNoSlot, kNoSlot, kNoSlot, kOpenEnd, {}, std::nullopt};
    phase_one.add(ReplicaId(1), blank_one);
    phase_one.add(ReplicaId(2), damaged);
    if (phase_one.adopt()) std::exit(1);
    phase_one.note_decided(Slot(1), command(ballot(1, 3), "v"));
    (void)phase_one.adopt();
  });
}

/// Replica 1 stands and has asked everybody.
Replica candidate(const RecoveredState& state, Ballot& own) {
  Replica replica = fresh_replica(state);
  replica.advance(base::Millis(5000));
  replica.tick();
  const PreVote question = only<PreVote>(replica.take_output().send_now).at(0);
  replica.step(from(2, PreVoteReply{question.probe, true, {}, {}, {}, {}}));
  sync(replica, replica.take_output());
  own = question.ballot;
  return replica;
}

TEST(Review, ACandidateAsksAboutADamagedEndAndIsTold) {
  expect_survives([] {
    Ballot own;
    Replica replica = candidate(blank(), own);
    // Replica 2 lost the end of its log; replica 3 has slot 1, knows it to be decided, and its
    // promise is lost or refused by its guard.
    replica.step(from(2, Promise{own, kNoSlot, kNoSlot, kNoSlot, kOpenEnd, {}, ballot(1, 3)}));
    sync(replica, replica.take_output());
    replica.advance(base::Millis(5200));
    replica.tick();
    const auto fetches = only<Fetch>(replica.take_output().send_now);
    if (fetches.empty()) std::exit(2);
    replica.step(from(
        3,
        Entries{
            fetches[0].id, Slot(1), {command(ballot(1, 3), "v")}, Slot(1), kNoSlot, ballot(1, 3)}));
    (void)replica.take_output();
  });
}

// --- 4. A leader that was deposed and does not know it learns what was decided, then proposes.
TEST(Review, ALeaderLearnsMoreThanItProposedAndIsAskedToPropose) {
  expect_survives([] {
    Replica leader = established_leader();
    // Replicas 2 and 3 went on without it and have entered configuration 2.
    leader.step(from_next(3, Hello{ProcessId(7), {}, Slot(9), kNoSlot, Slot(9), {}, 1}));
    const auto fetches = only<Fetch>(leader.take_output().send_now);
    if (fetches.size() != 1) std::exit(2);
    leader.step(from_next(3, Entries{fetches[0].id,
                                     Slot(2),
                                     {barrier(ballot(2, 2))},
                                     Slot(2),
                                     kNoSlot,
                                     null_ballot(ConfigId(2))}));
    (void)leader.propose({"from a client"});
    (void)leader.take_output();
  });
}

// --- 5. A snapshot is installed while what comes behind it has been handed over already.
TEST(Review, ASnapshotBehindWhatWasHandedOverIsInstalled) {
  expect_survives([] {
    RecoveredState state = blank();
    state.promised = ballot(2, 2);
    add(state, 1, ballot(1, 3), barrier(ballot(1, 3)));
    add(state, 2, ballot(1, 3), command(ballot(1, 3), "v"));
    add(state, 3, ballot(2, 2), barrier(ballot(2, 2)));
    state.commit_hint = Slot(3);
    Options options;
    options.self = three().voters[0];
    Replica replica(options, state, base::Random(1), Instant());
    if (replica.take_output().apply.size() != 3) std::exit(2);
    // The state machine has executed nothing yet when the image of slot 2 takes its place.
    SnapshotManifest label{SnapshotId(5), Slot(2), ballot(1, 3), blank().chain, {}};
    replica.install_snapshot(label);
    replica.applied(Slot(3));
    if (replica.learner().fence() != ballot(2, 2)) std::exit(3);
  });
}

// --- 6. Bytes that count as undecided for ever.
TEST(Review, ALeaderThatFindsItsOldLogDecidedTakesProposals) {
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  add_unknown(state, 1, ballot(1, 2));
  for (std::uint64_t slot = 2; slot <= 5; ++slot) {
    add(state, slot, ballot(1, 2), command(ballot(1, 2), std::string(100, 'v')));
  }
  state.commit_hint = Slot(5);
  Options options;
  options.self = three().voters[0];
  options.limits.unexecuted_bytes = 300;
  Replica replica(options, state, base::Random(1), Instant());
  (void)replica.take_output();
  replica.advance(base::Millis(5000));
  replica.tick();
  const PreVote question = only<PreVote>(replica.take_output().send_now).at(0);
  replica.step(from(2, PreVoteReply{question.probe, true, {}, {}, {}, {}}));
  sync(replica, replica.take_output());
  const Ballot own = question.ballot;
  Promise promise{own, kNoSlot, kNoSlot, kNoSlot, kOpenEnd, {}, std::nullopt};
  promise.slots.push_back({Slot(1), ballot(1, 2), command(ballot(1, 2), "first")});
  for (std::uint64_t slot = 2; slot <= 5; ++slot) {
    promise.slots.push_back({Slot(slot), ballot(1, 2), *state.slots[slot - 1].entry});
  }
  replica.step(from(2, promise));
  sync(replica, replica.take_output());
  ASSERT_EQ(replica.role(), Role::kLeading);
  // First one slot is acknowledged, then all.
  for (const std::uint64_t through : {1, 6}) {
    replica.step(from(2, Accepted{own, Slot(through), kNoSlot, kNoSlot, ReadSequence(),
                                  std::nullopt, LeaseSequence()}));
    sync(replica, replica.take_output());
  }
  ASSERT_TRUE(replica.is_established());
  replica.applied(replica.acceptor().commit());
  EXPECT_EQ(replica.acceptor().commit(), replica.acceptor().through());
  EXPECT_EQ(replica.propose({"w"}).code, Proposed::Code::kTaken);
}

// --- 7. A candidate whose disk hangs while it learns.
TEST(Review, ACandidateWhoseDiskHangsWhileItLearnsGivesUp) {
  Ballot own;
  Replica replica = candidate(blank(), own);
  replica.step(from(2, Promise{own,
                               Slot(1),
                               kNoSlot,
                               kNoSlot,
                               kOpenEnd,
                               {{Slot(1), ballot(1, 2), command(ballot(1, 2), "v")}},
                               std::nullopt}));
  std::int64_t now = 5000;
  for (int i = 0; i < 300; ++i) {  // 30 s, and no frame is ever durable
    const Output output = replica.take_output();
    for (const Fetch& fetch : only<Fetch>(output.send_now)) {
      replica.step(from(
          2, Entries{fetch.id, fetch.low, {command(ballot(1, 2), "v")}, Slot(1), kNoSlot, own}));
    }
    now += 100;
    replica.advance(base::Millis(now));
    replica.tick();
  }
  EXPECT_NE(replica.role(), Role::kLearning);
}

// --- 8. Numbers at the end of their range.
TEST(Review, APrepareWithAnAbsurdCommitIsRefused) {
  expect_survives([] {
    Replica replica = fresh_replica();
    replica.advance(base::Millis(5000));
    replica.step(from(2, Prepare{ballot(4, 2), kOpenEnd, std::nullopt}));
    (void)replica.take_output();
  });
}

TEST(Review, AnAbsurdRoundDoesNotEndTheProcess) {
  expect_survives([] {
    RecoveredState state = blank();
    state.promised = ballot(1, 3);
    Replica replica = fresh_replica(state);
    replica.advance(base::Millis(5000));
    replica.step(from(3, Nack{ballot(1, 1), ballot(UINT64_MAX, 3), NackReason::kBallot, {}}));
    replica.tick();
    const PreVote question = only<PreVote>(replica.take_output().send_now).at(0);
    replica.step(from(2, PreVoteReply{question.probe, true, {}, {}, {}, {}}));
    (void)replica.take_output();
  });
}

// --- 9. A damaged end of an old configuration blocks the next one.
TEST(Review, ADamagedEndOfAnEndedConfigurationIsVoid) {
  RecoveredState state = blank();
  state.promised = ballot(1, 2);
  NextConfiguration next{three().voters, ReplicaId(), base::Millis(1000)};
  add(state, 1, ballot(1, 2), make_entry(ballot(1, 2), EntryKind::kStopSign, encode_next(next)));
  state.commit_hint = Slot(1);
  state.unknown_tail = ballot(1, 2);
  Replica replica = fresh_replica(state);
  replica.advance(base::Millis(10));
  replica.tick();
  for (std::uint64_t ticket = 1; ticket <= replica.acceptor().issued().value(); ++ticket) {
    replica.persisted(Ticket(ticket));
  }
  ASSERT_EQ(replica.configuration().id, ConfigId(2));
  const Output rest = replica.take_output();
  sync(replica, rest);
  EXPECT_FALSE(replica.acceptor().unknown_tail().has_value());
}

// --- 10. The chain of configurations has to fit the superblock for ever.
TEST(Review, AThousandConfigurationsFitTheSuperblock) {
  Chain chain = blank().chain;
  for (std::uint32_t id = 2; id <= 1000; ++id) {
    Configuration each = three();
    each.id = ConfigId(id);
    each.first = Slot(id * 10);
    chain.configurations.push_back(each);
  }
  EXPECT_LT(encode_chain(chain).size(), 60'000U);
}

// --- 11. Members of the next configuration who were told of it and have none of the data.
TEST(Review, NobodyRetiresBeforeAMajorityHasWhatWasDecided) {
  RecoveredState state = blank();
  Configuration& first = state.chain.configurations.front();
  Configuration second = first;
  first.voters.resize(1);
  first.learners = {three().voters[1], three().voters[2]};
  second.id = ConfigId(2);
  second.first = Slot(10);
  second.voters.erase(second.voters.begin());
  state.chain.configurations.push_back(second);
  state.chain.as_of = Slot(9);
  state.base = Slot(9);
  state.applied = Slot(9);
  Replica replica = fresh_replica(state);
  replica.advance(base::Millis(100));
  // Blank disks: they took the chain from an Introduction and have nothing of slots 1 to 9.
  for (const std::uint32_t id : {2U, 3U}) {
    replica.step(from_next(id, Hello{ProcessId(7), {}, kNoSlot, kNoSlot, kNoSlot, {}, 1}));
  }
  EXPECT_FALSE(replica.is_retired());
}

// --- 12. Reads that have their index and wait for the state machine.
TEST(Review, ReadsThatWaitForTheStateMachineAreLimited) {
  Options options;
  options.self = three().voters[0];
  options.limits.reads = 2;
  Replica replica(options, blank(), base::Random(1), Instant());
  (void)replica.take_output();
  replica.advance(base::Millis(5000));
  replica.step(from(2, Heartbeat{ballot(1, 2), kNoSlot, kNoSlot, {}, {}}));
  std::size_t failed = 0;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    replica.read(ReadContext(i));
    const Output output = replica.take_output();
    failed += output.reads.size();
    for (const auto& each : only<ReadIndexRequest>(output.send_now)) {
      replica.step(from(2, ReadIndexReply{each.id, Slot(100)}));
    }
  }
  EXPECT_GT(failed, 0U);
}

}  // namespace
}  // namespace synod::consensus
