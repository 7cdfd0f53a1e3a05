// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "storage/file.h"
#include "storage/storage_backend.h"

namespace synod::storage {

/// The simulated twin of an LSM engine: rows live in memory, a flush writes all of them to one
/// file, and a crash leaves the last flush. Every `flush_every`-th write flushes by itself, as a
/// full memtable would.
///
/// Deterministic: no threads, all I/O through `files`. B1–B3 hold because the file is replaced
/// atomically.
[[nodiscard]] base::Result<std::unique_ptr<StorageBackend>> open_sim_backend(
    FileSystem& files, const std::string& directory, std::uint64_t flush_every);

}  // namespace synod::storage
