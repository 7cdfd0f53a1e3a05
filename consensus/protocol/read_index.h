// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "consensus/protocol/types.h"

namespace synod::consensus {

/// Who waits for a read index: a caller of this replica, or a follower that asked.
struct ReadRequest {
  std::optional<ReplicaId> follower;  ///< None: a local caller.
  RequestId id;                       ///< The follower's name for it.
  ReadContext context;                ///< The local caller's name for it.
};

/// The read rounds of one leadership.
///
/// Owned by Replica while it leads; dies with the leadership, which fails what still waits.
///
/// Invariants
///   R1  a round is released by acknowledgements of its own id or a later one, and its index is
///       the commit at the moment the id was made;
///   R2  ids only grow; each names one round.
class ReadIndex {
 public:
  void add(const ReadRequest& request) { queued_.push_back(request); }
  [[nodiscard]] std::size_t waiting() const;

  /// Opens a round for all that is queued, unless one is open; true if it did.
  bool open(Slot commit);
  /// The newest id, to ride on messages.
  [[nodiscard]] ReadSequence sequence() const { return sequence_; }

  struct Released {
    Slot index;
    std::vector<ReadRequest> requests;
  };
  /// A majority acknowledged `sequence`.
  std::optional<Released> on_majority(ReadSequence sequence);
  /// Everything that waits, to be failed.
  std::vector<ReadRequest> drain();

 private:
  ReadSequence sequence_;
  std::optional<Released> round_;
  std::vector<ReadRequest> queued_;
};

}  // namespace synod::consensus
