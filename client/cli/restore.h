// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/status.h"

namespace synod::client {

/// Turns a backup into the data directory of a node that is not running.
///
/// The copy, identity included, is complete and durable before the directory appears under its
/// name: after a crash there is either no data directory or the whole one.
///
/// kInvalidArgument if `from` is no backup; kAlreadyExists if `to` exists and is not an empty
/// directory, or if an interrupted restore has left its work beside it.
[[nodiscard]] base::Status restore_backup(const std::filesystem::path& from,
                                          const std::filesystem::path& to);

}  // namespace synod::client
