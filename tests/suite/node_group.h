// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/suite/peer.h"
#include "tests/suite/server_process.h"

namespace synod::suite {

/// Processes of one replica each, whose configurations may differ and contradict each other.
///
/// Nodes count from 1. Each has a directory, a log and ports of its own, whether it runs or not.
///
/// Invariants
///   NG1  The destructor leaves no process behind, and no file unless a test failed.
///
/// Threads: externally synchronized, but for endpoint().
class NodeGroup {
 public:
  /// A node as it is started; what is empty is as in a healthy group.
  struct Setup {
    std::string peers;                ///< cluster.peers
    int number = 0;                   ///< server.node_id
    std::vector<std::string> flags;   ///< Added.
    std::filesystem::path directory;  ///< server.data_dir
  };

  /// Room for `nodes`; the first `members` of them are in everybody's list of peers.
  NodeGroup(const std::string& name, int nodes, int members);
  ~NodeGroup();
  NodeGroup(const NodeGroup&) = delete;
  NodeGroup& operator=(const NodeGroup&) = delete;

  [[nodiscard]] Setup& setup(int node) { return setups_[node]; }
  /// "1=127.0.0.1:p,..." of the nodes 1 to `count`, with other ports for some of them.
  [[nodiscard]] std::string peers(int count,
                                  const std::map<int, std::uint16_t>& instead = {}) const;
  [[nodiscard]] std::uint16_t peer_port(int node) const;
  [[nodiscard]] NodeEndpoint endpoint(int node) const;

  [[nodiscard]] base::Status start(int node);
  /// Starts the members and waits until all of them serve.
  [[nodiscard]] base::Status start_members();
  [[nodiscard]] base::Status wait_until_ready(int node);
  [[nodiscard]] ServerProcess& process(int node) { return processes_[node]; }
  /// Waits until it has ended: the exit code, or -signal; -1000 if it goes on.
  [[nodiscard]] int exit_code(int node);

  /// Runs synodctl on the directory of a node.
  [[nodiscard]] Finished ctl(int node, std::vector<std::string> arguments) const;
  /// One field of `status`; empty: the node does not answer, or has no such field.
  [[nodiscard]] std::string field(int node, const std::string& name) const;
  /// Whom `node` takes for the leader; 0: nobody.
  [[nodiscard]] int leader_at(int node) const;
  [[nodiscard]] std::string log(int node) const;

  /// Writes until it is acknowledged, for half a minute.
  void put(int node, const std::string& key, const std::string& value) const;
  /// "(missing)" if there is no such key.
  [[nodiscard]] std::string read(int node, const std::string& key) const;

 private:
  [[nodiscard]] std::filesystem::path log_of(int node) const;

  const int nodes_;
  const int members_;
  const std::filesystem::path directory_;
  const std::uint16_t first_port_;  ///< Of clients, then of peers.
  std::map<int, Setup> setups_;
  std::map<int, ServerProcess> processes_;
};

/// Asks again until it is true, for at most so long.
[[nodiscard]] bool eventually(const std::function<bool()>& condition, int seconds = 30);

}  // namespace synod::suite
