// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/consensus_metrics.h"

namespace synod::server {

ConsensusMetrics::ConsensusMetrics(StoreSeries& series, router::CommitObserver& commits)
    : commits_(commits),
      leader_changes_(series.counter("consensus_leader_changes_total",
                                     "Times another replica than before was seen to lead.")),
      installed_(series.counter("consensus_snapshots_installed_total",
                                "Times the state was replaced by a snapshot.")),
      complaints_(series.counter("consensus_complaints_total",
                                 "Messages that cannot be right, and snapshots that failed.")),
      batches_(series.distribution("consensus_batch_inputs",
                                   "Messages, proposals and reads worked in together.",
                                   base::BucketLayout::counts())) {}

void ConsensusMetrics::on_durable(const consensus::Persist& frame) {
  if (!frame.records.empty()) commits_.on_durable(frame.records.size());
}

void ConsensusMetrics::on_batch(const consensus::Replica& replica,
                                const consensus::Output& /*output*/, std::size_t inputs) {
  batches_.record(inputs);
  const auto leader = replica.leader();
  if (!leader || leader == leader_) return;
  leader_ = leader;
  leader_changes_.add();
}

}  // namespace synod::server
