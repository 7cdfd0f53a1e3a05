// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/consensus_protocol/directed.h"
#include "tests/consensus_protocol/samples.h"

namespace synod::consensus {
namespace {

Promise promise(const Ballot& to, std::uint64_t commit, std::vector<ReportedSlot> slots) {
  return Promise{to, Slot(commit), kNoSlot, kNoSlot, kOpenEnd, std::move(slots), std::nullopt};
}

ReportedSlot has(std::uint64_t slot, const Ballot& in, const Entry& entry) {
  return ReportedSlot{Slot(slot), in, entry};
}

ReportedSlot unknown(std::uint64_t slot, const Ballot& bound) {
  return ReportedSlot{Slot(slot), bound, std::nullopt};
}

const Ballot kNew = ballot(5, 1);

TEST(PhaseOne, WaitsForAMajority) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  phase_one.add(ReplicaId(1), promise(kNew, 0, {}));
  EXPECT_FALSE(phase_one.adopt());
  phase_one.add(ReplicaId(3), promise(kNew, 0, {}));
  EXPECT_TRUE(phase_one.adopt());
}

TEST(PhaseOne, PromisesOfOtherBallotsAndStrangersCountForNothing) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  phase_one.add(ReplicaId(1), promise(kNew, 0, {}));
  phase_one.add(ReplicaId(2), promise(ballot(4, 1), 0, {}));
  phase_one.add(ReplicaId(9), promise(kNew, 0, {}));
  EXPECT_FALSE(phase_one.adopt());
}

TEST(PhaseOne, AdoptsTheValueOfTheHighestBallot) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  const Entry low = command(ballot(1, 1), "low");
  const Entry high = command(ballot(2, 2), "high");
  phase_one.add(ReplicaId(1), promise(kNew, 0, {has(1, ballot(1, 1), low)}));
  phase_one.add(ReplicaId(2), promise(kNew, 0, {has(1, ballot(2, 2), high)}));
  EXPECT_TRUE(phase_one.adopt()->entries.at(0).same_value(high));
}

TEST(PhaseOne, SlotsUpToTheGreatestCommitAreNotChosenByBallot) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  phase_one.add(ReplicaId(1),
                promise(kNew, 0, {has(1, ballot(3, 1), command(ballot(3, 1), "old"))}));
  Promise cut{kNew, Slot(1), Slot(1), kNoSlot, kOpenEnd, {}, std::nullopt};
  phase_one.add(ReplicaId(2), cut);
  const auto adoption = phase_one.adopt();
  EXPECT_EQ(adoption->commit_max, Slot(1));
  EXPECT_EQ(adoption->holder, ReplicaId(2));
  EXPECT_TRUE(adoption->entries.empty());
}

TEST(PhaseOne, APartThatDoesNotTileCountsForNothing) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  phase_one.add(ReplicaId(2), Promise{kNew, kNoSlot, kNoSlot, Slot(3), kOpenEnd, {}, std::nullopt});
  EXPECT_FALSE(phase_one.is_complete(ReplicaId(2)));
  Promise first{kNew, kNoSlot, kNoSlot, kNoSlot, Slot(3), {}, std::nullopt};
  for (std::uint64_t slot = 1; slot <= 3; ++slot) {
    first.slots.push_back(has(slot, ballot(1, 2), command(ballot(1, 2), "a")));
  }
  phase_one.add(ReplicaId(2), first);
  EXPECT_TRUE(phase_one.is_complete(ReplicaId(2)));
}

TEST(PhaseOne, APartWithHolesCountsForNothing) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  const Entry entry = command(ballot(1, 2), "a");
  phase_one.add(ReplicaId(2),
                promise(kNew, 0, {has(1, ballot(1, 2), entry), has(3, ballot(1, 2), entry)}));
  EXPECT_FALSE(phase_one.is_complete(ReplicaId(2)));
}

TEST(PhaseOne, AnUnknownSlotIsOutbidByAKnownBallotAtItsBound) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  const Entry entry = command(ballot(2, 2), "v");
  phase_one.add(ReplicaId(1), promise(kNew, 0, {unknown(1, ballot(2, 2))}));
  phase_one.add(ReplicaId(2), promise(kNew, 0, {has(1, ballot(2, 2), entry)}));
  EXPECT_TRUE(phase_one.adopt()->entries.at(0).same_value(entry));
}

TEST(PhaseOne, AnUnknownSlotAboveEveryKnownBallotBlocksUntilAMajorityIsCertain) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  const Entry entry = command(ballot(1, 2), "v");
  phase_one.add(ReplicaId(1), promise(kNew, 0, {unknown(1, ballot(2, 2))}));
  phase_one.add(ReplicaId(2), promise(kNew, 0, {has(1, ballot(1, 2), entry)}));
  EXPECT_FALSE(phase_one.adopt());
  EXPECT_EQ(phase_one.blocked_at(), Slot(1));
  phase_one.add(ReplicaId(3), promise(kNew, 0, {}));
  EXPECT_TRUE(phase_one.adopt()->entries.at(0).same_value(entry));
}

TEST(PhaseOne, FillsASlotOnlyIfAMajorityNeverHadIt) {
  PhaseOne phase_one(kNew, three(), kNoSlot);
  phase_one.add(ReplicaId(1), promise(kNew, 0, {unknown(1, ballot(2, 2))}));
  phase_one.add(ReplicaId(2), promise(kNew, 0, {}));
  EXPECT_FALSE(phase_one.adopt());
  phase_one.add(ReplicaId(3), promise(kNew, 0, {}));
  EXPECT_EQ(phase_one.adopt()->entries.at(0).kind, EntryKind::kFill);
}

TEST(PhaseOne, PartsOfAPromiseShareTheGreatestCommit) {
  EXPECT_TRUE(parts_of_a_promise_share_the_greatest_commit());
}

TEST(Learner, FenceIsTheGreatestBarrier) { EXPECT_TRUE(fence_is_the_greatest_barrier()); }

TEST(ReadIndex, LateAcknowledgementReleasesNothing) {
  EXPECT_TRUE(late_acknowledgement_releases_nothing());
}

TEST(Lease, RunsFromTheSendingOfTheHeartbeat) { EXPECT_TRUE(lease_runs_from_sending()); }

TEST(ReplicaRole, GreetsAMemberUntilItHasShownItsDisk) {
  Replica replica = fresh_replica();  // Its first greetings are lost.
  const auto greeted = [&replica](std::int64_t at_ms) {
    replica.advance(base::Millis(at_ms));
    replica.tick();
    std::vector<std::uint32_t> out;
    for (const Envelope& each : replica.take_output().send_now) {
      if (std::holds_alternative<Hello>(each.message)) out.push_back(each.to.value());
    }
    return out;
  };
  const auto gap = std::chrono::duration_cast<base::Millis>(Timing().election_min).count();
  EXPECT_EQ(greeted(gap), (std::vector<std::uint32_t>{2, 3}));
  Hello hello;
  hello.superblock_version = 1;
  hello.answers = ProcessId(7);  // Not ours: nothing to answer.
  replica.step(from(2, hello));
  (void)replica.take_output();
  EXPECT_EQ(greeted(2 * gap), std::vector<std::uint32_t>{3});
}

TEST(Lease, AnswersAFollowersReadWithoutARound) {
  Replica leader = established_leader(/*reads_by_lease=*/true);
  leader.advance(base::Millis(5200));
  leader.tick();
  const auto heartbeats = only<Heartbeat>(leader.take_output().send_now);
  ASSERT_FALSE(heartbeats.empty());
  const Accepted answer{ballot(1, 1),
                        Slot(1),
                        Slot(1),
                        Slot(1),
                        ReadSequence(),
                        std::nullopt,
                        heartbeats[0].lease_sequence};
  leader.step(from(2, answer));
  (void)leader.take_output();
  leader.step(from(3, ReadIndexRequest{RequestId(9)}));
  const Output output = leader.take_output();
  const auto replies = only<ReadIndexReply>(output.send_now);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].id, RequestId(9));
  EXPECT_EQ(replies[0].index, Slot(1));
  EXPECT_TRUE(only<Heartbeat>(output.send_now).empty()) << "no majority needs to be asked";

  leader.advance(base::Millis(5200 + 1000));  // 0.9 x the guard is over.
  leader.step(from(3, ReadIndexRequest{RequestId(10)}));
  EXPECT_TRUE(only<ReadIndexReply>(leader.take_output().send_now).empty());
}

TEST(Lease, ARevokedOneDoesNotComeBack) {
  Lease lease(three(), ReplicaId(1));
  lease.on_acknowledged(ReplicaId(2), lease.begin(Instant()), Instant());
  EXPECT_TRUE(lease.is_held(Instant(1)));
  lease.revoke();
  lease.on_acknowledged(ReplicaId(2), lease.begin(Instant(2)), Instant(2));
  EXPECT_FALSE(lease.is_held(Instant(3)));
}

TEST(Lease, OneVoterOfThreeIsEnoughAndNoneIsNot) {
  Lease lease(three(), ReplicaId(1));
  const LeaseSequence sequence = lease.begin(Instant());
  EXPECT_FALSE(lease.is_held(Instant(1)));
  lease.on_acknowledged(ReplicaId(7), sequence, Instant(1));
  EXPECT_FALSE(lease.is_held(Instant(1)));
  lease.on_acknowledged(ReplicaId(3), sequence, Instant(1));
  EXPECT_TRUE(lease.is_held(Instant(1)));
}

TEST(Replica, ARestartArmsTheGuard) { EXPECT_TRUE(restart_arms_the_guard()); }

TEST(Replica, AGuardLetsItsHolderPrepareAndNobodyElse) {
  Replica replica = fresh_replica();
  replica.advance(base::Millis(5000));
  replica.step(from(2, Heartbeat{ballot(1, 2), kNoSlot, kNoSlot, ReadSequence(), LeaseSequence()}));
  replica.step(from(3, Prepare{ballot(2, 3), kNoSlot, std::nullopt}));
  EXPECT_EQ(replica.acceptor().promised(), ballot(1, 2));
  replica.step(from(2, Prepare{ballot(3, 2), kNoSlot, std::nullopt}));
  EXPECT_EQ(replica.acceptor().promised(), ballot(3, 2));
}

TEST(Acceptor, SnapshotKeepsTheAcceptedSuffix) { EXPECT_TRUE(snapshot_keeps_accepted_suffix()); }

TEST(Election, YieldsOnceToWhoHasMore) {
  Election election(Timing{}, base::Random(1), Instant());
  PreVote question = election.ask(kNew, kNoSlot, Slot(1), ballot(1, 1));
  const PreVoteReply richer{question.probe, true, {}, Slot(5), Slot(5), ballot(1, 1)};
  EXPECT_EQ(election.on_reply(ReplicaId(2), richer, three()), Election::Poll::kYield);
  question = election.ask(kNew, kNoSlot, Slot(1), ballot(1, 1));
  const PreVoteReply again{question.probe, true, {}, Slot(5), Slot(5), ballot(1, 1)};
  EXPECT_EQ(election.on_reply(ReplicaId(2), again, three()), Election::Poll::kWon);
}

TEST(Election, AnswersToAnEarlierQuestionDoNotCount) {
  Election election(Timing{}, base::Random(1), Instant());
  const PreVote old = election.ask(kNew, kNoSlot, kNoSlot, Ballot());
  const PreVote current = election.ask(kNew, kNoSlot, kNoSlot, Ballot());
  const PreVoteReply late{old.probe, true, {}, {}, {}, {}};
  EXPECT_EQ(election.on_reply(ReplicaId(2), late, three()), Election::Poll::kOpen);
  const PreVoteReply fresh{current.probe, true, {}, {}, {}, {}};
  EXPECT_EQ(election.on_reply(ReplicaId(2), fresh, three()), Election::Poll::kWon);
}

Pipeline three_streams(Limits limits = {}) {
  Pipeline pipeline(ballot(1, 1), three(), limits, Instant());
  pipeline.begin_behind(ReplicaId(2), kNoSlot);
  pipeline.begin_behind(ReplicaId(3), kNoSlot);
  return pipeline;
}

Accepted acknowledged(const Ballot& in, std::uint64_t through) {
  return Accepted{in,           Slot(through),  kNoSlot, kNoSlot, ReadSequence(),
                  std::nullopt, LeaseSequence()};
}

TEST(Pipeline, CountsOnlyAcknowledgementsOfItsBallot) {
  Pipeline pipeline = three_streams();
  const Instant resend = base::Millis(1);
  EXPECT_FALSE(
      pipeline.on_accepted(ReplicaId(2), acknowledged(ballot(2, 1), 3), Slot(3), {}, resend));
  EXPECT_EQ(pipeline.majority_through(Slot(3)), kNoSlot);
  EXPECT_TRUE(
      pipeline.on_accepted(ReplicaId(2), acknowledged(ballot(1, 1), 2), Slot(3), {}, resend));
  EXPECT_EQ(pipeline.majority_through(Slot(3)), Slot(2));
  EXPECT_EQ(pipeline.majority_through(Slot(1)), Slot(1));
}

TEST(Pipeline, APrefixThatFallsAfterARestartIsKeptAsAMaximum) {
  Pipeline pipeline = three_streams();
  const Instant resend = base::Millis(1);
  ASSERT_TRUE(
      pipeline.on_accepted(ReplicaId(2), acknowledged(ballot(1, 1), 3), Slot(3), {}, resend));
  ASSERT_TRUE(
      pipeline.on_accepted(ReplicaId(2), acknowledged(ballot(1, 1), 1), Slot(3), {}, resend));
  EXPECT_EQ(pipeline.majority_through(Slot(3)), Slot(3));
}

TEST(Pipeline, RefusesMoreThanWasProposed) {
  Pipeline pipeline = three_streams();
  EXPECT_FALSE(
      pipeline.on_accepted(ReplicaId(2), acknowledged(ballot(1, 1), 4), Slot(3), {}, Instant(1)));
}

TEST(Pipeline, TheWindowLimitsWhatIsInFlight) {
  Limits limits;
  limits.message_bytes = 1;
  limits.window_messages = 2;
  Pipeline pipeline = three_streams(limits);
  SlotLog log(kNoSlot);
  for (std::uint64_t slot = 1; slot <= 5; ++slot) {
    log.put(Slot(slot), ballot(1, 1), command(ballot(1, 1), "v"), Ticket(1));
  }
  EXPECT_EQ(pipeline.fill(log, Slot(5), kNoSlot, ReadSequence()).messages.size(), 4U);
  EXPECT_TRUE(pipeline.fill(log, Slot(5), kNoSlot, ReadSequence()).messages.empty());
  ASSERT_TRUE(
      pipeline.on_accepted(ReplicaId(2), acknowledged(ballot(1, 1), 1), Slot(5), {}, Instant(1)));
  EXPECT_EQ(pipeline.fill(log, Slot(5), kNoSlot, ReadSequence()).messages.size(), 1U);
}

TEST(Pipeline, OffersASnapshotToWhoNeedsSlotsTheLogLacks) {
  Pipeline pipeline = three_streams();
  const SlotLog log(Slot(7));
  const auto sends = pipeline.fill(log, Slot(7), Slot(7), ReadSequence());
  EXPECT_TRUE(sends.messages.empty());
  EXPECT_EQ(sends.too_far_behind, (std::vector{ReplicaId(2), ReplicaId(3)}));
  EXPECT_TRUE(pipeline.fill(log, Slot(7), Slot(7), ReadSequence()).too_far_behind.empty());
}

TEST(PhaseOne, AdoptsNothingBehindAStopSign) {
  EXPECT_TRUE(nothing_is_adopted_behind_a_stop_sign());
}
TEST(PhaseOne, AnUnknownTailBlocksUntilAMajorityIsCertain) {
  EXPECT_TRUE(an_unknown_tail_blocks_the_open_end());
}
TEST(Replica, ALateHeartbeatDoesNotEndTheGuardOfARestart) {
  EXPECT_TRUE(a_late_heartbeat_does_not_end_the_guard_of_a_restart());
}
TEST(Guard, ATokenPassesTheGuardOfItsBallotOnly) {
  EXPECT_TRUE(a_token_passes_the_guard_of_its_ballot_only());
}
TEST(Lease, DoesNotComeBackOnceRevoked) { EXPECT_TRUE(a_revoked_lease_does_not_come_back()); }
TEST(Replica, AFirstLeaderWaitsForItsBallot) { EXPECT_TRUE(a_first_leader_waits_for_its_ballot()); }
TEST(Acceptor, SlotsBehindTheEndOfTheirConfigurationAreVoid) {
  EXPECT_TRUE(slots_behind_the_end_are_void());
}

TEST(Replica, ALoneLeaderReleasesNoRead) { EXPECT_TRUE(lone_leader_releases_no_read()); }

TEST(Replica, RefusesAnOldBallotBeforeLookingAtTheMessage) {
  RecoveredState state = blank();
  state.promised = ballot(7, 3);
  Replica replica = fresh_replica(state);
  replica.step(
      from(2, Heartbeat{ballot(6, 2), Slot(9), Slot(9), ReadSequence(4), LeaseSequence()}));
  const Output output = replica.take_output();
  ASSERT_EQ(only<Nack>(output.send_now).size(), 1U);
  EXPECT_EQ(only<Nack>(output.send_now)[0].promised, ballot(7, 3));
  EXPECT_TRUE(only<Accepted>(output.send_now).empty());
}

TEST(Replica, WhoIsNotInTheConfigurationChangesNothing) {
  Replica replica = fresh_replica();
  Envelope stranger = from(2, Prepare{ballot(3, 2), kNoSlot, std::nullopt});
  stranger.from.incarnation = Incarnation(77);
  replica.step(stranger);
  const Output output = replica.take_output();
  EXPECT_EQ(replica.acceptor().promised(), null_ballot(ConfigId(1)));
  EXPECT_FALSE(output.persist);
  EXPECT_EQ(output.complaints.size(), 1U);
}

TEST(Replica, OneFrameAndOneAcknowledgementForAllAcceptsOfABatch) {
  Replica replica = fresh_replica();
  const Ballot b = ballot(1, 2);
  for (std::uint64_t slot = 1; slot <= 5; ++slot) {
    replica.step(from(2, Accept{b, Slot(slot), {command(b, "v")}, kNoSlot, ReadSequence()}));
  }
  const Output output = replica.take_output();
  ASSERT_TRUE(output.persist);
  EXPECT_EQ(output.persist->records.size(), 5U);
  EXPECT_TRUE(only<Accepted>(output.send_now).empty());
  const auto deferred = only<Accepted>(output.send_after_durable);
  ASSERT_EQ(deferred.size(), 1U);
  EXPECT_EQ(deferred[0].through_durable, Slot(5));
  EXPECT_EQ(output.send_after_durable[0].ticket, output.persist->ticket);
}

TEST(Replica, AVoterThatHearsALeaderGrantsNothing) {
  Replica replica = fresh_replica();
  replica.step(from(2, Heartbeat{ballot(1, 2), kNoSlot, kNoSlot, ReadSequence(), LeaseSequence()}));
  replica.step(from(3, PreVote{RequestId(1), ballot(2, 3), kNoSlot, kNoSlot, Ballot()}));
  EXPECT_FALSE(only<PreVoteReply>(replica.take_output().send_now).at(0).is_granted);
  replica.advance(base::Millis(1500));
  replica.step(from(3, PreVote{RequestId(2), ballot(2, 3), kNoSlot, kNoSlot, Ballot()}));
  const Output output = replica.take_output();
  EXPECT_TRUE(only<PreVoteReply>(output.send_now).at(0).is_granted);
  EXPECT_FALSE(output.persist);
}

TEST(Replica, AnEstablishedLeaderRunsPhaseOneAgainForAStrayPromise) {
  Replica leader = established_leader();
  leader.step(from(3, Nack{ballot(1, 1), ballot(4, 3), NackReason::kBallot, std::nullopt}));
  EXPECT_EQ(leader.role(), Role::kPreparing);
  EXPECT_EQ(leader.acceptor().promised(), ballot(5, 1));
}

TEST(Replica, ALeaderStepsDownIfTheStrayPromiseFollowsAnother) {
  Replica leader = established_leader();
  leader.step(from(3, Nack{ballot(1, 1), ballot(4, 2), NackReason::kBallot, ReplicaId(2)}));
  EXPECT_EQ(leader.role(), Role::kFollower);
}

TEST(Replica, ALeaderWithoutAnswersStepsDown) {
  Replica leader = established_leader();
  leader.advance(base::Millis(5000 + 1100));
  leader.tick();
  EXPECT_EQ(leader.role(), Role::kFollower);
}

TEST(Replica, ALeaderWhoseDiskHangsStepsDownAndDoesNotStand) {
  Replica leader = established_leader();
  ASSERT_EQ(leader.propose({"a"}).code, Proposed::Code::kTaken);
  const Output output = leader.take_output();
  ASSERT_TRUE(output.persist);
  for (int i = 1; i <= 40; ++i) {
    leader.advance(base::Millis(5000 + 100 * i));
    answer_heartbeat(leader, ReadSequence(0));
    leader.tick();
    EXPECT_NE(leader.role(), Role::kAsking);
    EXPECT_TRUE(only<PreVote>(leader.take_output().send_now).empty());
  }
  EXPECT_EQ(leader.role(), Role::kFollower);
}

TEST(Replica, ProposalsAboveTheCapAreRefused) {
  Options options;
  options.self = Member{ReplicaId(1), Incarnation(1)};
  RecoveredState state;
  state.chain.configurations = {
      Configuration{ConfigId(1), {options.self}, {}, Slot(1), base::Millis(1000), ReplicaId()}};
  options.limits.unexecuted_bytes = 100;
  Replica alone(options, state, base::Random(1), Instant());
  EXPECT_EQ(alone.propose({"x"}).code, Proposed::Code::kNotLeading);
  alone.advance(base::Millis(5000));
  alone.tick();
  sync(alone, alone.take_output());
  sync(alone, alone.take_output());
  ASSERT_TRUE(alone.is_established());
  alone.applied(alone.take_output().apply.back().slot);
  ASSERT_EQ(alone.propose({std::string(200, 'x')}).code, Proposed::Code::kTaken);
  EXPECT_EQ(alone.propose({"y"}).code, Proposed::Code::kBusy);
  const Output output = alone.take_output();
  sync(alone, output);
  const Output decided = alone.take_output();
  EXPECT_EQ(alone.propose({"y"}).code, Proposed::Code::kBusy);
  alone.applied(decided.apply.back().slot);
  EXPECT_EQ(alone.propose({"y"}).code, Proposed::Code::kTaken);
}

TEST(Replica, FollowersReadAtTheLeadersIndex) {
  Replica replica = fresh_replica();
  replica.step(from(2, Heartbeat{ballot(1, 2), kNoSlot, kNoSlot, ReadSequence(), LeaseSequence()}));
  replica.read(ReadContext(5));
  const auto asked = only<ReadIndexRequest>(replica.take_output().send_now);
  ASSERT_EQ(asked.size(), 1U);
  replica.step(from(2, ReadIndexReply{RequestId(asked[0].id.value() - 1), kNoSlot}));
  EXPECT_TRUE(replica.take_output().reads.empty());
  replica.step(from(2, ReadIndexReply{asked[0].id, kNoSlot}));
  const Output output = replica.take_output();
  ASSERT_EQ(output.reads.size(), 1U);
  EXPECT_EQ(output.reads[0].context, ReadContext(5));
}

}  // namespace
}  // namespace synod::consensus
