// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace synod::suite {

struct ClusterOptions {
  std::vector<std::string> flags;                                ///< Added to every node's.
  std::vector<std::pair<std::string, std::string>> environment;  ///< Likewise.
};

struct NodeEndpoint {
  std::string host;
  std::uint16_t port = 0;
};

/// A database as the contract suite sees it: nodes that speak the public interface and can be
/// killed. One implementation for each way of running it.
///
/// Invariants
///   T1  After start() or restart() returned ok, the node accepts connections.
///   T2  Endpoints do not change while the cluster lives, restarts included.
///   T3  The destructor leaves no process, thread or file behind, unless a test failed, whose
///       files are kept.
///
/// Threads: externally synchronized.
class TestCluster {
 public:
  virtual ~TestCluster() = default;
  /// "standalone", "replicated", ...
  [[nodiscard]] virtual std::string name() const = 0;
  virtual base::Status start(const ClusterOptions& options) = 0;
  /// Asks every node to stop and waits until it has; kInternal if one did not end cleanly.
  virtual base::Status stop() = 0;
  [[nodiscard]] virtual std::vector<NodeEndpoint> endpoints() const = 0;
  /// Members of the group; several of them may stand behind one endpoint.
  [[nodiscard]] virtual std::size_t members() const { return endpoints().size(); }
  /// As kill -9.
  virtual void kill(std::size_t node) = 0;
  /// Starts a node that was killed or stopped, on the data it had.
  virtual base::Status restart(std::size_t node) = 0;
  /// Resident memory of a node, 0 if the cluster lives in this process.
  [[nodiscard]] virtual std::uint64_t resident_bytes(std::size_t node) const = 0;

  /// What an implementation may lack; cases that need it do not exist there.
  struct Features {
    bool survives_restart = true;  ///< kill(), stop() and restart() work, data stays.
    bool all_dialects = true;      ///< Framed and compact too, hostile input is survived.
    bool expires = true;
    bool survives_a_loss = false;  ///< Any one node may be killed; the others serve.
  };
  [[nodiscard]] virtual Features features() const { return {}; }
};

using ClusterFactory = std::function<std::unique_ptr<TestCluster>()>;

/// The clusters this binary runs the suite on. Implementations register themselves with a static
/// RegisterCluster.
struct NamedFactory {
  std::string name;
  ClusterFactory make;
};
[[nodiscard]] std::vector<NamedFactory>& cluster_factories();

struct RegisterCluster {
  RegisterCluster(std::string name, ClusterFactory make) {
    cluster_factories().push_back({std::move(name), std::move(make)});
  }
};

}  // namespace synod::suite
