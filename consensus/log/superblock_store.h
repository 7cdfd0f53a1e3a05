// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "consensus/log/superblock.h"
#include "consensus/protocol/formation.h"
#include "storage/file.h"

namespace synod::consensus {

/// The superblock of one replica: four copies in two files of its directory.
///
///   <directory>/superblock.a   copies 0 and 1, 64 KiB apart
///   <directory>/superblock.b   copies 2 and 3
///
/// Made blank by the first open in an empty directory; formed once; owned by PaxosLog afterwards.
///
/// Invariants
///   B1  A write is two copies and a sync, twice; it counts when the second pair is synced. So at
///       every moment some version has at least two equal copies.
///   B2  The highest version with two equal good copies holds. A single copy never does: it may be
///       one that was not finished, or not written here.
///   B3  Before anybody acts on what was read, all four copies hold it durably, under a version
///       above every copy seen: what one more damage leaves is never older.
///   B4  promised, base, log_begin and the chain never go back; identity never changes once it is
///       formed.
///
/// Threads: externally synchronized; the log writer, once there is a log.
/// Failure: a failed write poisons the store (every later write returns it); the owner fail-stops.
class SuperblockStore {
 public:
  /// Whose superblock the caller means to open; a field left open is not compared.
  struct Expected {
    ReplicaId replica;
    std::optional<ClusterId> cluster;
    std::optional<Incarnation> incarnation;
  };

  /// Reads the superblock, or makes a blank one with an incarnation drawn from `random`.
  /// kCorruption: the replica has lost its memory, or the superblock is somebody else's.
  [[nodiscard]] static base::Result<std::unique_ptr<SuperblockStore>> open(
      storage::FileSystem& files, const std::string& directory, const Expected& expected,
      base::Random random);

  [[nodiscard]] const Superblock& current() const { return current_; }
  /// Makes a blank superblock that of a member of `cluster`. REQUIRES: blank; a chain.
  [[nodiscard]] base::Status form(ClusterId cluster, const Chain& chain);
  /// What a blank disk has to know while its group forms; with a record it is formed, and its state
  /// lies in `state_directory`. All of it or nothing survives. REQUIRES: blank.
  [[nodiscard]] base::Status remember(const FormationMemory& memory,
                                      const std::string& state_directory);
  /// Durable on return. The version is the store's business. kLimitExceeded: nothing was written.
  [[nodiscard]] base::Status write(Superblock next);

  /// Where the log of the same replica lies.
  [[nodiscard]] static std::string log_directory(const std::string& directory) {
    return directory + "/log";
  }

 private:
  SuperblockStore(storage::FileSystem& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  base::Status create(const Expected& expected, base::Random random);
  base::Status load(const Expected& expected);
  base::Status choose(const std::array<SuperblockCopy, 4>& copies);
  base::Status repair(const std::array<SuperblockCopy, 4>& copies);
  base::Status check(const Expected& expected) const;
  base::Status write_all(Superblock next);
  base::Status write_pair(std::size_t file, const Superblock& next, const base::Bytes& body);
  [[nodiscard]] base::Status refuse(const std::string& reason) const;

  storage::FileSystem& files_;
  const std::string directory_;
  std::array<std::unique_ptr<storage::File>, 2> handles_;
  std::uint64_t version_seen_ = 0;  ///< The highest of any copy, good for B2 or not.
  Superblock current_;
  base::Status poison_;
};

}  // namespace synod::consensus
