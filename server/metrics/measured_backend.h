// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "server/metrics/store_series.h"
#include "storage/storage_backend.h"

namespace synod::server {

/// The storage engine of one store: how long its writes take, and what it last said of itself if
/// it is RocksDB.
///
/// Owned by ServerMetrics. Threads: any.
class StorageMetrics {
 public:
  StorageMetrics(StoreSeries& series, const base::Clock& clock);
  [[nodiscard]] const base::Clock& clock() const { return clock_; }
  void on_write(base::Nanos duration);
  void on_stats(const storage::StorageBackend::Stats& stats);
  /// None: it was not asked yet.
  [[nodiscard]] std::optional<storage::StorageBackend::Stats> stats() const;

 private:
  const base::Clock& clock_;
  base::Distribution& writes_;
  mutable std::mutex mutex_;
  std::optional<storage::StorageBackend::Stats> stats_;  ///< Guarded by mutex_.
};

/// The same engine; whatever it does, `metrics` hears of it. `metrics` outlives it.
[[nodiscard]] std::unique_ptr<storage::StorageBackend> measure(
    std::unique_ptr<storage::StorageBackend> backend, StorageMetrics& metrics);

}  // namespace synod::server
