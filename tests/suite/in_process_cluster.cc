// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>

#include "base/text.h"
#include "tests/suite/server_process.h"
#include "tests/suite/test_cluster.h"

namespace synod::suite {
namespace {

constexpr int kStopSeconds = 60;
constexpr std::uint16_t kReplicas = 3;

/// A whole group in one process, started as older servers are: one variable and a port.
class InProcessCluster final : public TestCluster {
 public:
  ~InProcessCluster() override {
    process_.kill_and_wait();
    if (!::testing::Test::HasFailure() && !directory_.empty()) {
      std::filesystem::remove_all(directory_);
    }
  }

  [[nodiscard]] std::string name() const override { return "replicated_in_process"; }

  base::Status start(const ClusterOptions& options) override {
    options_ = options;
    directory_ = fresh_directory(name());
    const std::uint16_t first = free_ports(kReplicas + 1);
    port_ = first;
    peer_port_ = static_cast<std::uint16_t>(first + 1);
    return restart(0);
  }

  base::Status stop() override {
    if (!process_.running()) return {};
    process_.signal(SIGTERM);
    SYNOD_ASSIGN_OR_RETURN(const int code, process_.wait(kStopSeconds));
    if (code == 0) return {};
    return {base::StatusCode::kInternal, base::concat("the server ended with ", code)};
  }

  [[nodiscard]] std::vector<NodeEndpoint> endpoints() const override {
    return {{"127.0.0.1", port_}};
  }
  [[nodiscard]] std::size_t members() const override { return kReplicas; }

  void kill(std::size_t) override { process_.kill_and_wait(); }

  base::Status restart(std::size_t) override {
    ServerProcess::Command command;
    command.binary = SYNOD_SERVER_BINARY;
    command.arguments = options_.flags;
    command.environment = {{"REPLICATED_MODE", "true"},
                           {"THRIFT_PORT", std::to_string(port_)},
                           {"REPLICATED_BASE_TCP_PORT", std::to_string(peer_port_)},
                           {"REPLICATED_DB_BASE_PATH", (directory_ / "data").string()},
                           {"SYNOD__ADMIN__HTTP_PORT", "0"},
                           {"SYNOD__FAULT_INJECTION__ENABLED", "true"}};
    command.environment.insert(command.environment.end(), options_.environment.begin(),
                               options_.environment.end());
    command.directory = directory_;
    command.log = directory_ / "server.log";
    SYNOD_RETURN_IF_ERROR(process_.start(command));
    return process_.wait_for_port(port_).with_context(
        base::concat("see ", command.log.string(), ": "));
  }

  [[nodiscard]] std::uint64_t resident_bytes(std::size_t) const override {
    return resident_bytes_of(process_.pid());
  }

 private:
  ClusterOptions options_;
  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  std::uint16_t peer_port_ = 0;
  ServerProcess process_;
};

const RegisterCluster registered("replicated_in_process",
                                 [] { return std::make_unique<InProcessCluster>(); });

}  // namespace
}  // namespace synod::suite
