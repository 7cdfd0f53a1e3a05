// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "consensus/protocol/replica.h"

// How the log grows, and how a leader keeps or gives up its place: docs/PROTOCOL.md sections 7
// and 13.
namespace synod::consensus {

Proposed Replica::propose(std::vector<base::Bytes> commands) {
  if (!leadership_) return Proposed{Proposed::Code::kNotLeading, {}, {}, leader_};
  std::size_t bytes = 0;
  for (const base::Bytes& command : commands) {
    if (command.size() > options_.limits.command_bytes) {
      return Proposed{Proposed::Code::kRefused, {}, {}, leader_};
    }
    bytes += command.size() + Entry::kOverhead;
  }
  // A lone batch that is larger than the cap passes: nothing would ever make room for it.
  const std::size_t held = leadership_->unexecuted_bytes;
  const bool is_full = held > 0 && held + bytes > options_.limits.unexecuted_bytes;
  const bool is_ending = leadership_->is_stopping && !SYNOD_PLANT("pipeline_past_stop");
  if (is_full || is_ending || leadership_->hand_over) {
    return Proposed{Proposed::Code::kBusy, {}, {}, leader_};
  }
  const Ballot ballot = acceptor_.promised();
  const Slot first = acceptor_.through().next();
  for (base::Bytes& command : commands) {
    append(make_entry(ballot, EntryKind::kCommand, std::move(command)));
  }
  return Proposed{Proposed::Code::kTaken, first, ballot, leader_};
}

void Replica::append(const Entry& entry) {
  SYNOD_ASSERT(acceptor_.promised().owner == options_.self.id, "E2: proposals in an own ballot");
  const Slot slot = acceptor_.propose(entry);
  SYNOD_ASSERT(slot > acceptor_.commit(), "P3: nothing is proposed over a decided slot");
  SYNOD_ASSERT(!history_.is_between(), "C1: nothing is proposed behind a decided stop-sign");
  leadership_->unexecuted.emplace_back(slot, entry.bytes());
  leadership_->unexecuted_bytes += entry.bytes();
}

void Replica::on(ReplicaId from, const Accept& message) {
  if (!follow(from, message.ballot)) return;
  if (message.first == kNoSlot) return complain(from, "proposes at no slot");
  read_seen_ = std::max(read_seen_, message.read_sequence);
  switch (acceptor_.accept(message)) {
    case Acceptor::Verdict::kTaken:
      break;
    case Acceptor::Verdict::kGap:
      gap_ = acceptor_.through().next();
      break;
    case Acceptor::Verdict::kConflict:
    case Acceptor::Verdict::kOutbid:
      return complain(from, "proposes what contradicts this log");
  }
  owes_acknowledgement_ = true;
}

void Replica::on(ReplicaId from, const Heartbeat& message) {
  if (!follow(from, message.ballot)) return;
  acceptor_.decide(message.commit);
  read_seen_ = std::max(read_seen_, message.read_sequence);
  std::optional<Slot> gap;
  if (message.last > acceptor_.through()) gap = acceptor_.through().next();
  send(from, Accepted{acceptor_.promised(), acceptor_.acknowledged(), acceptor_.announced_commit(),
                      learner_.applied(), read_seen_, gap, message.lease_sequence});
  // Its answer to this process says when the damaged end of this log is known again (docs §10).
  if (acceptor_.unknown_tail() && !tail_goal_) say_hello(from, ProcessId());
}

void Replica::on(ReplicaId from, const Commit& message) {
  if (follow(from, message.ballot)) acceptor_.decide(message.commit);
}

void Replica::on(ReplicaId from, const Accepted& message) {
  if (!leadership_ || message.ballot != acceptor_.promised()) return;
  if (message.read_sequence > leadership_->reads.sequence()) {
    return complain(from, "acknowledges a read that was not asked");
  }
  if (!leadership_->pipeline.on_accepted(from, message, acceptor_.through(), now_,
                                         options_.timing.heartbeat)) {
    return complain(from, "acknowledges what was not proposed");
  }
  note_has(from, std::max(message.through_durable, message.commit));
  leadership_->lease.on_acknowledged(from, message.lease_sequence, now_);
  advance_commit();
}

void Replica::advance_commit() {
  Slot own = acceptor_.acknowledged();
  if (SYNOD_PLANT("leader_counts_itself_early")) own = acceptor_.through();
  const Slot reached = leadership_->pipeline.majority_through(own);
  const Slot old = acceptor_.commit();
  if (reached <= old) return;
  SYNOD_ASSERT(reached <= acceptor_.through(), "P5: nobody acknowledges more than was proposed");
  acceptor_.decide(reached);
}

/// W1: what is proposed counts until it is executed, so that a state machine which stands still
/// closes the door.
void Replica::forget_executed() {
  Leadership& lead = *leadership_;
  while (!lead.unexecuted.empty() && lead.unexecuted.front().first <= learner_.applied()) {
    SYNOD_ASSERT(lead.unexecuted_bytes >= lead.unexecuted.front().second, "W1: bytes add up");
    lead.unexecuted_bytes -= lead.unexecuted.front().second;
    lead.unexecuted.pop_front();
  }
}

void Replica::tick_leader() {
  Leadership& lead = *leadership_;
  const bool has_quorum = lead.pipeline.has_quorum(now_ - options_.timing.election_min);
  if (!has_quorum || is_disk_stalled()) {
    // Who has everything and a disk that works may stand at once.
    const auto heir = lead.pipeline.caught_up(acceptor_.through());
    if (has_quorum && heir) send(*heir, Transfer{acceptor_.promised()});
    step_down();
    election_.restart_timer(now_);
    return;
  }
  // Not done in time: admit again. The lease stays revoked for the rest of the ballot (R4).
  if (lead.hand_over && now_ >= lead.hand_over->give_up) lead.hand_over.reset();
  if (now_ < lead.next_heartbeat) return;
  if (lead.hand_over) lead.hand_over->is_sent = false;
  lead.next_heartbeat = now_ + options_.timing.heartbeat;
  send_heartbeats();
}

void Replica::go_on_handing_over() {
  Leadership& lead = *leadership_;
  if (!lead.hand_over || lead.hand_over->is_sent) return;
  if (!lead.pipeline.is_caught_up(lead.hand_over->to, acceptor_.through())) return;
  lead.hand_over->is_sent = true;
  send(lead.hand_over->to, Transfer{acceptor_.promised()});
}

bool Replica::transfer(ReplicaId to) {
  const bool is_possible = is_established() && !leadership_->is_stopping &&
                           !leadership_->hand_over && configuration().is_voter(to) &&
                           to != options_.self.id;
  if (!is_possible) return false;
  leadership_->lease.revoke();
  leadership_->hand_over = Leadership::HandOver{to, now_ + options_.timing.election_min, false};
  return true;
}

void Replica::send_heartbeats() {
  Leadership& lead = *leadership_;
  const LeaseSequence lease = lead.lease.begin(now_);
  for (Pipeline::Send& each : lead.pipeline.heartbeats(acceptor_.commit(), acceptor_.through(),
                                                       lead.reads.sequence(), lease)) {
    send(each.to, std::move(each.message));
  }
}

}  // namespace synod::consensus
