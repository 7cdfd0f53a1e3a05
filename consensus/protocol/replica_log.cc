// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "consensus/protocol/replica.h"

// How the log grows, is read and is caught up with: docs/PROTOCOL.md sections 7 to 9.
namespace synod::consensus {

Proposed Replica::propose(std::vector<base::Bytes> commands) {
  if (!leadership_) return Proposed{Proposed::Code::kNotLeading, {}, {}, leader_};
  if (leadership_->undecided_bytes >= options_.limits.undecided_bytes) {
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
  leadership_->undecided_bytes += entry.bytes();
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
  send(from, Accepted{acceptor_.promised(), acceptor_.acknowledged(), acceptor_.commit(),
                      learner_.applied(), read_seen_, gap, message.lease_sequence});
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
  for (Slot slot = old.next(); slot <= reached; slot = slot.next()) {
    const std::size_t bytes = acceptor_.log().find(slot)->entry->bytes();
    SYNOD_ASSERT(leadership_->undecided_bytes >= bytes, "W1: bytes add up");
    leadership_->undecided_bytes -= bytes;
  }
}

void Replica::on(ReplicaId from, const Fetch& message) {
  const SlotLog& log = acceptor_.log();
  Entries reply{message.id, message.low, {}, acceptor_.commit(), log.base()};
  const Slot high = std::min(message.high, acceptor_.commit());
  std::size_t bytes = 0;
  for (Slot slot = message.low; slot > log.base() && slot <= high; slot = slot.next()) {
    if (bytes > options_.limits.message_bytes) break;
    reply.entries.push_back(*log.find(slot)->entry);
    bytes += reply.entries.back().bytes();
  }
  send(from, std::move(reply));
}

void Replica::on(ReplicaId from, const Entries& message) {
  if (role_ != Role::kLearning || message.id != candidacy_->fetch) return;
  if (message.entries.empty()) {
    if (message.base >= message.low) output_.snapshot_wanted = {from, message.base};
    return;
  }
  const Slot last(message.low.value() + message.entries.size() - 1);
  if (message.commit < last) return complain(from, "sends what it does not know to be decided");
  const Slot old = acceptor_.commit();
  if (acceptor_.learn(message.low, message.entries) == Acceptor::Verdict::kConflict) {
    return complain(from, "says decided what contradicts this log");
  }
  candidacy_->give_up = now_ + options_.timing.election_min;
  // The next part is asked for when this one is durable and commit has moved over it.
  candidacy_->next_resend = now_;
  if (acceptor_.commit() > old) go_on_learning();
}

void Replica::on(ReplicaId from, const SnapshotOffer& message) {
  if (!follow(from, message.ballot)) return;
  if (message.slot > acceptor_.commit()) output_.snapshot_wanted = {from, message.slot};
}

void Replica::read(ReadContext context) {
  if (holds_lease()) {
    unapplied_reads_.emplace(acceptor_.commit(), context);
    return release_applied_reads();
  }
  const bool leads_soon = role_ == Role::kLeading;
  if (leads_soon && leadership_->reads.waiting() < options_.limits.reads) {
    return leadership_->reads.add(ReadRequest{std::nullopt, RequestId(), context});
  }
  const bool can_ask = leader_ && *leader_ != options_.self.id;
  if (!can_ask || forwarded_.size() >= options_.limits.reads) {
    output_.reads.push_back({context, std::nullopt});
    return;
  }
  next_request_ = next_request_.next();
  forwarded_[next_request_] = ForwardedRead{context, now_ + options_.timing.election_min};
  send(*leader_, ReadIndexRequest{next_request_});
}

void Replica::on(ReplicaId from, const ReadIndexRequest& message) {
  const ReadRequest request{from, message.id, ReadContext()};
  if (!leadership_ || leadership_->reads.waiting() >= options_.limits.reads) {
    return fail_read(request);
  }
  leadership_->reads.add(request);
}

void Replica::on(ReplicaId, const ReadIndexReply& message) {
  const auto found = forwarded_.find(message.id);
  if (found == forwarded_.end()) return;
  if (message.index) {
    unapplied_reads_.emplace(*message.index, found->second.context);
  } else {
    output_.reads.push_back({found->second.context, std::nullopt});
  }
  forwarded_.erase(found);
  release_applied_reads();
}

void Replica::fail_read(const ReadRequest& request) {
  if (request.follower) {
    send(*request.follower, ReadIndexReply{request.id, std::nullopt});
  } else {
    output_.reads.push_back({request.context, std::nullopt});
  }
}

void Replica::serve_reads() {
  Leadership& lead = *leadership_;
  if (!is_established() && !SYNOD_PLANT("read_before_barrier")) return;
  // A group of one is its own majority and goes round after round.
  while (true) {
    if (lead.reads.open(acceptor_.commit())) {
      send_heartbeats();
    }
    const auto released = lead.reads.on_majority(
        SYNOD_PLANT("read_without_quorum") ? lead.reads.sequence()
                                           : lead.pipeline.majority_read(lead.reads.sequence()));
    if (!released) break;
    for (const ReadRequest& request : released->requests) {
      if (request.follower) {
        send(*request.follower, ReadIndexReply{request.id, released->index});
      } else {
        unapplied_reads_.emplace(released->index, request.context);
      }
    }
  }
  release_applied_reads();
}

void Replica::release_applied_reads() {
  while (!unapplied_reads_.empty()) {
    const auto first = unapplied_reads_.begin();
    if (first->first > learner_.applied()) break;
    output_.reads.push_back({first->second, first->first});
    unapplied_reads_.erase(first);
  }
}

void Replica::tick_leader() {
  Leadership& lead = *leadership_;
  const bool has_quorum = lead.pipeline.has_quorum(now_ - options_.timing.election_min);
  if (!has_quorum || is_disk_stalled()) {
    step_down();
    election_.restart_timer(now_);
    return;
  }
  if (now_ < lead.next_heartbeat) return;
  lead.next_heartbeat = now_ + options_.timing.heartbeat;
  send_heartbeats();
}

void Replica::send_heartbeats() {
  Leadership& lead = *leadership_;
  const LeaseSequence lease = lead.lease.begin(now_);
  for (Pipeline::Send& each : lead.pipeline.heartbeats(acceptor_.commit(), acceptor_.through(),
                                                       lead.reads.sequence(), lease)) {
    send(each.to, std::move(each.message));
  }
}

/// Checked after the request came: `now` was read later than that (R3).
bool Replica::holds_lease() const {
  return options_.reads_by_lease && is_established() && leadership_->lease.is_held(now_);
}

}  // namespace synod::consensus
