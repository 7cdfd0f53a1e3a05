// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/log_metrics.h"

#include <algorithm>

namespace synod::server {
namespace {

std::uint64_t count_of(base::Nanos duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

}  // namespace

LogMetrics::LogMetrics(StoreSeries& series, const base::Clock& clock)
    : clock_(clock),
      appended_(series.counter("log_append_bytes_total", "Bytes written to the log.")),
      syncs_(series.distribution("log_fsync_duration_seconds",
                                 "Time to make a frame of the log durable.",
                                 base::BucketLayout::durations())) {}

void LogMetrics::on_sync_ends() { syncs_.record(count_of(clock_.boot_time() - sync_began_)); }

CommitMetrics::CommitMetrics(StoreSeries& series)
    : frames_(series.distribution("log_entries_per_fsync",
                                  "Operations that became durable together.",
                                  base::BucketLayout::counts())),
      applied_(series.counter("apply_operations_total", "Operations executed on the tables.")),
      apply_(series.distribution("apply_duration_seconds",
                                 "Time to execute one group of operations.",
                                 base::BucketLayout::durations())),
      latency_(series.distribution("commit_duration_seconds",
                                   "Time from the submission of an operation to its outcome.",
                                   base::BucketLayout::durations())),
      failed_(series.counter("consensus_proposals_failed_total",
                             "Operations that did not get into the log, or perhaps did.")) {}

void CommitMetrics::on_applied(std::size_t operations, base::Nanos duration) {
  applied_.add(operations);
  apply_.record(count_of(duration));
}

void CommitMetrics::on_committed(base::Nanos latency) { latency_.record(count_of(latency)); }

}  // namespace synod::server
