// SPDX-License-Identifier: Apache-2.0
#include "router/group_admin.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "router/formation_driver.h"

namespace synod::router {

using base::concat;
using base::Status;
using base::StatusCode;
using consensus::Configuration;
using consensus::Member;
using consensus::Proposed;
using consensus::Replica;
using consensus::ReplicaId;

namespace {

std::optional<Member> find(const std::vector<Member>& members, ReplicaId id) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [id](const Member& member) { return member.id == id; });
  if (found == members.end()) return std::nullopt;
  return *found;
}

std::string describe(const Configuration& now) {
  std::string text = concat("the group is: voters ", list_of(now.voters));
  if (!now.learners.empty()) text += concat("; learners ", list_of(now.learners));
  return text;
}

Status stopping() { return {StatusCode::kClosed, "this node is stopping"}; }

}  // namespace

Status not_leading(const Replica& replica) {
  if (const auto leader = replica.leader(); leader && *leader != ReplicaId()) {
    return {StatusCode::kUnavailable,
            concat("this node does not lead: ask node ", leader->value())};
  }
  return {StatusCode::kUnavailable, "this node does not lead, and does not know who does"};
}

GroupAdmin::GroupAdmin(base::Dispatcher& consensus, consensus::ReplicaRuntime& runtime,
                       const PeerLink& link, ReplicaId self, const GroupAdminOptions& options)
    : strand_(consensus), runtime_(runtime), link_(link), self_(self), options_(options) {}

void GroupAdmin::change_member(MemberChange kind, ReplicaId node, ReplicaId by, Done done) {
  if (change_) {
    return done({StatusCode::kBusy, "another change of the members is under way at this node"});
  }
  change_.emplace();
  change_->kind = kind;
  change_->node = node;
  change_->by = by;
  change_->done = std::move(done);
  change_->progress_at = strand_.clock().boot_time();
  poll_change();
}

void GroupAdmin::poll_change() {
  runtime_.inspect([this](const Replica* replica) {
    if (!change_) return;
    if (replica == nullptr) return finish(stopping());
    look(*replica);
    if (change_) strand_.run_after(options_.poll_interval, [this] { poll_change(); });
  });
}

void GroupAdmin::look(const Replica& replica) {
  const Configuration& now = replica.configuration();
  if (!change_->is_checked) {
    if (Status status = check(replica); !status.ok()) return finish(std::move(status));
    change_->is_checked = true;
  }
  if (is_done(now)) return finish(Status());
  const base::Nanos time = strand_.clock().boot_time();
  note_progress(replica, time);
  const std::string left = concat("; ", describe(now), "; the same command goes on from there");
  if (time - change_->progress_at > options_.patience) {
    return finish(
        {StatusCode::kTimeout, concat("the change is not in force: ", change_->waits_for, left)});
  }
  if (replica.is_established()) {
    if (time >= change_->quiet_until) act(replica);
  } else if (const auto leader = replica.leader(); leader && *leader != self_) {
    finish({StatusCode::kUnavailable,
            concat("node ", leader->value(), " has come to lead meanwhile: ask there", left)});
  }
}

/// What can be known before anything is done.
Status GroupAdmin::check(const Replica& replica) {
  const Configuration& now = replica.configuration();
  if (!replica.is_established()) return not_leading(replica);
  Change& change = *change_;
  const auto voter = find(now.voters, change.node);
  const auto learner = find(now.learners, change.node);
  if (change.node == ReplicaId() ||
      (change.kind == MemberChange::kReplace && change.by == ReplicaId())) {
    return {StatusCode::kInvalidArgument, "nodes count from 1"};
  }
  if (change.kind == MemberChange::kAdd) {
    change.in = change.node;
    if (!voter) return {};
    return {StatusCode::kAlreadyExists,
            concat("node ", change.node.value(), " is a voter already", "; ", describe(now))};
  }
  if (!voter && (!learner || change.kind == MemberChange::kReplace)) {
    // A replacement under the same number that was begun and not ended: its first half is done.
    const bool goes_on = change.kind == MemberChange::kReplace && change.by == change.node;
    if (goes_on) change.in = change.by;
    if (goes_on) return {};
    return {StatusCode::kNotFound,
            concat("node ", change.node.value(), " is no voter; ", describe(now))};
  }
  change.out = voter ? voter : learner;
  if (change.kind == MemberChange::kReplace) change.in = change.by;
  if (change.in && *change.in != change.node && find(now.voters, *change.in)) {
    return {StatusCode::kAlreadyExists,
            concat("node ", change.in->value(), " is a voter already; ", describe(now))};
  }
  const bool is_last = voter && now.voters.size() == 1 && (!change.in || *change.in == change.node);
  if (!is_last) return {};
  return {StatusCode::kInvalidArgument, "the last voter cannot go"};
}

bool GroupAdmin::is_done(const Configuration& now) const {
  if (change_->out && now.is_member(*change_->out)) return false;
  return !change_->in || now.is_voter(*change_->in);
}

void GroupAdmin::note_progress(const Replica& replica, base::Nanos now) {
  Change& change = *change_;
  if (replica.chain().as_of > change.as_of) {
    change.as_of = replica.chain().as_of;
    change.progress_at = now;
    change.quiet_until = now;
  }
  const auto match = change.in ? replica.match(*change.in) : std::nullopt;
  if (!match || *match <= change.match) return;
  change.match = *match;
  change.progress_at = now;
}

void GroupAdmin::act(const Replica& replica) {
  const Configuration& now = replica.configuration();
  const bool is_out = !change_->out || !now.is_member(*change_->out);
  const bool is_same_number = change_->in && change_->out && change_->out->id == *change_->in;
  if (!is_out && (!change_->in || is_same_number)) return take_out(now);
  bring_in(replica);
}

void GroupAdmin::take_out(const Configuration& now) {
  change_->waits_for = concat("node ", change_->out->id.value(), " has not left");
  if (!now.is_voter(*change_->out)) return change_learner(*change_->out, false);
  std::vector<Member> voters = now.voters;
  std::erase(voters, *change_->out);
  reconfigure(now, std::move(voters));
}

void GroupAdmin::bring_in(const Replica& replica) {
  const Configuration& now = replica.configuration();
  const ReplicaId id = *change_->in;
  const auto candidates = link_.candidates(options_.candidate_fresh_for);
  const auto candidate = candidates.find(id);
  const auto learner = find(now.learners, id);
  const bool is_stale = learner && candidate != candidates.end() &&
                        candidate->second.incarnation != learner->incarnation;
  if (is_stale) {
    change_->waits_for = concat("an earlier disk of node ", id.value(), " has not left");
    return change_learner(*learner, false);
  }
  if (learner) return promote(replica, *learner);
  if (candidate == candidates.end()) {
    change_->waits_for = concat("node ", id.value(), " has not introduced itself");
    const base::Nanos waited = strand_.clock().boot_time() - change_->progress_at;
    if (waited <= options_.candidate_fresh_for) return;
    return finish(
        {StatusCode::kNotFound,
         concat("node ", id.value(), " does not ask to be taken in: start it with an ",
                "empty data directory and the members of the group as peers; ", describe(now))});
  }
  change_->waits_for = concat("node ", id.value(), " is not yet a learner");
  change_learner(Member{id, candidate->second.incarnation}, true);
}

/// GA1
void GroupAdmin::promote(const Replica& replica, const Member& learner) {
  const Configuration& now = replica.configuration();
  const std::uint64_t last = replica.acceptor().through().value();
  const std::uint64_t match = replica.match(learner.id).value_or(consensus::Slot()).value();
  if (match + options_.lag_slots_max < last || match == 0) {
    change_->waits_for = concat("node ", learner.id.value(), " is a learner and ",
                                last - std::min(match, last), " slots behind");
    return;
  }
  change_->waits_for = concat("node ", learner.id.value(), " is not yet a voter");
  std::vector<Member> voters = now.voters;
  if (change_->out) std::erase(voters, *change_->out);
  voters.push_back(learner);
  reconfigure(now, std::move(voters));
}

void GroupAdmin::change_learner(const Member& member, bool is_added) {
  change_->quiet_until = strand_.clock().boot_time() + options_.repeat_after;
  // What was refused or lost is asked for again; what is in force is seen.
  runtime_.change_learner(member, is_added, [](const Proposed&) {});
}

void GroupAdmin::reconfigure(const Configuration& now, std::vector<Member> voters) {
  change_->quiet_until = strand_.clock().boot_time() + options_.repeat_after;
  std::sort(voters.begin(), voters.end());
  consensus::NextConfiguration next;
  next.voters = std::move(voters);
  // Whoever leads goes on without an election, unless it goes.
  if (find(next.voters, self_)) next.first_leader = self_;
  next.guard = now.guard;
  runtime_.reconfigure(std::move(next), [](const Proposed&) {});
}

void GroupAdmin::finish(Status status) {
  Done done = std::move(change_->done);
  change_.reset();
  done(std::move(status));
}

void GroupAdmin::transfer(ReplicaId to, Done done) {
  if (transfer_) return done({StatusCode::kBusy, "a transfer is under way"});
  const base::Nanos give_up = strand_.clock().boot_time() + options_.transfer_patience;
  transfer_.emplace(Transfer{to, to, std::move(done), false, give_up});
  poll_transfer();
}

void GroupAdmin::poll_transfer() {
  runtime_.inspect([this](const Replica* replica) {
    if (!transfer_) return;
    if (replica == nullptr) return finish_transfer(stopping());
    look_at_transfer(*replica);
    if (transfer_) strand_.run_after(options_.poll_interval, [this] { poll_transfer(); });
  });
}

void GroupAdmin::look_at_transfer(const Replica& replica) {
  Transfer& transfer = *transfer_;
  const bool is_late = strand_.clock().boot_time() >= transfer.give_up;
  if (replica.is_established()) {
    if (transfer.asked == self_) return finish_transfer(Status());
    if (is_late) {
      return finish_transfer(
          {StatusCode::kTimeout,
           concat("node ", transfer.to.value(), " did not take over; this node leads still")});
    }
    return begin_transfer(replica);
  }
  if (!transfer.is_begun) return finish_transfer(not_leading(replica));
  const auto leader = replica.leader();
  if (leader == transfer.to) return finish_transfer(Status());
  if (leader && *leader != self_) {
    return finish_transfer(
        {StatusCode::kUnavailable,
         concat("node ", leader->value(), " leads now, not node ", transfer.to.value())});
  }
  if (is_late) finish_transfer({StatusCode::kTimeout, "nobody leads yet"});
}

void GroupAdmin::begin_transfer(const Replica& replica) {
  const Configuration& now = replica.configuration();
  Transfer& transfer = *transfer_;
  if (transfer.asked == ReplicaId()) {
    consensus::Slot best;
    for (const Member& voter : now.voters) {
      const auto match = replica.match(voter.id);
      if (!match || (transfer.to != ReplicaId() && *match <= best)) continue;
      best = *match;
      transfer.to = voter.id;
    }
  }
  if (transfer.to == ReplicaId() || !now.is_voter(transfer.to)) {
    return finish_transfer({StatusCode::kInvalidArgument,
                            concat("node ", transfer.to.value(), " cannot lead; ", describe(now))});
  }
  runtime_.transfer(transfer.to, [this](bool is_begun) {
    if (transfer_ && is_begun) transfer_->is_begun = true;
  });
}

void GroupAdmin::finish_transfer(Status status) {
  Done done = std::move(transfer_->done);
  transfer_.reset();
  done(std::move(status));
}

}  // namespace synod::router
