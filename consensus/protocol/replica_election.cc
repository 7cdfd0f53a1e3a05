// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "base/text.h"
#include "consensus/protocol/replica.h"

// How a replica comes to lead: docs/PROTOCOL.md section 6.
namespace synod::consensus {

void Replica::ask() {
  election_.restart_timer(now_);
  const bool is_guarding = guard_.refuses(options_.self.id, now_);
  const bool is_installing = pull_.state() == SnapshotPull::State::kFinishing;
  const bool may_stand =
      configuration().is_voter(options_.self) && !history_.is_between() && !is_installing;
  if (is_guarding || is_disk_stalled() || !may_stand) return;
  role_ = Role::kAsking;
  leader_.reset();
  const Ballot ballot = election_.next_ballot(configuration().id, options_.self.id);
  const SlotLog& log = acceptor_.log();
  const PreVote question =
      election_.ask(ballot, acceptor_.announced_commit(), log.last(), log.last_ballot());
  send_to_voters(question, false);
  if (configuration().majority() == 1 && election_.poll(configuration()) == Election::Poll::kWon) {
    prepare(std::nullopt);
  }
}

void Replica::on(ReplicaId from, const PreVote& message) {
  const bool leads = role_ == Role::kLeading || role_ == Role::kLearning;
  const bool hears = election_.hears_leader(now_) || guard_.refuses(from, now_);
  const bool is_own = message.ballot.owner == from && configuration().is_voter(from);
  const bool grants = !leads && !hears && is_own;
  const SlotLog& log = acceptor_.log();
  send(from, PreVoteReply{message.probe, grants, acceptor_.promised(), acceptor_.announced_commit(),
                          log.last(), log.last_ballot()});
}

void Replica::on(ReplicaId from, const PreVoteReply& message) {
  const Election::Poll poll = election_.on_reply(from, message, configuration());
  if (role_ != Role::kAsking || poll == Election::Poll::kOpen) return;
  if (poll == Election::Poll::kWon) return prepare(std::nullopt);
  role_ = Role::kFollower;
  election_.restart_timer(now_);
}

/// Phase 1 in a ballot above everything seen. Also how a leader answers a promise above its own.
void Replica::prepare(const std::optional<Ballot>& token) {
  const Ballot ballot = election_.next_ballot(configuration().id, options_.self.id);
  SYNOD_ASSERT(ballot > acceptor_.promised(), "P1: a candidate enters its ballot once");
  enter(ballot);
  role_ = Role::kPreparing;
  const Instant give_up = now_ + 2 * options_.timing.election_min;
  candidacy_.emplace(Candidacy{
      PhaseOne(ballot, configuration(), acceptor_.commit()), token, false, give_up, now_, {}, {}});
  election_.restart_timer(now_);
  send_prepare();
}

/// The first leader of a configuration needs no phase 1: there is no lower ballot (docs §12). Once
/// only: whoever finds its own first ballot promised may have used it.
void Replica::prepare_first() {
  const Configuration& current = configuration();
  const Ballot first{current.id, Round(), options_.self.id};
  const Slot end = before(current.first);
  const bool is_fresh = acceptor_.promised() < first && acceptor_.log().last() == end;
  const bool is_first = current.first_leader == options_.self.id && acceptor_.commit() == end;
  if (!is_first || !is_fresh || acceptor_.unknown_tail()) return;
  enter(first);
  role_ = Role::kPreparing;
  const Instant give_up = now_ + 2 * options_.timing.election_min;
  candidacy_.emplace(Candidacy{PhaseOne(first, current, end), {}, true, give_up, now_, {}, {}});
  election_.restart_timer(now_);
}

void Replica::send_prepare() {
  candidacy_->next_resend = now_ + options_.timing.heartbeat;
  if (candidacy_->is_first) return;
  const PhaseOne& phase_one = candidacy_->phase_one;
  const Prepare message{phase_one.ballot(), phase_one.asked_above(), candidacy_->token};
  for (const Member& voter : configuration().voters) {
    const bool has_answered = phase_one.is_complete(voter.id);
    if (voter != options_.self && !has_answered) send_after_durable(voter.id, message);
  }
}

void Replica::on(ReplicaId from, const Prepare& message) {
  election_.observe(message.ballot);
  if (!may_own(from, message.ballot)) {
    return complain(from, "prepares a ballot of another");
  }
  if (message.commit == kOpenEnd) return complain(from, "cannot know that all slots are decided");
  if (message.ballot < acceptor_.promised() && !SYNOD_PLANT("no_promise_check")) {
    return send(from, Nack{message.ballot, acceptor_.promised(), NackReason::kBallot, leader_});
  }
  if (message.ballot > acceptor_.promised()) {
    if (guard_.refuses(from, now_, message.token)) {
      return send(from, Nack{message.ballot, acceptor_.promised(), NackReason::kGuard, leader_});
    }
    enter(message.ballot);
    election_.restart_timer(now_);
  }
  for (Promise& part : acceptor_.promise(message.commit, options_.limits.message_bytes)) {
    send_after_durable(from, std::move(part));
  }
}

void Replica::on(ReplicaId from, const Promise& message) {
  if (role_ != Role::kPreparing) return;
  candidacy_->phase_one.add(from, message);
  try_to_lead();
}

void Replica::add_own_promise() {
  PhaseOne& phase_one = candidacy_->phase_one;
  for (const Promise& part : acceptor_.promise(phase_one.asked_above(), SIZE_MAX)) {
    phase_one.add(options_.self.id, part);
  }
}

void Replica::try_to_lead() {
  if (role_ == Role::kLearning) return go_on_learning();
  // The own promise counts like any other: when it is durable (D2).
  const bool is_unsafe = candidacy_->is_first && SYNOD_PLANT("round_zero_unsynced");
  if (role_ != Role::kPreparing || (!acceptor_.is_promise_durable() && !is_unsafe)) return;
  std::optional<PhaseOne::Adoption> adoption;
  if (candidacy_->is_first) {
    // What was learned meanwhile comes from a later leader: this one is late.
    if (acceptor_.log().last() != before(configuration().first)) return step_down();
    adoption = PhaseOne::Adoption{acceptor_.commit(), options_.self.id, {}};
  } else {
    add_own_promise();
    adoption = candidacy_->phase_one.adopt();
  }
  if (!adoption) return;
  candidacy_->adoption = std::move(adoption);
  candidacy_->next_resend = now_;
  candidacy_->give_up = now_ + options_.timing.election_min;
  role_ = Role::kLearning;
  leader_ = options_.self.id;
  go_on_learning();
}

/// Up to Cmax the values come from who knows them to be decided, never from ballots (P3).
void Replica::go_on_learning() {
  // What was learned may have ended the configuration, and with it the candidacy.
  settle();
  if (role_ != Role::kLearning) return;
  PhaseOne::Adoption& adoption = *candidacy_->adoption;
  // Slots that phase 1 left open were decided by somebody: this ballot has lost.
  if (acceptor_.learned() > std::max(acceptor_.commit(), adoption.commit_max)) return step_down();
  if (acceptor_.commit() >= adoption.commit_max) {
    const PhaseOne::Adoption done = std::move(adoption);
    return lead(done.entries, done.commit_max.next());
  }
  if (now_ < candidacy_->next_resend) return;
  candidacy_->next_resend = now_ + options_.timing.heartbeat;
  begin_catch_up(adoption.holder, adoption.commit_max);
}

void Replica::lead(const std::vector<Entry>& adopted, Slot first) {
  SYNOD_ASSERT(role_ == Role::kLearning, "E2: only who was promised a majority leads");
  const Ballot ballot = candidacy_->phase_one.ballot();
  SYNOD_ASSERT(ballot == acceptor_.promised(), "E2: a leader keeps its own promise");
  leadership_.emplace(Leadership{Pipeline(ballot, configuration(), options_.limits, now_),
                                 {},
                                 Lease(configuration(), options_.self.id),
                                 {},
                                 false,
                                 {},
                                 0,
                                 now_,
                                 {}});
  for (const Member& voter : configuration().voters) {
    if (!candidacy_->phase_one.is_complete(voter.id)) continue;
    leadership_->pipeline.begin_behind(voter.id, candidacy_->phase_one.commit_of(voter.id));
  }
  candidacy_.reset();
  catch_up_.reset();
  role_ = Role::kLeading;
  leader_ = options_.self.id;
  Slot slot = first;
  for (const Entry& entry : adopted) {
    // Learning may have gone past Cmax: what is decided keeps its value.
    if (slot > acceptor_.commit()) {
      SYNOD_ASSERT(slot == acceptor_.through().next(), "P3: an adopted value keeps its slot");
      append(entry);
    }
    slot = slot.next();
  }
  if (!adopted.empty() && adopted.back().kind == EntryKind::kStopSign) {
    // Nothing may follow it, so nothing establishes this leader: it drives the end to a decision.
    leadership_->barrier = kOpenEnd;
    leadership_->is_stopping = true;
  } else {
    append(make_entry(ballot, EntryKind::kBarrier, {}));
    leadership_->barrier = acceptor_.through();
  }
  if (SYNOD_PLANT("read_before_barrier")) leadership_->barrier = kNoSlot;
  tick_leader();
}

void Replica::on(ReplicaId from, const Nack& message) {
  // Who sent it has another configuration: its header said so.
  if (message.reason == NackReason::kConfig) return;
  election_.observe(message.promised);
  if (message.refused != acceptor_.promised() || message.refused.owner != options_.self.id) return;
  // A guard lapses: Prepare is sent again until this candidacy gives up.
  if (message.reason == NackReason::kGuard) return;
  if (message.promised <= acceptor_.promised()) return complain(from, "refuses what it may take");
  const bool is_alone = !message.leader || *message.leader == options_.self.id;
  // A candidacy that failed must not keep its replica out for ever (docs §6.10).
  if (role_ == Role::kLeading && is_alone) return prepare(std::nullopt);
  if (role_ != Role::kFollower) {
    step_down();
    election_.restart_timer(now_);
  }
}

/// The leader hands over: PreVote is skipped, and its token passes the guards that protect it.
void Replica::on(ReplicaId from, const Transfer& message) {
  const bool is_leader = leader_ == from && message.ballot == acceptor_.promised();
  const bool is_guarding = guard_.refuses(options_.self.id, now_, message.ballot);
  const bool may_stand =
      configuration().is_voter(options_.self) && !is_disk_stalled() && !is_guarding;
  if (!is_leader || role_ != Role::kFollower || !may_stand) return;
  prepare(message.ballot);
}

void Replica::tick_candidate() {
  if (now_ >= candidacy_->give_up) {
    step_down();
    election_.restart_timer(now_);
    return;
  }
  if (now_ < candidacy_->next_resend) return;
  if (role_ == Role::kPreparing) {
    inquire();
    return send_prepare();
  }
  send_to_voters(Heartbeat{acceptor_.promised(), acceptor_.announced_commit(), kNoSlot,
                           ReadSequence(), LeaseSequence()},
                 false);
  go_on_learning();
}

/// However the candidacy ends: while all are blocked, one mostly displaces the other.
void Replica::complain_of_damage() {
  const auto slot = candidacy_->phase_one.blocked_at();
  if (!slot) return;
  std::string where;
  for (const ReplicaId replica : candidacy_->phase_one.unknown_at(*slot)) {
    where += base::concat(where.empty() ? "" : ", ", replica.value());
  }
  output_.complaints.push_back(
      base::concat("it cannot lead: slot ", slot->value(), " is damaged or missing at replica ",
                   where, ", and may hold what was acknowledged; voters are needed that know it"));
}

/// Ends whatever this replica was in its ballot. Outcomes of proposals stay unknown.
void Replica::step_down() {
  if (candidacy_) complain_of_damage();
  if (role_ == Role::kLearning) catch_up_.reset();
  role_ = Role::kFollower;
  election_.stop_asking();
  candidacy_.reset();
  if (leader_ == options_.self.id) leader_.reset();
  if (!leadership_) return;
  const std::vector<ReadRequest> failed = leadership_->reads.drain();
  leadership_.reset();
  for (const ReadRequest& request : failed) fail_read(request);
}

}  // namespace synod::consensus
