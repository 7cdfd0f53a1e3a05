// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "server/http/http_message.h"

namespace synod::server {

struct AdminHttpOptions {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one.
  std::size_t connections_max = 64;
  std::uint32_t header_bytes_max = 8 * 1024;
  std::uint64_t body_bytes_max = 16 * 1024;
  /// From the first byte of a request, and from the connection to that byte.
  base::Nanos request_timeout = std::chrono::seconds(5);
  base::Nanos idle_timeout = std::chrono::seconds(75);  ///< Between two requests.
  base::Nanos write_timeout = std::chrono::seconds(10);
};

/// One thing that has to be true before clients should come here.
struct ReadyCheck {
  std::string name;
  bool ok = false;
  std::string detail;  ///< Why not, or how far.
};

/// The HTTP/1.1 port for operators and their tools: GET /metrics, /health (/livez), /ready
/// (/readyz, ?verbose), /version, and what else its owner puts into the table.
///
/// Owned by ServerManager.
///
/// Invariants
///   AH1  /health answers while this thread runs: it asks nobody.
///   AH2  No client holds more than one connection's buffers, nor any of them longer than the
///        timeouts say, whatever it sends.
///
/// Threads: one of its own, named "admin", runs everything, callbacks included; start, port and
/// stop belong to the owner. Failure: `start` says why; a bad client loses its connection.
class AdminHttpServer {
 public:
  struct Sources {
    std::function<void(std::string& out)> metrics;    ///< Appends the exposition.
    std::function<std::vector<ReadyCheck>()> checks;  ///< Ready if all are ok. May take a second.
    std::string version;
    std::vector<HttpRoute> routes;  ///< More of them; each path once.
  };

  /// Listens when it returns.
  [[nodiscard]] static base::Result<std::unique_ptr<AdminHttpServer>> start(
      const AdminHttpOptions& options, Sources sources);
  ~AdminHttpServer();
  AdminHttpServer(const AdminHttpServer&) = delete;
  AdminHttpServer& operator=(const AdminHttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// Closes all connections; no callback runs after it. Once it returned, again is a no-op.
  void stop();

 private:
  class Listener;
  explicit AdminHttpServer(std::unique_ptr<Listener> listener);

  std::unique_ptr<Listener> listener_;
};

}  // namespace synod::server
