// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/strong_id.h"
#include "storage/file.h"
#include "storage/log/segmented_log.h"

namespace synod::storage {

using DirectoryNodeId = base::StrongId<struct DirectoryNodeIdTag, std::uint64_t>;

/// Whose data it is. The two never share a directory: a replica that lost its promise must not come
/// back as if nothing had been, and a store that stands alone knows nothing of a group.
enum class DirectoryUse : std::uint8_t { kStandalone, kReplica };

/// Who a data directory belongs to.
struct DataIdentity {
  std::array<char, 16> cluster_id{};
  DirectoryNodeId node_id;
  std::uint32_t format_version = 0;
  std::uint64_t created_unix_seconds = 0;
  DirectoryUse use = DirectoryUse::kStandalone;

  [[nodiscard]] std::string cluster_id_hex() const;
};

/// A locked directory that says whose data it holds.
///
///   <path>/LOCK      held for as long as this object lives
///   <path>/IDENTITY  lines "key=value": format, cluster_id (32 hex digits), node_id, created,
///                    use=replica (a replica's only), and last crc (8 hex digits), the CRC-32C of
///                    the lines before it
///   <path>/log, db   made by open if they are missing; not for a replica
///
/// Invariants
///   D1  IDENTITY is durable before anything else is created, so a directory with data has one.
///   D2  A directory that holds anything foreign is never formatted.
///
/// Threads: immutable after open. Failure: kBusy if locked; kCorruption, with the file named, if
/// the identity is damaged, of another format version, another node or another use, or if a
/// non-empty directory has none.
class DataDirectory {
 public:
  static constexpr std::uint32_t kFormatVersion = 1;

  /// An absent or empty directory is formatted with a cluster id drawn from `random`.
  [[nodiscard]] static base::Result<DataDirectory> open(
      FileSystem& files, const std::string& path, DirectoryNodeId node_id, base::Random random,
      const base::Clock& clock, DirectoryUse use = DirectoryUse::kStandalone);
  /// What IDENTITY of such a directory holds.
  [[nodiscard]] static std::string identity_text(const DataIdentity& identity);

  [[nodiscard]] const DataIdentity& identity() const { return identity_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string log_path() const { return path_ + "/log"; }
  [[nodiscard]] std::string db_path() const { return path_ + "/db"; }
  /// The cluster id with the node id mixed in: differs between the nodes of one cluster.
  [[nodiscard]] LogIdentity log_identity() const;
  /// True if this open formatted the directory.
  [[nodiscard]] bool is_new() const { return is_new_; }

 private:
  DataDirectory(std::string path, std::unique_ptr<FileLock> lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  base::Status load(FileSystem& files, DirectoryNodeId node_id, DirectoryUse use);
  base::Status format(FileSystem& files, DirectoryNodeId node_id, DirectoryUse use,
                      base::Random random, const base::Clock& clock);

  std::string path_;
  std::unique_ptr<FileLock> lock_;
  DataIdentity identity_;
  bool is_new_ = false;
};

}  // namespace synod::storage
