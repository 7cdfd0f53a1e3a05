// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_protocol/samples.h"

#include <utility>

namespace synod::consensus {

Ballot ballot(std::uint64_t round, std::uint32_t owner) {
  return Ballot{ConfigId(1), Round(round), ReplicaId(owner)};
}

Entry command(const Ballot& origin, const std::string& text) {
  return make_entry(origin, EntryKind::kCommand, text);
}

Entry barrier(const Ballot& origin) { return make_entry(origin, EntryKind::kBarrier, {}); }

Configuration three() {
  Configuration configuration{ConfigId(1), {}, {}, Slot(1), base::Millis(1000), ReplicaId()};
  for (std::uint32_t id = 1; id <= 3; ++id) {
    configuration.voters.push_back(Member{ReplicaId(id), Incarnation(id)});
  }
  return configuration;
}

RecoveredState blank() {
  RecoveredState state;
  state.chain.configurations = {three()};
  return state;
}

void add(RecoveredState& state, std::uint64_t slot, const Ballot& accepted, const Entry& entry) {
  state.slots.push_back(RecoveredSlot{Slot(slot), accepted, entry});
}

void add_unknown(RecoveredState& state, std::uint64_t slot, const Ballot& bound) {
  state.slots.push_back(RecoveredSlot{Slot(slot), bound, std::nullopt});
}

Replica fresh_replica(const RecoveredState& state, bool reads_by_lease) {
  Options options;
  options.reads_by_lease = reads_by_lease;
  options.self = three().voters[0];
  Replica replica(options, state, base::Random(1), Instant());
  (void)replica.take_output();  // greetings
  return replica;
}

Envelope from(std::uint32_t sender, Message message) {
  return Envelope{three().voters[sender - 1], ProcessId(sender), ReplicaId(1), ConfigId(1),
                  std::move(message)};
}

void sync(Replica& replica, const Output& output) {
  if (output.persist) replica.persisted(output.persist->ticket);
}

Replica established_leader(bool reads_by_lease) {
  Replica replica = fresh_replica(blank(), reads_by_lease);
  replica.advance(base::Millis(5000));
  replica.tick();
  const PreVote question = only<PreVote>(replica.take_output().send_now).at(0);
  replica.step(from(2, PreVoteReply{question.probe, true, {}, {}, {}, {}}));
  sync(replica, replica.take_output());
  const Ballot own = ballot(1, 1);
  replica.step(from(2, Promise{own, kNoSlot, kNoSlot, kNoSlot, kOpenEnd, {}, std::nullopt}));
  sync(replica, replica.take_output());
  replica.step(from(
      2, Accepted{own, Slot(1), kNoSlot, kNoSlot, ReadSequence(), std::nullopt, LeaseSequence()}));
  const Output output = replica.take_output();
  replica.applied(output.apply.back().slot);
  return replica;
}

void answer_heartbeat(Replica& leader, ReadSequence sequence) {
  const Slot through = leader.acceptor().through();
  leader.step(from(2, Accepted{leader.acceptor().promised(), through, leader.acceptor().commit(),
                               kNoSlot, sequence, std::nullopt, LeaseSequence()}));
}

}  // namespace synod::consensus
