// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/retention.h"

#include <algorithm>

#include "base/plant.h"

namespace synod::consensus {

Retention::Peer& Retention::hear(ReplicaId id, Instant now) {
  // Whoever was away for long begins anew: what was kept for it may be gone (K3).
  std::erase_if(peers_,
                [&](const auto& peer) { return now - peer.second.heard >= options_.patience; });
  const auto [place, is_new] = peers_.try_emplace(id);
  if (is_new) place->second.progress = now;
  place->second.heard = now;
  return place->second;
}

std::optional<SnapshotId> Retention::on_has(ReplicaId id, Slot through, Instant now) {
  Peer& peer = hear(id, now);
  // It may also fall: of two processes of one disk the newer knows less to be decided.
  if (through > peer.has) peer.progress = now;
  peer.has = through;
  if (!peer.image || peer.image->slot > through) return std::nullopt;
  const SnapshotId snapshot = peer.image->id;
  peer.image.reset();
  return snapshot;
}

void Retention::on_fetch(ReplicaId id, SnapshotId snapshot,
                         const std::optional<SnapshotManifest>& newest, Instant now) {
  Peer& peer = hear(id, now);
  if (peer.image && peer.image->id == snapshot) return;
  // An offer of an earlier process of this replica.
  if (newest && newest->id == snapshot) peer.image = newest;
}

void Retention::on_done(ReplicaId id, SnapshotId snapshot, bool is_installed) {
  const auto found = peers_.find(id);
  if (found == peers_.end() || is_installed) return;
  Peer& peer = found->second;
  if (peer.image && peer.image->id == snapshot) peer.image.reset();
}

void Retention::on_gone(SnapshotId snapshot) {
  for (auto& [id, peer] : peers_) {
    if (peer.image && peer.image->id == snapshot) peer.image.reset();
  }
}

bool Retention::is_heard(ReplicaId id, Instant now) const {
  const auto found = peers_.find(id);
  return found != peers_.end() && now - found->second.heard < options_.silence;
}

const SnapshotManifest* Retention::offer(ReplicaId id, Slot base,
                                         const std::optional<SnapshotManifest>& newest) {
  const auto is_of_use = [base](const auto& image) { return image && image->slot >= base; };
  const auto found = peers_.find(id);
  if (found == peers_.end()) return nullptr;
  Peer& peer = found->second;
  if (!is_of_use(peer.image) || SYNOD_PLANT("offer_always_newest")) {
    peer.image = is_of_use(newest) ? newest : std::nullopt;
  }
  return peer.image ? &*peer.image : nullptr;
}

Slot Retention::needed_above(Slot base, Instant now) const {
  Slot lowest = kOpenEnd;
  if (SYNOD_PLANT("cut_regardless")) return lowest;
  for (const auto& [id, peer] : peers_) {
    const Instant silent = now - peer.heard;
    if (peer.image && peer.image->slot >= base) {
      if (silent < options_.patience) lowest = std::min(lowest, peer.image->slot);
      continue;
    }
    const bool follows = silent < options_.silence && now - peer.progress < options_.patience;
    if (follows && peer.has >= base) lowest = std::min(lowest, peer.has);
  }
  return lowest;
}

}  // namespace synod::consensus
