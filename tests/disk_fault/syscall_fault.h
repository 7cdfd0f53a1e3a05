// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/status.h"
#include "tests/suite/server_process.h"

namespace synod::disk_fault {

/// Lets fdatasync fail or hang in the threads of a running server that write to its disk, by
/// strace, until it is let go of.
///
/// Threads: externally synchronized; what is attached dies with its thread.
class SyscallFault {
 public:
  /// `injection` as after -e inject=fdatasync: "error=EIO:when=3", "delay_exit=300000". With
  /// `log_only` only the thread that writes the log is meant.
  base::Status attach(pid_t server, const std::string& injection, bool log_only,
                      const std::filesystem::path& report);
  void detach();
  /// Calls that were tampered with so far.
  [[nodiscard]] std::size_t injected() const;
  /// Calls of fdatasync that were seen so far.
  [[nodiscard]] std::size_t seen() const;

 private:
  [[nodiscard]] std::size_t lines_with(const std::string& text) const;

  suite::ServerProcess tracer_;
  std::filesystem::path report_;
};

}  // namespace synod::disk_fault
