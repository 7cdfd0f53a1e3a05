// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/connection.h"
#include "net/limits.h"
#include "net/worker.h"

namespace synod::net {

/// A stream server: sockets that are listened on, and the connections that came from them.
///
/// The first worker accepts and hands the connections out in turn; from then on a connection
/// lives on one worker alone. There is no idle timeout: thousands of idle clients cost a
/// descriptor and some hundred bytes each.
///
/// Threads: listen_* and stop by the owner, never on a worker; counters from any thread.
/// Lifetime: the workers run until after `stop` has returned; the destructor calls stop(0).
/// Failure: listen_* say why they cannot. Afterwards no error of a client or of accept ends it.
class Server {
 public:
  /// REQUIRES: at least one worker.
  Server(const ServerLimits& limits, std::vector<Worker*> workers, HandlerFactory factory);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Returns the port, which matters for port 0.
  base::Result<std::uint16_t> listen_tcp(const std::string& host, std::uint16_t port);
  /// The path has mode 0600 and goes away with `stop`.
  base::Status listen_unix(const std::string& path);

  /// Stops accepting, lets handlers finish what is in flight, closes what remains after `grace`.
  /// Returns when every connection is closed. A second call is a no-op.
  void stop(base::Nanos grace);

  [[nodiscard]] ServerCounters counters() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace synod::net
