// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace synod::base {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// How the process logs: text or one JSON object a line, to standard error and, if named, a file
/// that rotates at 64 MiB.
struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  bool json = false;
  std::string file;  ///< Empty: standard error only.
};

/// Call once from main before any thread starts; without it text goes to standard error at kInfo.
/// A file that cannot be opened is an error line on standard error, which goes on alone.
void configure_logging(const LogOptions& options);

/// Thread-safe. `component` is the folder that speaks ("storage", "net"). Never pass raw keys or
/// values: escape() them, and only at kDebug.
void log(LogLevel level, std::string_view component, std::string_view message);
[[nodiscard]] bool log_enabled(LogLevel level);

inline void log_debug(std::string_view component, std::string_view message) {
  if (log_enabled(LogLevel::kDebug)) log(LogLevel::kDebug, component, message);
}
inline void log_info(std::string_view component, std::string_view message) {
  log(LogLevel::kInfo, component, message);
}
inline void log_warning(std::string_view component, std::string_view message) {
  log(LogLevel::kWarning, component, message);
}
inline void log_error(std::string_view component, std::string_view message) {
  log(LogLevel::kError, component, message);
}

/// The disk broke a promise (or state we must be able to trust is gone): logs one line and ends
/// the process with exit code 5 without running destructors, so that nothing more is written.
[[noreturn]] void fail_stop(std::string_view component, std::string_view message);

}  // namespace synod::base
