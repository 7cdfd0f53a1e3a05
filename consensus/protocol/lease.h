// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "consensus/protocol/types.h"

namespace synod::consensus {

/// What a voter does for the leader it hears: for one guard length it promises nobody else.
///
/// Owned by Replica; armed whatever the read mode, and from the start of every process, which may
/// have forgotten whom it guarded.
class Guard {
 public:
  /// Armed against everybody until now + length.
  Guard(Instant length, Instant now) : length_(length), until_(now + length) {}

  void arm(ReplicaId holder, Instant now);
  [[nodiscard]] bool refuses(ReplicaId candidate, Instant now) const {
    return now < until_ && holder_ != candidate;
  }

 private:
  Instant length_;
  Instant until_;
  std::optional<ReplicaId> holder_;
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
  void revoke() { is_revoked_ = true; }

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
