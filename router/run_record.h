// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "core/types.h"
#include "storage/file.h"

namespace synod::router {

/// What an acknowledged write survives.
enum class Durability : std::uint8_t {
  kSync,     ///< Power loss: executed and answered only after the log's fdatasync.
  kBatched,  ///< All but the last interval: executed at once, the log synced on a timer.
  kAsync,    ///< All but the log's buffer: executed at once, the log written behind.
};
[[nodiscard]] std::string_view durability_name(Durability durability);
[[nodiscard]] std::optional<Durability> parse_durability(std::string_view name);

/// How the last run of a standalone server used its log: one small file, replaced atomically.
///
/// Clients of `batched` and `async` may have seen versions that a crash took back. No version above
/// `ceiling` was ever used, so counting resumes there and a version is never given twice.
struct RunRecord {
  Durability durability = Durability::kSync;
  bool is_clean = false;     ///< The run ended with everything in the log.
  core::Version ceiling{0};  ///< `batched`, `async`: no version above it was used.
};

/// nullopt if there is none yet (a new directory). kCorruption if it is damaged.
[[nodiscard]] base::Result<std::optional<RunRecord>> read_run_record(storage::FileSystem& files,
                                                                     const std::string& directory);
/// Durable when it returns ok.
[[nodiscard]] base::Status write_run_record(storage::FileSystem& files,
                                            const std::string& directory, const RunRecord& record);

}  // namespace synod::router
