// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "consensus/protocol/replica.h"

// State instead of log, for who is too far behind: docs/PROTOCOL.md section 8.
namespace synod::consensus {

void Replica::offer_snapshot(ReplicaId to) {
  const Slot base = acceptor_.log().base();
  const SnapshotManifest* image = retention_.offer(to, base, snapshot_);
  if (image == nullptr) {
    output_.snapshot_needed = base;
    return;
  }
  output_.snapshot_tasks.push_back(KeepSnapshot{to, image->id});
  send(to, SnapshotOffer{*image});
}

void Replica::note_has(ReplicaId peer, Slot through) {
  const auto kept = retention_.on_has(peer, through, now_);
  if (kept) output_.snapshot_tasks.push_back(ReleaseSnapshot{peer, *kept});
}

void Replica::snapshot_taken(const SnapshotManifest& manifest) { snapshot_ = manifest; }

void Replica::on(ReplicaId from, const SnapshotOffer& message) {
  if (message.manifest.slot > acceptor_.commit()) pull_.offer(from, message.manifest, now_);
}

void Replica::on(ReplicaId from, const SnapshotData& message) { pull_.data(from, message, now_); }

void Replica::on(ReplicaId from, const SnapshotDone& message) {
  retention_.on_done(from, message.snapshot, message.is_installed);
  output_.snapshot_tasks.push_back(ReleaseSnapshot{from, message.snapshot});
}

void Replica::snapshot_begun(SnapshotId snapshot, const std::vector<StagedFile>& staged) {
  pull_.begun(snapshot, staged, now_);
}

void Replica::snapshot_failed(SnapshotId snapshot) { pull_.failed(snapshot); }

/// Another way may have been faster than the snapshot.
void Replica::tick_pull() {
  const bool runs = pull_.state() == SnapshotPull::State::kStaging ||
                    pull_.state() == SnapshotPull::State::kPulling;
  if (runs && pull_.manifest().slot <= learner_.applied()) pull_.abandon();
  pull_.tick(now_);
}

void Replica::drain_pull() {
  for (SnapshotPull::Outgoing& each : pull_.take_messages()) send(each.to, std::move(each.message));
  for (SnapshotTask& task : pull_.take_tasks()) output_.snapshot_tasks.push_back(std::move(task));
  for (std::string& complaint : pull_.take_complaints()) {
    output_.complaints.push_back(std::move(complaint));
  }
}

void Replica::on(ReplicaId from, const SnapshotFetch& message) {
  retention_.on_fetch(from, message.snapshot, snapshot_, now_);
  output_.snapshot_tasks.push_back(ReadSnapshot{from, message.id, message.snapshot, message.file,
                                                message.offset, message.bytes});
}

void Replica::snapshot_bytes(const ReadSnapshot& request, std::optional<base::Bytes> bytes) {
  const bool is_gone = !bytes.has_value();
  if (is_gone) retention_.on_gone(request.snapshot);
  send(request.to, SnapshotData{request.id, request.snapshot, request.file, request.offset, is_gone,
                                is_gone ? base::Bytes() : std::move(*bytes)});
}

void Replica::install_snapshot(const SnapshotManifest& label) {
  if (label.slot <= learner_.applied()) return pull_.abandon();
  pull_.installed(label.id);
  if (leadership_ && label.slot > acceptor_.commit()) step_down();
  learner_.install_snapshot(label.slot, label.fence);
  acceptor_.install_snapshot(label.slot, label.chain);
  if (history_.install(label.chain, label.slot, acceptor_)) end_roles();
  release_applied_reads();
  settle();
  go_on_catching_up();
}

}  // namespace synod::consensus
