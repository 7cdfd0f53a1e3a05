// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "consensus/protocol/replica.h"

// How the log is read: docs/PROTOCOL.md section 9.
namespace synod::consensus {

void Replica::read(ReadContext context) {
  // Those that have their index wait for the state machine, which may stand still.
  if (unapplied_reads_.size() >= options_.limits.reads) {
    output_.reads.push_back({context, std::nullopt});
    return;
  }
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
  if (holds_lease()) return send(from, ReadIndexReply{message.id, acceptor_.commit()});
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

void Replica::fail_forwarded_reads(Instant until) {
  while (!forwarded_.empty() && forwarded_.begin()->second.give_up <= until) {
    output_.reads.push_back({forwarded_.begin()->second.context, std::nullopt});
    forwarded_.erase(forwarded_.begin());
  }
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

/// Checked after the request came: `now` was read later than that (R3).
bool Replica::holds_lease() const {
  return options_.reads_by_lease && is_established() && leadership_->lease.is_held(now_);
}

}  // namespace synod::consensus
