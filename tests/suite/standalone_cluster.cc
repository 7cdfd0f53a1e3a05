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

/// One node on one disk: the server binary as a process of its own.
class StandaloneCluster final : public TestCluster {
 public:
  ~StandaloneCluster() override {
    process_.kill_and_wait();
    if (!::testing::Test::HasFailure() && !directory_.empty()) {
      std::filesystem::remove_all(directory_);
    }
  }

  [[nodiscard]] std::string name() const override { return "standalone"; }

  base::Status start(const ClusterOptions& options) override {
    options_ = options;
    directory_ = fresh_directory(name());
    port_ = free_port();
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

  void kill(std::size_t) override { process_.kill_and_wait(); }

  base::Status restart(std::size_t) override {
    ServerProcess::Command command;
    command.binary = SYNOD_SERVER_BINARY;
    command.arguments = {"--port",    std::to_string(port_), "--bind",
                         "127.0.0.1", "--db-path",           (directory_ / "data").string()};
    command.arguments.insert(command.arguments.end(), options_.flags.begin(), options_.flags.end());
    command.environment = options_.environment;
    command.environment.emplace_back("SYNOD__FAULT_INJECTION__ENABLED", "true");
    command.environment.emplace_back("SYNOD__ADMIN__HTTP_PORT", "0");
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
  ServerProcess process_;
};

const RegisterCluster registered("standalone",
                                 [] { return std::make_unique<StandaloneCluster>(); });

}  // namespace
}  // namespace synod::suite
