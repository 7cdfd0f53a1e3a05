// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

namespace apache::thrift::server {
class TThreadedServer;
}

namespace synod::suite {

class ModelHandler;

/// Serves a ModelStore on a free port of the loopback interface with libthrift's threaded server:
/// unframed strict binary only.
class ModelServer {
 public:
  /// Serves until destroyed; port 0 picks a free one.
  explicit ModelServer(int port = 0, bool is_framed = false);
  ~ModelServer();
  ModelServer(const ModelServer&) = delete;
  ModelServer& operator=(const ModelServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// The next that many commits take effect but are answered with an internal error.
  void spoil_commit_replies(int count);
  /// The next that many commits are refused with BUSY.
  void refuse_commits(int count);

 private:
  std::shared_ptr<ModelHandler> handler_;
  std::shared_ptr<apache::thrift::server::TThreadedServer> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace synod::suite
