// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/election.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace synod::consensus {

Election::Election(Timing timing, base::Random random, Instant now)
    : timing_(timing), random_(random), next_probe_(random_.next()) {
  SYNOD_ASSERT(timing_.heartbeat < timing_.election_min, "E1: a live leader is heard in time");
  restart_timer(now);
}

void Election::on_leader_heard(Instant now) {
  leader_heard_ = now;
  has_yielded_ = false;
  stop_asking();
  restart_timer(now);
}

bool Election::hears_leader(Instant now) const {
  return leader_heard_ && now < *leader_heard_ + timing_.election_min;
}

void Election::restart_timer(Instant now) {
  const auto unit = timing_.election_min.count();
  const auto spread = static_cast<std::int64_t>(
      random_.below(static_cast<std::uint64_t>(std::max<std::int64_t>(unit, 1))));
  const auto rank = static_cast<std::int64_t>(timing_.priority_rank);
  deadline_ = now + Instant(unit + unit / 2 * rank + spread);
}

void Election::observe(const Ballot& ballot) {
  if (ballot.round <= kRoundMax) round_seen_ = std::max(round_seen_, ballot.round);
}

Ballot Election::next_ballot(ConfigId config, ReplicaId self) const {
  SYNOD_ASSERT(self != ReplicaId(), "P1: replica ids begin at 1");
  return Ballot{config, round_seen_.next(), self};
}

PreVote Election::ask(const Ballot& ballot, Slot commit, Slot last, const Ballot& last_ballot) {
  next_probe_ = next_probe_.next();
  question_ = PreVote{next_probe_, ballot, commit, last, last_ballot};
  granted_ = {ballot.owner};
  somebody_has_more_ = false;
  return *question_;
}

Election::Poll Election::on_reply(ReplicaId from, const PreVoteReply& reply,
                                  const Configuration& configuration) {
  observe(reply.promised);
  if (!question_ || reply.probe != question_->probe || !reply.is_granted) return Poll::kOpen;
  if (!configuration.is_voter(from)) return Poll::kOpen;
  granted_.insert(from);
  const auto theirs = std::tie(reply.last_ballot, reply.last);
  const auto own = std::tie(question_->last_ballot, question_->last);
  if (reply.commit > question_->last || theirs > own) somebody_has_more_ = true;
  return poll(configuration);
}

Election::Poll Election::poll(const Configuration& configuration) {
  SYNOD_ASSERT(question_.has_value(), "E1: nobody was asked");
  if (granted_.size() < configuration.majority()) return Poll::kOpen;
  stop_asking();
  if (somebody_has_more_ && !has_yielded_) {
    has_yielded_ = true;
    return Poll::kYield;
  }
  return Poll::kWon;
}

}  // namespace synod::consensus
