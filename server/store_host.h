// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "consensus/runtime/replica_runtime.h"
#include "net/peer_transport.h"
#include "net/worker.h"
#include "router/commit_observer.h"
#include "router/store.h"
#include "server/config/config.h"
#include "server/config/group_plan.h"
#include "server/metrics/measured_backend.h"
#include "storage/file.h"
#include "storage/log/segmented_log.h"

namespace synod::server {

/// Who wants to know what a store does; null: nobody. All outlive it.
struct StoreObservers {
  storage::LogObserver* log = nullptr;
  router::CommitObserver* commits = nullptr;
  consensus::RuntimeObserver* consensus = nullptr;
  StorageMetrics* storage = nullptr;
};

/// One store with the threads it runs on, and, for a replica, its way to the others.
///
/// Owned by ServerManager, once for each store of the process.
///
/// Invariants
///   SH1  Threads stop upstream first: what a stopped thread posted is still run by the next one.
///
/// Threads: `start` and `stop` by the owner; the store's own calls from any.
class StoreHost {
 public:
  virtual ~StoreHost() = default;
  [[nodiscard]] virtual router::Store& store() = 0;
  /// Number and data directory of the node it is.
  [[nodiscard]] virtual std::uint32_t node_id() const = 0;
  [[nodiscard]] virtual std::string directory() const = 0;
  /// Where the others reach it, host:port; empty for a store that stands alone.
  [[nodiscard]] virtual std::string peer_endpoint() const = 0;
  /// The way to the others; nobody for a store that stands alone. Any thread.
  [[nodiscard]] virtual std::vector<net::PeerView> peers() const = 0;
  [[nodiscard]] virtual base::Status start() = 0;
  /// Before a stop: if this replica leads, another one takes over, so that clients of the others
  /// need not wait for an election. Waits for at most `patience`; not on one of its threads.
  virtual void hand_over(base::Nanos patience) = 0;
  /// REQUIRES: no request comes any more. Makes everything durable; the first error.
  [[nodiscard]] virtual base::Status stop() = 0;
};

/// Opens the store, recovers it; nothing runs before `start`. `files` outlives it.
[[nodiscard]] base::Result<std::unique_ptr<StoreHost>> open_standalone(
    const Config& config, storage::FileSystem& files, const StoreObservers& observers);
[[nodiscard]] base::Result<std::unique_ptr<StoreHost>> open_replica(
    const Config& config, const PeerEntry& self, storage::FileSystem& files,
    const StoreObservers& observers);

/// The configured engine; `meter`, if there is one, hears of what it does.
[[nodiscard]] base::Result<std::unique_ptr<storage::StorageBackend>> open_measured_backend(
    const Config& config, const std::string& directory, StorageMetrics* meter);

/// The threads that read values which left memory: none without a memory limit.
using ColdReaders = std::vector<std::unique_ptr<net::Worker>>;
[[nodiscard]] ColdReaders cold_readers(const Config& config, const std::string& suffix);
[[nodiscard]] std::vector<base::Dispatcher*> dispatchers_of(const ColdReaders& readers);

/// 64 random bits of the operating system.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace synod::server
