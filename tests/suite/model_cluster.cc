// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tests/suite/model_server.h"
#include "tests/suite/test_cluster.h"

namespace synod::suite {
namespace {

/// The model as a cluster of one node in this process.
class ModelCluster final : public TestCluster {
 public:
  [[nodiscard]] std::string name() const override { return "model"; }
  base::Status start(const ClusterOptions&) override {
    server_ = std::make_unique<ModelServer>();
    return {};
  }
  base::Status stop() override {
    server_.reset();
    return {};
  }
  [[nodiscard]] std::vector<NodeEndpoint> endpoints() const override {
    return {{"127.0.0.1", server_->port()}};
  }
  void kill(std::size_t) override { server_.reset(); }
  base::Status restart(std::size_t) override {
    return {base::StatusCode::kUnsupported, "the model keeps nothing"};
  }
  [[nodiscard]] std::uint64_t resident_bytes(std::size_t) const override { return 0; }
  [[nodiscard]] Features features() const override {
    return {.survives_restart = false, .all_dialects = false, .expires = false};
  }

 private:
  std::unique_ptr<ModelServer> server_;
};

const RegisterCluster registered("model", [] { return std::make_unique<ModelCluster>(); });

}  // namespace
}  // namespace synod::suite
