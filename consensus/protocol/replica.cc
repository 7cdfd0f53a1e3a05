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
    : options_(options),
      random_(random),
      now_(now),
      history_(state.chain),
      acceptor_(state),
      learner_(std::max(state.applied, state.base), state.fence),
      election_(options_.timing, random_.fork(), now),
      guard_(SYNOD_PLANT("guard_forgotten") ? Instant() : configuration().guard, now),
      process_(random_.next() | 1),
      next_request_(random_.next()),
      superblock_version_(state.superblock_version),
      pull_(options_.snapshot_pull, RequestId(random_.next())),
      retention_({2 * options_.timing.election_min, options_.snapshot_pull.patience}) {
  election_.observe(acceptor_.promised());
  greet();
  prepare_first();
}

void Replica::advance(Instant now) {
  SYNOD_ASSERT(now >= now_, "R1: time does not go back");
  now_ = now;
}

namespace {

/// Said over the borders of configurations: they change no vote.
bool is_exempt(const Message& message) {
  return std::visit(
      Overloaded{[](const Hello&) { return true; }, [](const Nack&) { return true; },
                 [](const Fetch&) { return true; }, [](const Entries&) { return true; },
                 [](const SnapshotOffer&) { return true; },
                 [](const SnapshotFetch&) { return true; },
                 [](const SnapshotData&) { return true; }, [](const SnapshotDone&) { return true; },
                 [](const Introduction&) { return true; }, [](const auto&) { return false; }},
      message);
}

/// Who sends one of these believes to be in force, and should learn better.
bool is_claim(const Message& message) {
  return std::visit(
      Overloaded{[](const PreVote&) { return true; }, [](const Prepare&) { return true; },
                 [](const Accept&) { return true; }, [](const Heartbeat&) { return true; },
                 [](const Commit&) { return true; }, [](const ReadIndexRequest&) { return true; },
                 [](const auto&) { return false; }},
      message);
}

}  // namespace

/// C2, and the border between configurations: docs §3.
bool Replica::is_heard(const Envelope& envelope) {
  const Member& from = envelope.from;
  const bool is_introduction = std::holds_alternative<Introduction>(envelope.message);
  if (from == options_.self || envelope.to != options_.self.id) {
    complain(from.id, "not for this replica");
    return false;
  }
  if (is_introduction) return true;
  if (!history_.chain().knows(from) && !SYNOD_PLANT("strangers_are_heard")) {
    complain(from.id, "not of this group");
    return false;
  }
  const auto peer = peers_.find(from);
  if (peer != peers_.end() && peer->second.refused == envelope.process) return false;
  const bool is_hello = std::holds_alternative<Hello>(envelope.message);
  if (!is_hello && !has_shown_disk(envelope)) return false;
  newest_seen_ = std::max(newest_seen_, envelope.config);
  const bool is_ahead = envelope.config > history_.entered();
  if (is_ahead && !history_.is_between() && !catch_up_) begin_catch_up(from.id, kOpenEnd);
  if (is_exempt(envelope.message)) return true;
  const bool is_current = envelope.config == history_.entered() && !history_.is_between();
  const bool is_member = configuration().is_member(from) || SYNOD_PLANT("strangers_are_heard");
  if (is_current && is_member) return true;
  if (envelope.config < history_.entered() && is_claim(envelope.message)) {
    send(from.id, Nack{{}, acceptor_.promised(), NackReason::kConfig, leader_});
  }
  return false;
}

void Replica::step(const Envelope& envelope) {
  if (!is_heard(envelope)) return;
  std::visit(Overloaded{[&](const Hello& message) { on_hello(envelope, message); },
                        [&](const Introduction&) { on_introduction(envelope); },
                        [&](const auto& message) { on(envelope.from.id, message); }},
             envelope.message);
  settle();
}

void Replica::tick() {
  if (leadership_) tick_leader();
  if (candidacy_) tick_candidate();
  fail_forwarded_reads(now_);
  tick_catch_up();
  tick_pull();
  if (now_ >= next_greeting_) {
    configuration().is_member(options_.self) ? greet_silent_members() : greet();
  }
  const bool may_stand = role_ == Role::kFollower || role_ == Role::kAsking;
  if (may_stand && election_.is_due(now_)) ask();
}

void Replica::persisted(Ticket ticket) {
  acceptor_.persisted(ticket);
  while (!frames_.empty() && frames_.front().ticket <= ticket) {
    if (frames_.front().is_in_superblock) ++superblock_version_;
    frames_.pop_front();
  }
  if (history_.on_durable(ticket)) begin_configuration();
  if (leadership_) advance_commit();
  if (candidacy_) try_to_lead();
  go_on_catching_up();
  settle();
}

void Replica::applied(Slot slot) {
  learner_.on_applied(slot);
  if (leadership_) forget_executed();
  release_applied_reads();
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
  tail_goal_.reset();
  acceptor_.enter(ballot);
  election_.observe(ballot);
}

bool Replica::may_own(ReplicaId from, const Ballot& ballot) const {
  const bool is_theirs = ballot.owner == from && ballot.config == configuration().id;
  return is_theirs && configuration().is_voter(from) && ballot.round <= kRoundMax;
}

/// The head of every message of a leader: false if it has nothing to say here.
bool Replica::follow(ReplicaId from, const Ballot& ballot) {
  election_.observe(ballot);
  if (!may_own(from, ballot)) {
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
  guard_.arm(ballot, now_);
  return true;
}

void Replica::send(ReplicaId to, Message message) {
  SYNOD_ASSERT(to != options_.self.id, "C2: a replica does not send to itself");
  output_.send_now.push_back(
      Envelope{options_.self, process_, to, history_.entered(), std::move(message)});
}

void Replica::send_after_durable(ReplicaId to, Message message) {
  SYNOD_ASSERT(to != options_.self.id, "C2: a replica does not send to itself");
  if (SYNOD_PLANT("answer_before_sync")) return send(to, std::move(message));
  deferred_.emplace_back(to, std::move(message));
}

void Replica::send_to_voters(const Message& message, bool is_deferred) {
  for (const Member& voter : configuration().voters) {
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
  return !frames_.empty() && frames_.front().handed_out + 2 * options_.timing.election_min <= now_;
}

/// What a leader has to say, once for the whole batch.
void Replica::pump() {
  Leadership& lead = *leadership_;
  serve_reads();
  const Slot commit = acceptor_.commit();
  auto sends =
      lead.pipeline.fill(acceptor_.log(), acceptor_.through(), commit, lead.reads.sequence());
  for (Pipeline::Send& each : sends.messages) send(each.to, std::move(each.message));
  for (const ReplicaId follower : sends.too_far_behind) {
    // Who is gone would hold back the log for an offer that it does not hear.
    if (retention_.is_heard(follower, now_)) offer_snapshot(follower);
  }
  for (Pipeline::Send& each : lead.pipeline.announce(commit)) send(each.to, each.message);
  go_on_handing_over();
}

/// One acknowledgement for all Accepts of the batch; it waits for their common frame.
void Replica::flush_acknowledgement() {
  if (!std::exchange(owes_acknowledgement_, false) || !leader_) return;
  send_after_durable(
      *leader_,
      Accepted{acceptor_.promised(), acceptor_.through(), acceptor_.announced_commit(),
               learner_.applied(), read_seen_, std::exchange(gap_, std::nullopt), LeaseSequence()});
}

Output Replica::take_output() {
  settle();
  if (leadership_) pump();
  flush_acknowledgement();
  drain_pull();
  output_.persist = acceptor_.take_persist();
  if (output_.persist) {
    const bool is_in_superblock = output_.persist->is_new_ballot || output_.persist->chain;
    frames_.push_back(Frame{output_.persist->ticket, now_, is_in_superblock});
  }
  for (auto& [to, message] : deferred_) {
    output_.send_after_durable.push_back(
        {acceptor_.issued(),
         Envelope{options_.self, process_, to, history_.entered(), std::move(message)}});
  }
  deferred_.clear();
  output_.apply = learner_.deliver(acceptor_, history_.executable());
  return std::exchange(output_, {});
}

}  // namespace synod::consensus
