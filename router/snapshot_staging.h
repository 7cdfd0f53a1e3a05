// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "consensus/protocol/snapshot_task.h"
#include "storage/file.h"

namespace synod::router {

/// Snapshots of other replicas on their way in: <root>/<id>/<file>, a prefix of each file.
///
/// Owned by ReplicatedStateMachine.
///
/// Invariants
///   SG1  one snapshot is staged at a time; beginning another removes what is left of the rest;
///   SG2  a name that came from a peer is used only if it is a plain one;
///   SG3  a file is a prefix without gaps: a write begins at or before its end, inside its size;
///   SG4  what `seal` returned holds exactly the files of the manifest, with their checksums,
///        durably.
///
/// Threads: confined to the storage dispatcher. Failure: the area stays as it is, for another try.
class SnapshotStaging {
 public:
  SnapshotStaging(storage::FileSystem& files, std::string root,
                  const std::atomic<bool>& interrupted);

  /// What is there of each file of the manifest; afterwards all of them exist.
  [[nodiscard]] base::Result<std::vector<consensus::StagedFile>> begin(
      const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Status stage(const consensus::StageBytes& part);
  [[nodiscard]] base::Status restart(const consensus::RestartFile& restart);
  /// Ends the staging; answers with the path of the directory.
  [[nodiscard]] base::Result<std::string> seal(const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Status discard(consensus::SnapshotId snapshot);
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  [[nodiscard]] std::string path(consensus::SnapshotId id) const;
  [[nodiscard]] base::Status remove_other_areas(const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Status remove_strays(const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Result<std::unique_ptr<storage::File>> open_file(
      consensus::SnapshotId snapshot, std::uint32_t file);

  storage::FileSystem& files_;
  const std::string root_;
  const std::atomic<bool>& interrupted_;
  std::optional<consensus::SnapshotManifest> manifest_;  ///< Of what is being staged.
};

}  // namespace synod::router
