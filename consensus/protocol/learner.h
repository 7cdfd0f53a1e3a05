// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "consensus/protocol/acceptor.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// A decided entry for the state machine.
struct Delivery {
  Slot slot;
  Entry entry;
  bool is_fenced = false;  ///< Changes nothing: its leader was deposed before it took effect.
};

/// The learner of one replica: hands decided entries to the state machine and applies the fence.
///
/// Owned by Replica.
///
/// Invariants
///   L1  nothing is handed over that is not decided and durable here; applied <= handed over;
///   L3  every slot once, in order, from the applied index at start;
///   L4  the fence is the greatest origin of all barriers handed over; a command that is not
///       fenced has an origin at or above it.
class Learner {
 public:
  Learner(Slot applied, const Ballot& fence)
      : delivered_(applied), applied_(applied), fence_(fence) {}

  /// What became decided and durable since the last call, up to `limit`.
  std::vector<Delivery> deliver(const Acceptor& acceptor, Slot limit = kOpenEnd);
  /// The state machine executed up to `slot`. REQUIRES: handed over before.
  void on_applied(Slot slot);
  /// The state now is a snapshot of `slot`, made with this fence.
  void install_snapshot(Slot slot, const Ballot& fence);

  [[nodiscard]] Slot applied() const { return applied_; }
  [[nodiscard]] const Ballot& fence() const { return fence_; }

 private:
  bool pass_fence(const Entry& entry);

  Slot delivered_;
  Slot applied_;
  Ballot fence_;
};

}  // namespace synod::consensus
