// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/worker.h"
#include "router/standalone.h"
#include "server/config/config.h"
#include "server/thrift/thrift_server.h"
#include "storage/file.h"

namespace synod::server {

/// The one composition of the real process: threads, store, fronts; started bottom-up, stopped
/// top-down.
///
/// Owned by main or a test.
///
/// Threads it makes: net-0..N-1, commit (log writer and apply), persistence, storage. `start` and
/// `stop` are called by its owner. See docs/ARCHITECTURE.md for what each may do. Failure: `start`
/// says why with a code main turns into an exit code; once started, a broken promise of the disk
/// ends the process (base::fail_stop).
class ServerManager {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<ServerManager>> start(const Config& config);
  ~ServerManager();
  ServerManager(const ServerManager&) = delete;
  ServerManager& operator=(const ServerManager&) = delete;

  /// Answers what is in flight, completes the log, flushes; the error of the last step that failed.
  [[nodiscard]] base::Status stop();

  /// The port the Thrift front really has; matters for port 0.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] router::Standalone& store() { return *store_; }

 private:
  explicit ServerManager(const Config& config);
  [[nodiscard]] base::Status open_store();
  [[nodiscard]] base::Status open_fronts();

  const Config config_;
  base::SystemClock clock_;
  const base::Nanos started_;
  std::unique_ptr<storage::FileSystem> files_;
  // Declared before what runs on them, so that they are destroyed last.
  std::unique_ptr<net::Worker> commit_;
  std::unique_ptr<net::Worker> persistence_;
  std::unique_ptr<net::Worker> storage_;
  std::vector<std::unique_ptr<net::Worker>> workers_;
  std::unique_ptr<router::Standalone> store_;
  std::unique_ptr<ThriftServer> thrift_;
  std::unique_ptr<ThriftServer> admin_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;
};

}  // namespace synod::server
