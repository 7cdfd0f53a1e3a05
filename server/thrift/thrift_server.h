// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/limits.h"
#include "net/server.h"
#include "net/worker.h"
#include "server/thrift/thrift_service.h"
#include "server/thrift/thrift_session.h"

namespace synod::server {

/// A stream server whose connections are Thrift sessions on one service: the public front, or the
/// administration service on its Unix socket.
///
/// Threads: as net::Server. Lifetime: a service is kept until the last connection is closed, which
/// `observer` (or null) outlives; what the service refers to lives until `stop` has returned and
/// the calls under way have completed.
class ThriftServer {
 public:
  ThriftServer(const net::ServerLimits& limits, std::shared_ptr<const ThriftService> service,
               std::vector<net::Worker*> workers, CallObserver* observer = nullptr);
  /// `choose` is asked for the service of each new connection, on any worker; what it answers
  /// outlives the server.
  using ServiceChoice = std::function<const ThriftService&()>;
  ThriftServer(const net::ServerLimits& limits, ServiceChoice choose,
               std::vector<net::Worker*> workers, CallObserver* observer = nullptr);

  /// Returns the port bound.
  base::Result<std::uint16_t> listen_tcp(const std::string& host, std::uint16_t port) {
    return server_.listen_tcp(host, port);
  }
  base::Status listen_unix(const std::string& path) { return server_.listen_unix(path); }
  /// Answers what is in flight, for at most `grace`.
  void stop(base::Nanos grace) { server_.stop(grace); }

  [[nodiscard]] net::ServerCounters counters() const { return server_.counters(); }
  [[nodiscard]] const SessionCounters& session_counters() const { return shared_->counters; }

 private:
  /// What sessions refer to: outlives them, as the server below is destroyed first.
  struct Shared {
    net::ServerLimits limits;
    ServiceChoice choose;
    SessionCounters counters;
    CallObserver* observer = nullptr;
  };
  static net::HandlerFactory session_factory(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;
  net::Server server_;
};

}  // namespace synod::server
