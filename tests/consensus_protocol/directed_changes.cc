// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/configuration_codec.h"
#include "tests/consensus_protocol/directed.h"
#include "tests/consensus_protocol/samples.h"

// Directed claims about the borders of configurations, leases and damage.
namespace synod::consensus {
namespace {

Chain two_configurations(Slot stop) {
  Chain chain = blank().chain;
  Configuration next = chain.current();
  next.id = ConfigId(2);
  next.first = stop.next();
  next.first_leader = ReplicaId(1);
  chain.configurations.push_back(next);
  chain.as_of = stop;
  return chain;
}

Entry stop_sign(const Ballot& origin) {
  return make_entry(origin, EntryKind::kStopSign,
                    encode_next({three().voters, ReplicaId(1), base::Millis(1000)}));
}

}  // namespace

bool nothing_is_adopted_behind_a_stop_sign() {
  PhaseOne phase_one(ballot(5, 1), three(), kNoSlot);
  Promise promise{ballot(5, 1), kNoSlot, kNoSlot, kNoSlot, kOpenEnd, {}, std::nullopt};
  promise.slots.push_back({Slot(1), ballot(2, 2), stop_sign(ballot(2, 2))});
  promise.slots.push_back({Slot(2), ballot(1, 3), command(ballot(1, 3), "left over")});
  phase_one.add(ReplicaId(2), promise);
  promise.slots.clear();
  phase_one.add(ReplicaId(1), promise);
  const auto adoption = phase_one.adopt();
  return adoption && adoption->entries.size() == 1;
}

bool an_unknown_tail_blocks_the_open_end() {
  PhaseOne phase_one(ballot(5, 1), three(), kNoSlot);
  Promise promise{ballot(5, 1), kNoSlot, kNoSlot, kNoSlot, kOpenEnd, {}, std::nullopt};
  phase_one.add(ReplicaId(1), promise);
  promise.unknown_tail = ballot(4, 2);
  phase_one.add(ReplicaId(2), promise);
  if (phase_one.adopt()) return false;
  promise.unknown_tail.reset();
  phase_one.add(ReplicaId(3), promise);
  return phase_one.adopt().has_value();
}

bool a_late_heartbeat_does_not_end_the_guard_of_a_restart() {
  Replica replica = fresh_replica();
  replica.advance(base::Millis(100));
  replica.step(from(2, Heartbeat{ballot(1, 2), kNoSlot, kNoSlot, ReadSequence(), LeaseSequence()}));
  replica.advance(base::Millis(200));
  replica.step(from(2, Prepare{ballot(4, 2), kNoSlot, ballot(1, 2)}));
  const auto refusals = only<Nack>(replica.take_output().send_now);
  return refusals.size() == 1 && refusals[0].reason == NackReason::kGuard &&
         replica.acceptor().promised() == ballot(1, 2);
}

bool a_token_passes_the_guard_of_its_ballot_only() {
  Guard guard(base::Millis(100), Instant());
  const Instant now = base::Millis(200);
  guard.arm(ballot(3, 2), now);
  return guard.refuses(ReplicaId(3), now) && guard.refuses(ReplicaId(3), now, ballot(2, 1)) &&
         !guard.refuses(ReplicaId(3), now, ballot(3, 2)) && !guard.refuses(ReplicaId(2), now);
}

bool a_revoked_lease_does_not_come_back() {
  Lease lease(three(), ReplicaId(1));
  lease.on_acknowledged(ReplicaId(2), lease.begin(Instant()), base::Millis(1));
  if (!lease.is_held(base::Millis(2))) return false;
  lease.revoke();
  const LeaseSequence later = lease.begin(base::Millis(3));
  lease.on_acknowledged(ReplicaId(2), later, base::Millis(4));
  return !lease.is_held(base::Millis(5));
}

bool a_first_leader_waits_for_its_ballot() {
  Replica leader = established_leader();
  const NextConfiguration next{three().voters, ReplicaId(1), base::Millis(1000)};
  if (leader.reconfigure(next).code != Proposed::Code::kTaken) return false;
  sync(leader, leader.take_output());
  answer_heartbeat(leader, ReadSequence());  // a majority has the stop-sign
  const Output entering = leader.take_output();
  if (!entering.persist || !entering.persist->chain) return false;
  sync(leader, entering);
  const bool waits = leader.role() == Role::kPreparing;
  const Output first = leader.take_output();
  sync(leader, first);
  return waits && only<Heartbeat>(first.send_now).empty() && leader.role() == Role::kLeading &&
         leader.acceptor().promised() == Ballot{ConfigId(2), Round(), ReplicaId(1)};
}

bool slots_behind_the_end_are_void() {
  RecoveredState state = blank();
  state.promised = ballot(2, 2);
  state.commit_hint = Slot(2);
  add(state, 1, ballot(2, 2), command(ballot(2, 2), "a"));
  add(state, 2, ballot(2, 2), stop_sign(ballot(2, 2)));
  add(state, 3, ballot(1, 3), command(ballot(1, 3), "left over"));
  Acceptor acceptor(state);
  acceptor.enter_configuration(Slot(2), two_configurations(Slot(2)));
  const std::vector<Promise> parts = acceptor.promise(kNoSlot, SIZE_MAX);
  return acceptor.log().last() == Slot(2) && parts.size() == 1 && parts[0].slots.size() == 2 &&
         acceptor.promised() == null_ballot(ConfigId(2));
}

}  // namespace synod::consensus
