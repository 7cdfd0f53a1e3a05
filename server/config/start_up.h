// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/logging.h"
#include "server/config/config_load.h"

namespace synod::server {

/// Exit codes of the process; 5 is base::fail_stop's.
enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,      ///< While running.
  kUsage = 2,       ///< Command line or configuration.
  kDataFolder = 3,  ///< Missing rights, wrong format, in use by another process.
  kPortInUse = 4,
};

/// What main does next: run with `loaded`, or leave with `exit_code` because everything has been
/// said.
struct StartUp {
  std::optional<LoadedConfig> loaded;
  ExitCode exit_code = ExitCode::kOk;
};

/// Reads command line, environment and file. Help, version, sample and --check-config go to
/// standard output, mistakes to standard error.
[[nodiscard]] StartUp start_up(int argc, const char* const* argv, const char* const* environment);

[[nodiscard]] base::LogOptions log_options(const Config& config);

/// Says what the configuration wants said, and how many settings differ from the defaults. Call
/// once logging is configured.
void log_notes(const LoadedConfig& loaded);

}  // namespace synod::server
