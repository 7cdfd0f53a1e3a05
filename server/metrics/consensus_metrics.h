// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "consensus/runtime/replica_runtime.h"
#include "router/commit_observer.h"
#include "server/metrics/store_series.h"

namespace synod::server {

/// What one replica's runtime does. The observer that complains to people hands its calls on to
/// this one.
///
/// Owned by ServerMetrics. Threads: as RuntimeObserver says for each call.
class ConsensusMetrics final : public consensus::RuntimeObserver {
 public:
  /// `commits` outlives this.
  ConsensusMetrics(StoreSeries& series, router::CommitObserver& commits);
  void on_durable(const consensus::Persist& frame) override;
  void on_batch(const consensus::Replica& replica, const consensus::Output& output,
                std::size_t inputs) override;
  void on_installed(const consensus::SnapshotManifest& /*label*/) override { installed_.add(); }
  void on_complaint(std::string_view /*line*/) override { complaints_.add(); }

 private:
  router::CommitObserver& commits_;
  base::Counter& leader_changes_;
  base::Counter& installed_;
  base::Counter& complaints_;
  base::Distribution& batches_;
  std::optional<consensus::ReplicaId> leader_;  ///< The last one. Consensus strand.
};

}  // namespace synod::server
