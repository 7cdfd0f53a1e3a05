// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "consensus/protocol/types.h"

namespace synod::consensus {

/// What a voter does for the leader it hears: for one guard length it promises nobody else.
///
/// Owned by Replica; armed whatever the read mode. A process that starts may have forgotten whom it
/// guarded, and even that it had promised that one's ballot (an acknowledgement of a heartbeat
/// waits for no disk). So it begins with a guard against everybody, which nothing shortens, renames
/// or passes: a late heartbeat of a deposed leader must not open the door to that leader.
class Guard {
 public:
  /// Armed against everybody until now + length.
  Guard(Instant length, Instant now) : length_(length), nobody_until_(now + length) {}

  /// The owner of `ballot` was heard.
  void arm(const Ballot& ballot, Instant now);
  /// `token`: of a transfer, from the leader of the ballot it names.
  [[nodiscard]] bool refuses(ReplicaId candidate, Instant now,
                             const std::optional<Ballot>& token = std::nullopt) const;
  /// Of the configuration that was entered; what is armed stays armed.
  void set_length(Instant length) { length_ = length; }

 private:
  Instant length_;
  Instant nobody_until_;  ///< Since the start.
  Instant until_{};
  Ballot ballot_;  ///< Whose leader is guarded.
};

/// The right of one leadership to answer reads by itself while a majority guards it.
///
/// Owned by Replica while it leads. The clock assumption is docs/PROTOCOL.md section 9: rates
/// within 5 % over one guard length, clocks that never stop or step.
///
/// Invariants
///   R3  a lease runs from when the heartbeat was sent, never from when its answer came, and for
///       nine tenths of the guard;
///   R4  lease sequences only grow; a revoked lease does not come back in this ballot.
class Lease {
 public:
  Lease(const Configuration& configuration, ReplicaId self);

  /// A round of heartbeats leaves now.
  LeaseSequence begin(Instant now);
  /// A voter armed its guard on receiving the heartbeat of this sequence.
  void on_acknowledged(ReplicaId from, LeaseSequence sequence, Instant now);
  [[nodiscard]] bool is_held(Instant now) const { return !is_revoked_ && now < until_; }
  /// For the rest of the ballot: somebody may promise another in spite of its guard.
  void revoke();

 private:
  struct Round {
    LeaseSequence sequence;
    Instant sent;
  };

  std::size_t majority_;
  Instant span_;
  std::map<ReplicaId, LeaseSequence> acknowledged_;
  std::deque<Round> rounds_;
  LeaseSequence sequence_;
  Instant until_ = Instant::min();
  bool is_revoked_ = false;
};

}  // namespace synod::consensus
