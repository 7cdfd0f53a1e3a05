// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <memory>

#include "base/text.h"
#include "tests/suite/server_process.h"
#include "tests/suite/test_cluster.h"

namespace synod::suite {
namespace {

constexpr int kStopSeconds = 60;
constexpr std::uint16_t kNodes = 3;

/// Three processes, one replica each. Node i of the suite is node i + 1 of the group.
class ReplicatedCluster final : public TestCluster {
 public:
  ~ReplicatedCluster() override {
    for (ServerProcess& process : processes_) process.kill_and_wait();
    if (!::testing::Test::HasFailure() && !directory_.empty()) {
      std::filesystem::remove_all(directory_);
    }
  }

  [[nodiscard]] std::string name() const override { return "replicated"; }

  base::Status start(const ClusterOptions& options) override {
    options_ = options;
    directory_ = fresh_directory(name());
    first_port_ = free_ports(2 * kNodes);
    for (std::size_t node = 0; node < kNodes; ++node) SYNOD_RETURN_IF_ERROR(launch(node));
    for (std::size_t node = 0; node < kNodes; ++node) SYNOD_RETURN_IF_ERROR(wait_for(node));
    return {};
  }

  base::Status stop() override {
    for (const ServerProcess& process : processes_) process.signal(SIGTERM);
    base::Status result;
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (!processes_[node].running()) continue;
      const auto code = processes_[node].wait(kStopSeconds);
      if (!code.ok()) {
        result = code.status();
      } else if (*code != 0) {
        result = {base::StatusCode::kInternal,
                  base::concat("node ", node + 1, " ended with ", *code)};
      }
    }
    return result;
  }

  [[nodiscard]] std::vector<NodeEndpoint> endpoints() const override {
    std::vector<NodeEndpoint> all;
    for (std::size_t node = 0; node < kNodes; ++node) {
      all.push_back({"127.0.0.1", thrift_port(node)});
    }
    return all;
  }

  void kill(std::size_t node) override { processes_[node].kill_and_wait(); }

  base::Status restart(std::size_t node) override {
    SYNOD_RETURN_IF_ERROR(launch(node));
    return wait_for(node);
  }

  [[nodiscard]] std::uint64_t resident_bytes(std::size_t node) const override {
    return resident_bytes_of(processes_[node].pid());
  }

  [[nodiscard]] Features features() const override { return {.survives_a_loss = true}; }

 private:
  [[nodiscard]] std::uint16_t thrift_port(std::size_t node) const {
    return static_cast<std::uint16_t>(first_port_ + node);
  }

  base::Status launch(std::size_t node) {
    std::string peers;
    for (std::size_t i = 0; i < kNodes; ++i) {
      peers += base::concat(i == 0 ? "" : ",", i + 1, "=127.0.0.1:", first_port_ + kNodes + i);
    }
    ServerProcess::Command command;
    command.binary = SYNOD_SERVER_BINARY;
    command.arguments = {"--replicated",
                         "--peers",
                         peers,
                         "--node-id",
                         std::to_string(node + 1),
                         "--port",
                         std::to_string(thrift_port(node)),
                         "--data-dir",
                         (directory_ / base::concat("node_", node + 1)).string()};
    command.arguments.insert(command.arguments.end(), options_.flags.begin(), options_.flags.end());
    command.environment = {{"SYNOD__ADMIN__HTTP_PORT", "0"},
                           {"SYNOD__FAULT_INJECTION__ENABLED", "true"}};
    command.environment.insert(command.environment.end(), options_.environment.begin(),
                               options_.environment.end());
    command.directory = directory_;
    command.log = log_of(node);
    return processes_[node].start(command);
  }

  base::Status wait_for(std::size_t node) {
    return processes_[node]
        .wait_for_port(thrift_port(node))
        .with_context(base::concat("see ", log_of(node).string(), ": "));
  }

  [[nodiscard]] std::filesystem::path log_of(std::size_t node) const {
    return directory_ / base::concat("node_", node + 1, ".log");
  }

  ClusterOptions options_;
  std::filesystem::path directory_;
  std::uint16_t first_port_ = 0;  ///< Of clients, then of peers.
  std::array<ServerProcess, kNodes> processes_;
};

const RegisterCluster registered("replicated",
                                 [] { return std::make_unique<ReplicatedCluster>(); });

}  // namespace
}  // namespace synod::suite
