// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/function.h"
#include "base/random.h"
#include "consensus/protocol/snapshot_task.h"
#include "router/replica_image.h"

namespace synod::router {

/// This replica's own snapshots: checkpoints of the backend, measured file by file and served to
/// peers piece by piece.
///
///   <root>/<id>/db/...     the checkpoint: the files of the snapshot
///   <root>/<id>/manifest   written last; without it the directory is a leftover
///
/// Owned by ReplicatedStateMachine.
///
/// Invariants
///   SS1  a checkpoint contains exactly one applied index: it is made on the persistence
///        dispatcher, where batches are written, so none is under way;
///   SS2  a manifest says what was read from the finished files; it is durable before anybody
///        hears of it, and the first to go;
///   SS3  the newest snapshot stays; an older one stays while somebody was offered it, or reads it,
///        and was heard of lately, up to kKept of them;
///   SS4  the first byte of a file is served only if the whole file still has its checksum: a
///        damaged snapshot is gone.
///
/// Threads: `open` before the dispatchers run; the rest on the apply strand, where completions run
/// too, in the call or later. Failure: costs the snapshot it happened to.
class SnapshotStore {
 public:
  static constexpr std::size_t kKept = 4;
  static constexpr base::Nanos kLease = std::chrono::minutes(2);  ///< Of a reader that is silent.

  SnapshotStore(const StateMachineSeams& seams, std::string root,
                const std::atomic<bool>& interrupted);

  /// Finds the whole snapshots, removes everything else.
  [[nodiscard]] base::Status open();
  [[nodiscard]] std::optional<consensus::SnapshotManifest> newest() const;
  void take(std::shared_ptr<ReplicaImage> image,
            base::Function<void(base::Result<consensus::SnapshotManifest>)> done);
  /// Who was offered it counts as a reader: it makes ready before it reads.
  void keep(const consensus::KeepSnapshot& keep);
  /// None: it is gone. A question that is repeated while it waits is dropped: one answer tells
  /// both.
  void read(const consensus::ReadSnapshot& request,
            base::Function<void(std::optional<base::Bytes>)> done);
  void release(const consensus::ReleaseSnapshot& release);

 private:
  struct Kept {
    consensus::SnapshotManifest manifest;
    std::map<consensus::ReplicaId, base::Nanos> readers;  ///< And when they were heard.
  };

  [[nodiscard]] std::string path(consensus::SnapshotId id) const;
  [[nodiscard]] base::Result<consensus::SnapshotManifest> find_whole(const std::string& name) const;
  [[nodiscard]] base::Status write_checkpoint(ReplicaImage& image, consensus::SnapshotId id);
  [[nodiscard]] base::Result<consensus::SnapshotManifest> measure(const ReplicaImage& image,
                                                                  consensus::SnapshotId id) const;
  [[nodiscard]] base::Result<base::Bytes> read_part(const consensus::ReadSnapshot& request,
                                                    const consensus::SnapshotFile& file) const;
  void remove_files(consensus::SnapshotId id) const;
  void forget(consensus::SnapshotId id);
  void remove_unused();
  [[nodiscard]] bool is_read(const Kept& kept) const;

  storage::FileSystem& files_;
  base::Dispatcher& apply_;
  base::Dispatcher& persistence_;
  base::Dispatcher& storage_;
  base::Random random_;
  const std::string root_;
  const std::atomic<bool>& interrupted_;
  std::map<consensus::SnapshotId, Kept> snapshots_;                          ///< Apply strand.
  std::set<std::pair<consensus::ReplicaId, consensus::RequestId>> reading_;  ///< Apply strand.
};

}  // namespace synod::router
