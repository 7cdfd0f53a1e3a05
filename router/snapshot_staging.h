// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
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
///        durably;
///   SG5  a staging begins only if all of it fits beside the reserve of the disk; otherwise what is
///        there of it goes, because the log needs the room.
///
/// Threads: confined to the storage dispatcher. Failure: the area stays as it is, for another try.
class SnapshotStaging {
 public:
  /// `reserve_bytes` of the disk stay free; 0: as disk_reserve() says.
  SnapshotStaging(storage::FileSystem& files, std::string root, std::uint64_t reserve_bytes,
                  const std::atomic<bool>& interrupted);

  /// Keeps what an earlier process staged, unless the disk has no room for it. Before the
  /// dispatchers run.
  [[nodiscard]] base::Status recover();
  /// What is there of each file of the manifest; afterwards all of them exist. kNoSpace if what is
  /// missing does not fit (SG5).
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
  [[nodiscard]] base::Status check_room(const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Result<std::uint64_t> missing_bytes(
      const consensus::SnapshotManifest& manifest) const;
  [[nodiscard]] base::Status remove_other_areas(const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Status remove_strays(const consensus::SnapshotManifest& manifest);
  [[nodiscard]] base::Result<std::unique_ptr<storage::File>> open_file(
      consensus::SnapshotId snapshot, std::uint32_t file);

  storage::FileSystem& files_;
  const std::string root_;
  const std::uint64_t reserve_bytes_;
  const std::atomic<bool>& interrupted_;
  std::optional<consensus::SnapshotManifest> manifest_;  ///< Of what is being staged.
};

/// How much of a disk stays free: `configured`, or a part of its size if that is 0.
[[nodiscard]] std::uint64_t disk_reserve(std::uint64_t configured, std::uint64_t disk_bytes);

}  // namespace synod::router
