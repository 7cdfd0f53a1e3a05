// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/cpp/client.h"
#include "tests/suite/server_process.h"

namespace synod::group {

inline constexpr std::size_t kNodes = 3;
using Seconds = std::chrono::seconds;

struct GroupOptions {
  std::string name = "group";         ///< Of the work directory.
  std::vector<std::string> settings;  ///< "table.key=value", for all nodes.
  std::array<std::string, kNodes> hosts{"127.0.0.1", "127.0.0.1", "127.0.0.1"};
  /// Words before the server's command line, so that it runs in a namespace or under a tracer. The
  /// process that is started must become the server, or end and begin with it.
  std::function<std::vector<std::string>(std::size_t node)> prefix;
  std::filesystem::path directory;  ///< Empty: a fresh one, removed after success.
};

/// Three server processes, one replica each, that a test kills, stops and starts again. Node i of a
/// test is node i + 1 of the group; its data lies in node_<i + 1>, its output in node_<i + 1>.log.
///
/// Every process dies with the thread that started it, so one thread starts them all.
/// Threads: externally synchronized; endpoint() and endpoints() may be called from any.
class ProcessGroup {
 public:
  explicit ProcessGroup(GroupOptions options);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  /// Starts all nodes and waits until a write is acknowledged.
  base::Status start();
  /// The same command line each time; does not wait.
  base::Status launch(std::size_t node);
  /// Waits until the node accepts clients.
  base::Status wait_for_port(std::size_t node);
  void kill(std::size_t node) { processes_[node].kill_and_wait(); }
  void signal(std::size_t node, int number) const { processes_[node].signal(number); }
  /// Ends it with SIGTERM; the exit code, or -signal.
  base::Result<int> stop(std::size_t node);
  [[nodiscard]] suite::ServerProcess& process(std::size_t node) { return processes_[node]; }

  [[nodiscard]] client::Endpoint endpoint(std::size_t node) const;
  [[nodiscard]] std::vector<client::Endpoint> endpoints() const;
  [[nodiscard]] std::filesystem::path directory() const { return directory_; }
  [[nodiscard]] std::filesystem::path data_of(std::size_t node) const;
  [[nodiscard]] std::filesystem::path log_file_of(std::size_t node) const;
  [[nodiscard]] std::string log_of(std::size_t node) const;

  /// synodctl at the node's data directory; code -1 and the reason if it did not run to its end.
  suite::Finished ctl(std::size_t node, const std::vector<std::string>& arguments) const;
  /// A line of `synodctl status`: the text behind `name`; empty if there is none.
  [[nodiscard]] std::string status_of(std::size_t node, const std::string& name) const;
  /// The node that leads, as a running node other than `except` says; nullopt if none knows one.
  [[nodiscard]] std::optional<std::size_t> leader(std::optional<std::size_t> except = {}) const;
  /// The time until a write at `node` was acknowledged; kTimeout after `limit`.
  base::Result<std::chrono::milliseconds> time_to_write(std::size_t node, Seconds limit) const;
  /// Waits until `synodctl verify` at a node finds all replicas equal; else what it found last.
  base::Status wait_for_equal_replicas(Seconds limit) const;

 private:
  [[nodiscard]] std::uint16_t client_port(std::size_t node) const;

  const GroupOptions options_;
  const std::filesystem::path directory_;
  const std::uint16_t first_port_;  ///< Of clients, then of peers.
  std::array<suite::ServerProcess, kNodes> processes_;
};

}  // namespace synod::group
