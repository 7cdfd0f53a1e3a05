// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>

#include "consensus/protocol/messages.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

struct RetentionOptions {
  Instant silence = base::Millis(2000);  ///< Who follows and says nothing for so long is not there.
  /// Who gets no further for so long is not waited for, nor who was offered an image and says
  /// nothing any more: its process may begin again and go on with what it has staged.
  Instant patience = base::Millis(60000);
};

/// What peers still need of the own log and of the own snapshots, as far as they say so. Without it
/// a replica that needs longer for an image than the group needs to cut its log past that image
/// would be given one image after the other, for ever.
///
/// Owned by Replica; asked by whoever cuts the log, within limits of its own. Pure.
///
/// Invariants
///   K1  a peer is offered one snapshot until it has it, or ends its pull, or it is of no use;
///   K2  what is needed behind an offer is what follows that snapshot;
///   K3  who is silent for `silence`, or for `patience` with an image, holds nothing;
///   K4  nothing depends on it but how fast somebody catches up.
///
/// Threads: confined to the consensus strand. Failure: none.
class Retention {
 public:
  explicit Retention(const RetentionOptions& options) : options_(options) {}

  /// The peer said that it needs nothing at or below `through`. Returns the snapshot that was kept
  /// for it and is needed no longer.
  std::optional<SnapshotId> on_has(ReplicaId peer, Slot through, Instant now);
  /// The peer reads this snapshot. `newest` is the own one.
  void on_fetch(ReplicaId peer, SnapshotId snapshot, const std::optional<SnapshotManifest>& newest,
                Instant now);
  /// The peer ended its pull. Who has installed it still needs what follows.
  void on_done(ReplicaId peer, SnapshotId snapshot, bool is_installed);
  /// Nobody can have this snapshot any more.
  void on_gone(SnapshotId snapshot);

  [[nodiscard]] bool is_heard(ReplicaId peer, Instant now) const;
  /// What to offer a peer that was heard; null if nothing reaches up to `base`.
  [[nodiscard]] const SnapshotManifest* offer(ReplicaId peer, Slot base,
                                              const std::optional<SnapshotManifest>& newest);
  /// Slots above this are needed by somebody; kOpenEnd: none is. Who needs slots <= `base` is not
  /// helped by keeping others.
  [[nodiscard]] Slot needed_above(Slot base, Instant now) const;

 private:
  struct Peer {
    Slot has;
    Instant heard{};
    Instant progress{};  ///< When `has` was raised last.
    std::optional<SnapshotManifest> image;
  };
  Peer& hear(ReplicaId id, Instant now);

  RetentionOptions options_;
  std::map<ReplicaId, Peer> peers_;
};

}  // namespace synod::consensus
