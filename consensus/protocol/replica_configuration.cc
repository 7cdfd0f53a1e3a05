// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "consensus/protocol/configuration_codec.h"
#include "consensus/protocol/replica.h"

// How a configuration ends and the next one begins: docs/PROTOCOL.md section 12.
namespace synod::consensus {
namespace {

constexpr std::size_t kLearnersMax = 16;

}  // namespace

/// Takes in what became decided. Runs behind everything that may move the commit index.
void Replica::settle() {
  const bool is_changed = history_.take_in(acceptor_.log(), acceptor_.commit());
  if (is_changed && leadership_) leadership_->pipeline.set_learners(configuration().learners);
  if (is_changed && history_.stop()) {
    acceptor_.announce_below(*history_.stop());
    end_roles();
  }
  history_.stage(acceptor_);
  end_tail_if_known();
}

/// The configuration has ended: nobody leads, reads or votes in it any more.
void Replica::end_roles() {
  step_down();
  leader_.reset();
  owes_acknowledgement_ = false;
  gap_.reset();
  fail_forwarded_reads(Instant::max());
}

/// The next configuration is durable here: from now on this replica speaks in it.
void Replica::begin_configuration() {
  acceptor_.announce_all();
  guard_.set_length(configuration().guard);
  entered_.clear();
  if (configuration().is_voter(options_.self)) entered_.insert(options_.self.id);
  election_.restart_timer(now_);
  greet();
  prepare_first();
}

bool Replica::is_retired() const {
  return !history_.is_between() && !configuration().is_member(options_.self) &&
         entered_.size() >= configuration().majority();
}

void Replica::say_hello(ReplicaId to, ProcessId answers) {
  std::optional<Ballot> leads;
  if (is_established()) leads = acceptor_.promised();
  const Slot last = leads ? acceptor_.through() : acceptor_.log().last();
  send(to, Hello{answers, acceptor_.promised(), acceptor_.announced_commit(),
                 acceptor_.log().base(), last, leads, superblock_version_});
}

/// To everybody of this configuration and of the one before, who may not know that it ended.
void Replica::greet() {
  next_greeting_ = now_ + options_.timing.election_min;
  for (const ReplicaId id : peers_of_last_configurations()) say_hello(id, ProcessId());
}

/// A greeting is lost while connections come up, and followers say nothing else to each other: who
/// has not shown its disk is greeted again, so that every member knows every other's newest one.
void Replica::greet_silent_members() {
  next_greeting_ = now_ + options_.timing.election_min;
  const Configuration& now = configuration();
  for (const auto* members : {&now.voters, &now.learners}) {
    for (const Member& member : *members) {
      const bool is_known = peers_[member].process != ProcessId();
      if (!is_known && member.id != options_.self.id) say_hello(member.id, ProcessId());
    }
  }
}

std::set<ReplicaId> Replica::peers_of_last_configurations() const {
  std::set<ReplicaId> all;
  const std::vector<Configuration>& chain = history_.chain().configurations;
  for (auto each = chain.rbegin(); each != chain.rend() && each - chain.rbegin() < 2; ++each) {
    for (const Member& member : each->voters) all.insert(member.id);
    for (const Member& member : each->learners) all.insert(member.id);
  }
  all.erase(options_.self.id);
  return all;
}

std::optional<Proposed> Replica::refuse_change() const {
  using Code = Proposed::Code;
  if (!is_established()) return Proposed{Code::kNotLeading, {}, {}, leader_};
  const bool is_busy = leadership_->is_stopping || leadership_->hand_over;
  if (is_busy) return Proposed{Code::kBusy, {}, {}, leader_};
  return std::nullopt;
}

Proposed Replica::propose_change(EntryKind kind, base::Bytes body) {
  const Ballot ballot = acceptor_.promised();
  append(make_entry(ballot, kind, std::move(body)));
  return Proposed{Proposed::Code::kTaken, acceptor_.through(), ballot, leader_};
}

Proposed Replica::reconfigure(const NextConfiguration& next) {
  if (const auto refusal = refuse_change()) return *refusal;
  const bool are_members =
      std::all_of(next.voters.begin(), next.voters.end(),
                  [&](const Member& voter) { return configuration().is_member(voter); });
  if (!are_members || !check_next(next).ok()) {
    return Proposed{Proposed::Code::kRefused, {}, {}, leader_};
  }
  leadership_->lease.revoke();
  const Proposed proposed = propose_change(EntryKind::kStopSign, encode_next(next));
  leadership_->is_stopping = true;
  return proposed;
}

Proposed Replica::change_learner(const Member& learner, bool is_added) {
  if (const auto refusal = refuse_change()) return *refusal;
  const Configuration& current = configuration();
  const bool is_known = current.is_member(learner);
  const bool is_id_taken =
      std::any_of(current.learners.begin(), current.learners.end(),
                  [&](const Member& other) { return other.id == learner.id && other != learner; });
  const bool is_impossible = learner.id == ReplicaId() || current.is_voter(learner.id) ||
                             is_id_taken || (is_added == is_known) ||
                             (is_added && current.learners.size() >= kLearnersMax);
  if (is_impossible) return Proposed{Proposed::Code::kRefused, {}, {}, leader_};
  return propose_change(EntryKind::kLearner, encode_learner_change({learner, is_added}));
}

}  // namespace synod::consensus
