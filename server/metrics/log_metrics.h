// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"
#include "router/commit_observer.h"
#include "server/metrics/store_series.h"
#include "storage/log/log_observer.h"

namespace synod::server {

/// The log of one store: bytes, and how long it takes to make them durable.
///
/// Owned by ServerMetrics. Threads: that which appends to the log.
class LogMetrics final : public storage::LogObserver {
 public:
  LogMetrics(StoreSeries& series, const base::Clock& clock);
  void on_append(std::uint64_t bytes) override { appended_.add(bytes); }
  void on_sync_begins() override { sync_began_ = clock_.boot_time(); }
  void on_sync_ends() override;

 private:
  const base::Clock& clock_;
  base::Counter& appended_;
  base::Distribution& syncs_;
  base::Nanos sync_began_{0};
};

/// Operations on their way through the log of one store.
///
/// Owned by ServerMetrics. Threads: any.
class CommitMetrics final : public router::CommitObserver {
 public:
  explicit CommitMetrics(StoreSeries& series);
  void on_durable(std::size_t operations) override { frames_.record(operations); }
  void on_applied(std::size_t operations, base::Nanos duration) override;
  void on_committed(base::Nanos latency) override;
  void on_failed(std::size_t operations) override { failed_.add(operations); }

 private:
  base::Distribution& frames_;
  base::Counter& applied_;
  base::Distribution& apply_;
  base::Distribution& latency_;
  base::Counter& failed_;
};

}  // namespace synod::server
