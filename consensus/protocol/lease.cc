// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/lease.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {

bool Guard::refuses(ReplicaId candidate, Instant now, const std::optional<Ballot>& token) const {
  if (now < nobody_until_) return true;
  const bool is_holder = ballot_.owner == candidate;
  const bool is_token = token && (token == ballot_ || SYNOD_PLANT("token_of_any_ballot"));
  return now < until_ && !is_holder && !is_token;
}

void Guard::arm(const Ballot& ballot, Instant now) {
  if (SYNOD_PLANT("restart_guard_replaced")) nobody_until_ = Instant();
  ballot_ = ballot;
  until_ = std::max(until_, now + length_);
}

void Lease::revoke() {
  if (!SYNOD_PLANT("lease_survives_transfer")) is_revoked_ = true;
}

Lease::Lease(const Configuration& configuration, ReplicaId self)
    : majority_(configuration.majority()), span_(configuration.guard / 10 * 9) {
  SYNOD_ASSERT(configuration.is_voter(self), "E2: only a voter leads");
  for (const Member& voter : configuration.voters) {
    if (voter.id != self) acknowledged_[voter.id] = LeaseSequence();
  }
}

LeaseSequence Lease::begin(Instant now) {
  SYNOD_ASSERT(rounds_.empty() || rounds_.back().sent <= now, "R3: time does not go back");
  sequence_ = sequence_.next();
  rounds_.push_back(Round{sequence_, now});
  // Older rounds than a span give no lease any more.
  while (rounds_.front().sent + span_ < now) rounds_.pop_front();
  return sequence_;
}

void Lease::on_acknowledged(ReplicaId from, LeaseSequence sequence, Instant now) {
  const auto found = acknowledged_.find(from);
  if (found == acknowledged_.end() || sequence > sequence_) return;
  found->second = std::max(found->second, sequence);
  std::vector<LeaseSequence> sequences{sequence_};  // its own, counted as now
  for (const auto& [voter, acknowledged] : acknowledged_) sequences.push_back(acknowledged);
  std::sort(sequences.begin(), sequences.end(), std::greater<>());
  const LeaseSequence reached = sequences[majority_ - 1];
  for (const Round& round : rounds_) {
    if (round.sequence != reached) continue;
    SYNOD_ASSERT(round.sent <= now, "R3: an answer comes after the question");
    const Instant start = SYNOD_PLANT("lease_from_receipt") ? now : round.sent;
    until_ = std::max(until_, start + span_);
  }
}

}  // namespace synod::consensus
