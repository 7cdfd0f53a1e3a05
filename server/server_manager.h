// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/worker.h"
#include "server/config/config.h"
#include "server/http/admin_http_server.h"
#include "server/metrics/server_metrics.h"
#include "server/store_host.h"
#include "server/thrift/thrift_server.h"
#include "storage/file.h"

namespace synod::server {

/// The one composition of the real process: stores with their threads, and the fronts before them;
/// started bottom-up, stopped top-down.
///
/// Three shapes: a store that stands alone, one replica, or all replicas of a group. With several
/// replicas one Thrift port is in front of all: a connection belongs to the first replica that
/// knows a leader when it is accepted, and every replica takes every request. Each store has an
/// admin socket in its directory; the first one's is in server.data_dir too. The metrics of several
/// replicas carry the label `replica`; the HTTP port's readiness is that of the first.
///
/// Owned by main or a test.
///
/// Threads it makes: net-0..N-1, admin, and those of each StoreHost. `start` and `stop` are called
/// by its owner. See docs/ARCHITECTURE.md for what each may do. Failure: `start` says why with a
/// code main turns into an exit code; once started, a broken promise of a disk ends the process
/// (base::fail_stop), whichever replica's it is.
class ServerManager {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<ServerManager>> start(const Config& config);
  ~ServerManager();
  ServerManager(const ServerManager&) = delete;
  ServerManager& operator=(const ServerManager&) = delete;

  /// Hands over the lead, answers what is in flight, completes the logs, flushes; the error of the
  /// last step that failed.
  [[nodiscard]] base::Status stop();

  /// The port the Thrift front really has; matters for port 0.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] router::Store& store() { return hosts_.front()->store(); }

 private:
  explicit ServerManager(const Config& config);
  [[nodiscard]] base::Status open_stores();
  [[nodiscard]] base::Status start_all();
  [[nodiscard]] base::Status open_fronts();
  [[nodiscard]] StoreObservers next_observers();
  [[nodiscard]] base::Status open_monitoring();
  [[nodiscard]] base::Status open_admin(StoreHost& host, const std::vector<net::Worker*>& workers);
  [[nodiscard]] std::shared_ptr<const ThriftService> make_front(StoreHost& host);
  void watch_replicas();

  const Config config_;
  base::SystemClock clock_;
  const base::Nanos started_;
  std::unique_ptr<storage::FileSystem> files_;
  ServerMetrics metrics_;
  // Declared before what runs on them, so that they are destroyed last.
  std::vector<std::unique_ptr<net::Worker>> workers_;
  std::vector<std::unique_ptr<StoreHost>> hosts_;
  /// For each host: it is worth a connection. Never resized after the fronts are open.
  std::vector<std::atomic<bool>> usable_;
  std::vector<std::shared_ptr<const ThriftService>> services_;
  std::unique_ptr<ThriftServer> thrift_;
  std::vector<std::unique_ptr<ThriftServer>> admins_;
  std::unique_ptr<AdminHttpServer> monitoring_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
};

}  // namespace synod::server
