// SPDX-License-Identifier: Apache-2.0
#include "tests/disk_fault/syscall_fault.h"

#include <poll.h>
#include <signal.h>

#include <chrono>
#include <fstream>

#include "base/text.h"

namespace synod::disk_fault {
namespace {

using base::Status;
using base::StatusCode;
using SteadyClock = std::chrono::steady_clock;

constexpr int kAttachSeconds = 20;
constexpr int kPollMs = 5;

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool is_traced(const std::filesystem::path& task) {
  std::ifstream status(task / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("TracerPid:")) return line.find_last_not_of("\t 0") > 9;
  }
  return false;
}

/// Those that write: the log's own, and those behind the backend.
bool touches_disk(const std::string& name, bool log_only) {
  if (name == "log") return true;
  return !log_only && (name == "persistence" || name == "storage" || name.starts_with("rocksdb:"));
}

}  // namespace

Status SyscallFault::attach(pid_t server, const std::string& injection, bool log_only,
                            const std::filesystem::path& report) {
  report_ = report;
  std::vector<std::filesystem::path> tasks;
  suite::ServerProcess::Command command;
  command.binary = "/usr/bin/strace";
  command.arguments = {"-q",
                       "-e",
                       "trace=fdatasync",
                       "-e",
                       "signal=none",
                       "-e",
                       "inject=fdatasync:" + injection,
                       "-o",
                       report.string()};
  const std::filesystem::path all = base::concat("/proc/", server, "/task");
  for (const auto& task : std::filesystem::directory_iterator(all)) {
    if (!touches_disk(first_line(task.path() / "comm"), log_only)) continue;
    tasks.push_back(task.path());
    command.arguments.insert(command.arguments.end(), {"-p", task.path().filename().string()});
  }
  if (tasks.empty()) return {StatusCode::kNotFound, "the server has no thread that writes"};
  command.directory = report.parent_path();
  command.log = report.parent_path() / "strace.log";
  SYNOD_RETURN_IF_ERROR(tracer_.start(command));
  const auto end = SteadyClock::now() + std::chrono::seconds(kAttachSeconds);
  for (const auto& task : tasks) {
    while (!is_traced(task)) {
      if (SteadyClock::now() > end) {
        return {StatusCode::kTimeout, "strace does not attach: see " + command.log.string()};
      }
      ::poll(nullptr, 0, kPollMs);
    }
  }
  return {};
}

void SyscallFault::detach() {
  tracer_.signal(SIGTERM);
  // A tracer that hangs is killed; the kernel lets its tracees go.
  if (!tracer_.wait(kAttachSeconds).ok()) tracer_.kill_and_wait();
}

std::size_t SyscallFault::lines_with(const std::string& text) const {
  std::ifstream file(report_);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find(text) != std::string::npos) ++count;
  }
  return count;
}

std::size_t SyscallFault::injected() const {
  return lines_with("(INJECTED)") + lines_with("(DELAYED)");
}

std::size_t SyscallFault::seen() const { return lines_with("fdatasync("); }

}  // namespace synod::disk_fault
