// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "consensus/protocol/types.h"

// What a replica wants done with snapshot files. Whoever drives the replica does it and answers
// through Replica's snapshot_* calls.
namespace synod::consensus {

/// Receiver: make or find the staging area of this snapshot; answer with snapshot_begun().
struct BeginStaging {
  SnapshotManifest manifest;
};

/// Receiver: write to the staged file. Writes of one file come in order and without gaps.
struct StageBytes {
  SnapshotId snapshot;
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  base::Bytes bytes;
};

/// Receiver: a staged file did not match its checksum; begin it again at offset 0.
struct RestartFile {
  SnapshotId snapshot;
  std::uint32_t file = 0;
};

/// Receiver: every file is there and matches. Sync, switch the state over, then call
/// install_snapshot() with the label read from the image.
struct FinishStaging {
  SnapshotManifest manifest;
};

/// Source: this replica was offered the snapshot and may come for it, though newer ones are taken.
struct KeepSnapshot {
  ReplicaId to;
  SnapshotId snapshot;
};

/// Source: read from an own snapshot; answer with snapshot_bytes().
struct ReadSnapshot {
  ReplicaId to;
  RequestId id;
  SnapshotId snapshot;
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;
};

/// Source: this replica needs the snapshot no longer.
struct ReleaseSnapshot {
  ReplicaId from;
  SnapshotId snapshot;
};

using SnapshotTask = std::variant<BeginStaging, StageBytes, RestartFile, FinishStaging,
                                  KeepSnapshot, ReadSnapshot, ReleaseSnapshot>;

/// What a staging area holds of one file already: so many bytes, with this CRC-32C.
struct StagedFile {
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
};

}  // namespace synod::consensus
