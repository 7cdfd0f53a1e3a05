// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/suite/test_cluster.h"

namespace synod::suite {

/// One process of the server, and how it ended.
///
/// Its output goes to `log`. It dies with the thread that started it.
class ServerProcess {
 public:
  ServerProcess() = default;
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  struct Command {
    std::filesystem::path binary;
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment;  ///< Added to ours.
    std::filesystem::path directory;                               ///< To run in.
    std::filesystem::path log;
  };
  base::Status start(const Command& command);
  /// Waits until something accepts on `port`; fails at once if the process ends before.
  base::Status wait_for_port(std::uint16_t port, const std::string& host = "127.0.0.1");
  void signal(int number) const;
  /// Waits for the end: the exit code, or -signal; kTimeout after `seconds`.
  base::Result<int> wait(int seconds);
  void kill_and_wait();
  [[nodiscard]] bool running() const { return pid_ > 0; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// How a program that ran to its end ended, and what it printed.
struct Finished {
  int code = -1;
  std::string output;
};
/// Runs a program to its end. Its log is made anew. An error if it does not start, or goes on for
/// more than `seconds`.
[[nodiscard]] base::Result<Finished> run_to_end(const ServerProcess::Command& command, int seconds);

/// A port of the loopback interface that was free a moment ago.
[[nodiscard]] std::uint16_t free_port();
/// The first of `count` such ports in a row, below those that the system gives to connections: a
/// server that comes back finds them free.
[[nodiscard]] std::uint16_t free_ports(std::uint16_t count);
/// A fresh directory under the build tree, on a real disk.
[[nodiscard]] std::filesystem::path fresh_directory(const std::string& name);
[[nodiscard]] std::uint64_t resident_bytes_of(pid_t pid);

}  // namespace synod::suite
