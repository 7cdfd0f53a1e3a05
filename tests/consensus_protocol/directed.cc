// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_protocol/directed.h"

#include "consensus/protocol/replica.h"
#include "tests/consensus_protocol/samples.h"

namespace synod::consensus {

bool fence_is_the_greatest_barrier() {
  // Leader 2's barrier and command, left over behind leader 3's barrier, are chosen late.
  RecoveredState state = blank();
  state.promised = ballot(9, 1);
  add(state, 1, ballot(9, 1), barrier(ballot(3, 1)));
  add(state, 2, ballot(9, 1), command(ballot(3, 1), "y"));
  add(state, 3, ballot(9, 1), barrier(ballot(2, 2)));
  add(state, 4, ballot(9, 1), command(ballot(2, 2), "p"));
  add(state, 5, ballot(9, 1), barrier(ballot(9, 1)));
  add(state, 6, ballot(9, 1), command(ballot(9, 1), "z"));
  state.commit_hint = Slot(6);
  const Acceptor acceptor(state);
  Learner learner(kNoSlot, Ballot());
  const std::vector<Delivery> deliveries = learner.deliver(acceptor);
  const std::vector<bool> expected{false, false, true, true, false, false};
  if (deliveries.size() != expected.size()) return false;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (deliveries[i].is_fenced != expected[i]) return false;
  }
  return learner.fence() == ballot(9, 1);
}

bool parts_of_a_promise_share_the_greatest_commit() {
  // Between its parts the acceptor installed a snapshot of slot 20 and forgot 11 to 20.
  PhaseOne phase_one(ballot(5, 1), three(), Slot(5));
  Promise first{ballot(5, 1), Slot(5), kNoSlot, Slot(5), Slot(10), {}, std::nullopt};
  for (std::uint64_t slot = 6; slot <= 10; ++slot) {
    first.slots.push_back({Slot(slot), ballot(1, 3), command(ballot(1, 3), "a")});
  }
  const Promise second{ballot(5, 1), Slot(20), Slot(20), Slot(10), kOpenEnd, {}, std::nullopt};
  const Promise own{ballot(5, 1), Slot(5), kNoSlot, Slot(5), kOpenEnd, {}, std::nullopt};
  phase_one.add(ReplicaId(2), first);
  phase_one.add(ReplicaId(2), second);
  phase_one.add(ReplicaId(1), own);
  const auto adoption = phase_one.adopt();
  return adoption && adoption->commit_max == Slot(20) && adoption->holder == ReplicaId(2) &&
         adoption->entries.empty();
}

bool late_acknowledgement_releases_nothing() {
  ReadIndex reads;
  reads.add({std::nullopt, RequestId(), ReadContext(1)});
  if (!reads.open(Slot(3))) return false;
  const ReadSequence first = reads.sequence();
  if (!reads.on_majority(first)) return false;
  reads.add({std::nullopt, RequestId(), ReadContext(2)});
  return reads.open(Slot(4)) && !reads.on_majority(first);
}

bool lone_leader_releases_no_read() {
  Replica leader = established_leader();
  leader.read(ReadContext(1));
  if (!leader.take_output().reads.empty()) return false;
  answer_heartbeat(leader, ReadSequence(0));
  if (!leader.take_output().reads.empty()) return false;
  answer_heartbeat(leader, ReadSequence(1));
  const Output output = leader.take_output();
  return output.reads.size() == 1 && output.reads[0].index == Slot(1);
}

bool lease_runs_from_sending() {
  Lease lease(three(), ReplicaId(1));
  const LeaseSequence sequence = lease.begin(Instant());
  lease.on_acknowledged(ReplicaId(2), sequence, base::Millis(500));
  return lease.is_held(base::Millis(899)) && !lease.is_held(base::Millis(901));
}

bool restart_arms_the_guard() {
  Replica replica = fresh_replica();
  replica.advance(base::Millis(100));
  replica.step(from(2, Prepare{ballot(4, 2), kNoSlot, std::nullopt}));
  const Output early = replica.take_output();
  replica.advance(base::Millis(1000));
  replica.step(from(2, Prepare{ballot(4, 2), kNoSlot, std::nullopt}));
  const Output later = replica.take_output();
  const auto refusals = only<Nack>(early.send_now);
  return refusals.size() == 1 && refusals[0].reason == NackReason::kGuard && !early.persist &&
         only<Promise>(later.send_after_durable).size() == 1;
}

bool snapshot_keeps_accepted_suffix() {
  RecoveredState state = blank();
  state.promised = ballot(2, 2);
  for (std::uint64_t slot = 1; slot <= 4; ++slot) {
    add(state, slot, ballot(2, 2), command(ballot(2, 2), "v"));
  }
  Acceptor acceptor(state);
  acceptor.install_snapshot(Slot(2), blank().chain);
  const std::vector<Promise> parts = acceptor.promise(Slot(2), SIZE_MAX);
  return acceptor.commit() == Slot(2) && parts.size() == 1 && parts[0].slots.size() == 2 &&
         parts[0].slots[1].slot == Slot(4) && parts[0].slots[1].ballot == ballot(2, 2);
}

}  // namespace synod::consensus
