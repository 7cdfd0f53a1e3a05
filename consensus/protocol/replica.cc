// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/replica.h"

#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "base/text.h"

namespace synod::consensus {

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kAsking:
      return "asking";
    case Role::kPreparing:
      return "preparing";
    case Role::kLearning:
      return "learning";
    case Role::kLeading:
      return "leading";
  }
  SYNOD_ASSERT(false, "a role without a name");
  return "";
}

Replica::Replica(Options options, const RecoveredState& state, base::Random random, Instant now)
    : options_(std::move(options)),
      random_(random),
      now_(now),
      acceptor_(state),
      learner_(std::max(state.applied, state.base), state.fence),
      election_(options_.timing, random_.fork(), now),
      guard_(SYNOD_PLANT("guard_forgotten") ? Instant() : options_.configuration.guard, now),
      next_request_(random_.next()) {
  SYNOD_ASSERT(options_.configuration.is_member(options_.self), "C2: a replica is in its group");
  election_.observe(acceptor_.promised());
}

void Replica::advance(Instant now) {
  SYNOD_ASSERT(now >= now_, "R1: time does not go back");
  now_ = now;
}

void Replica::step(const Envelope& envelope) {
  const bool is_known = options_.configuration.is_member(envelope.from);
  if (!is_known || envelope.from == options_.self || envelope.to != options_.self.id) {
    complain(envelope.from.id, "not of this group, or not for this replica");
    return;
  }
  const ReplicaId from = envelope.from.id;
  if (envelope.config != options_.configuration.id) {
    complain(from, "of another configuration");
    return;
  }
  std::visit([this, from](const auto& message) { on(from, message); }, envelope.message);
}

void Replica::tick() {
  if (leadership_) tick_leader();
  if (candidacy_) tick_candidate();
  while (!forwarded_.empty()) {
    const auto oldest = forwarded_.begin();
    if (oldest->second.give_up > now_) break;
    output_.reads.push_back({oldest->second.context, std::nullopt});
    forwarded_.erase(oldest);
  }
  const bool may_stand = role_ == Role::kFollower || role_ == Role::kAsking;
  if (may_stand && election_.is_due(now_)) ask();
}

void Replica::persisted(Ticket ticket) {
  acceptor_.persisted(ticket);
  while (!frames_.empty() && frames_.front().first <= ticket) frames_.pop_front();
  if (leadership_) advance_commit();
  if (candidacy_) try_to_lead();
}

void Replica::applied(Slot slot) {
  learner_.on_applied(slot);
  release_applied_reads();
}

void Replica::install_snapshot(Slot slot, const Ballot& fence) {
  if (slot <= learner_.applied()) return;
  learner_.install_snapshot(slot, fence);
  acceptor_.install_snapshot(slot);
  release_applied_reads();
  if (candidacy_) go_on_learning();
}

bool Replica::is_established() const {
  return leadership_ && acceptor_.commit() >= leadership_->barrier;
}

void Replica::enter(const Ballot& ballot) {
  step_down();
  leader_.reset();
  owes_acknowledgement_ = false;
  gap_.reset();
  read_seen_ = ReadSequence();
  acceptor_.enter(ballot);
  election_.observe(ballot);
}

/// The head of every message of a leader: false if it has nothing to say here.
bool Replica::follow(ReplicaId from, const Ballot& ballot) {
  election_.observe(ballot);
  if (ballot.owner != from) {
    complain(from, "speaks in a ballot of another");
    return false;
  }
  if (ballot < acceptor_.promised() && !SYNOD_PLANT("no_promise_check")) {
    send(from, Nack{ballot, acceptor_.promised(), NackReason::kBallot, leader_});
    return false;
  }
  if (ballot > acceptor_.promised()) enter(ballot);
  if (role_ == Role::kAsking) role_ = Role::kFollower;
  leader_ = from;
  election_.on_leader_heard(now_);
  guard_.arm(from, now_);
  return true;
}

void Replica::send(ReplicaId to, Message message) {
  SYNOD_ASSERT(to != options_.self.id, "C2: a replica does not send to itself");
  output_.send_now.push_back(
      Envelope{options_.self, to, options_.configuration.id, std::move(message)});
}

void Replica::send_after_durable(ReplicaId to, Message message) {
  SYNOD_ASSERT(to != options_.self.id, "C2: a replica does not send to itself");
  if (SYNOD_PLANT("answer_before_sync")) return send(to, std::move(message));
  deferred_.emplace_back(to, std::move(message));
}

void Replica::send_to_voters(const Message& message, bool is_deferred) {
  for (const Member& voter : options_.configuration.voters) {
    if (voter == options_.self) continue;
    if (is_deferred) {
      send_after_durable(voter.id, message);
    } else {
      send(voter.id, message);
    }
  }
}

void Replica::complain(ReplicaId from, std::string_view what) {
  output_.complaints.push_back(base::concat("replica ", from.value(), ": ", what));
}

bool Replica::is_disk_stalled() const {
  return !frames_.empty() && frames_.front().second + 2 * options_.timing.election_min <= now_;
}

/// What a leader has to say, once for the whole batch.
void Replica::pump() {
  Leadership& lead = *leadership_;
  serve_reads();
  const Slot commit = acceptor_.commit();
  auto sends =
      lead.pipeline.fill(acceptor_.log(), acceptor_.through(), commit, lead.reads.sequence());
  for (Pipeline::Send& each : sends) send(each.to, std::move(each.message));
  for (Pipeline::Send& each : lead.pipeline.announce(commit)) send(each.to, each.message);
}

/// One acknowledgement for all Accepts of the batch; it waits for their common frame.
void Replica::flush_acknowledgement() {
  if (!std::exchange(owes_acknowledgement_, false) || !leader_) return;
  send_after_durable(*leader_, Accepted{acceptor_.promised(), acceptor_.through(),
                                        acceptor_.commit(), learner_.applied(), read_seen_,
                                        std::exchange(gap_, std::nullopt), LeaseSequence()});
}

Output Replica::take_output() {
  if (leadership_) pump();
  flush_acknowledgement();
  output_.persist = acceptor_.take_persist();
  if (output_.persist) frames_.emplace_back(output_.persist->ticket, now_);
  for (auto& [to, message] : deferred_) {
    output_.send_after_durable.push_back(
        {acceptor_.issued(),
         Envelope{options_.self, to, options_.configuration.id, std::move(message)}});
  }
  deferred_.clear();
  output_.apply = learner_.deliver(acceptor_);
  return std::exchange(output_, {});
}

}  // namespace synod::consensus
