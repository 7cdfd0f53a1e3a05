// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "consensus/protocol/snapshot_task.h"
#include "consensus/runtime/state_label.h"
#include "storage/file.h"
#include "storage/storage_backend.h"

// What snapshots and images are made of on disk, and the label inside them.
namespace synod::router {

/// The label row's bytes: fence and chain. The applied slot is core's own row.
[[nodiscard]] base::Bytes encode_label(const consensus::StateLabel& label);
/// kCorruption for anything encode_label cannot have made. `applied` of the answer is 0.
[[nodiscard]] base::Result<consensus::StateLabel> decode_label(base::BytesView bytes);
/// The label of a finished checkpoint, from its rows, without changing its files. `engine`: any
/// open backend of the kind that made it.
[[nodiscard]] base::Result<consensus::StateLabel> read_label(const storage::StorageBackend& engine,
                                                             const std::string& directory);
[[nodiscard]] bool is_same_label(const consensus::StateLabel& a, const consensus::StateLabel& b);

/// The file that makes a snapshot one: everything of the manifest, and a checksum.
[[nodiscard]] base::Bytes encode_manifest(const consensus::SnapshotManifest& manifest);
[[nodiscard]] base::Result<consensus::SnapshotManifest> decode_manifest(base::BytesView bytes);

/// [A-Za-z0-9._-]{1,255} without a dot in front: in the folder it is put into, nowhere else.
[[nodiscard]] bool is_plain_name(std::string_view name);
/// kInvalidArgument if the files of a manifest, which a peer may have written, are too many, not
/// plainly named, or two of one name.
[[nodiscard]] base::Status check_files(const consensus::SnapshotManifest& manifest);

/// Names of snapshot directories: 16 hexadecimal digits.
[[nodiscard]] std::string id_name(std::uint64_t id);
[[nodiscard]] std::optional<std::uint64_t> parse_id_name(std::string_view name);

/// Size and CRC-32C of a file. kClosed once `interrupted`.
[[nodiscard]] base::Result<consensus::StagedFile> measure_file(
    storage::FileSystem& files, const std::string& path, const std::atomic<bool>& interrupted);

}  // namespace synod::router
