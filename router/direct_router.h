// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/admission.h"
#include "core/kv_service_core.h"
#include "core/persistence.h"
#include "router/commit_pipeline.h"
#include "router/request_router.h"

namespace synod::router {

/// Who this node says it is in diagnostics.
struct NodeIdentity {
  std::int32_t node_id = 0;
  std::string endpoint;
};

/// What may fill up before writes are refused.
struct AdmissionBounds {
  std::uint64_t log_bytes_max = 4ULL << 30;
  /// Of the tables; 0: none. Beyond it only operations that free memory are admitted.
  std::uint64_t table_bytes_max = 0;
};

/// The router of standalone mode: operations go through a log of one, reads go straight to the
/// tables on the caller's thread.
///
/// Owned by Standalone.
///
/// Invariants: R1–R3 of RequestRouter. R3 holds because an operation is answered only after its
/// version is visible.
/// Threads: RequestRouter's.
class DirectRouter final : public RequestRouter {
 public:
  DirectRouter(CommitPipeline& pipeline, core::KvServiceCore& core,
               core::TransactionalKvDatabase& database, core::Persistence& persistence,
               const base::Clock& clock, const core::Limits& limits, const AdmissionBounds& bounds,
               NodeIdentity identity);

  void submit(core::KvOperation operation, const RequestContext& context,
              base::Function<void(core::Outcome)> done) override;
  void read(core::PointReadRequest request, const RequestContext& context,
            base::Function<void(core::PointReadReply)> done) override;
  void read_range(core::RangeReadRequest request, const RequestContext& context,
                  base::Function<void(core::RangeReadReply)> done) override;
  void read_version(const RequestContext& context,
                    base::Function<void(core::VersionReply)> done) override;
  [[nodiscard]] std::vector<NodeView> nodes() const override;
  [[nodiscard]] DatabaseCounters counters() const override;

  /// For diagnostics, sampled where the backend may be asked: workers never touch it.
  void set_compaction_pending(std::uint64_t bytes) { compaction_pending_.store(bytes); }
  /// Admission's view of the disk: true refuses writes with NO_SPACE.
  void set_no_space(bool no_space) { no_space_.store(no_space); }
  /// Refuses every further operation: the server is stopping.
  void close() { closed_.store(true); }
  void set_endpoint(std::string endpoint) { identity_.endpoint = std::move(endpoint); }

 private:
  [[nodiscard]] std::optional<core::Outcome> check_admission(
      const core::KvOperation& operation) const;
  void record(const core::Outcome& outcome, base::Nanos submitted);

  CommitPipeline& pipeline_;
  core::KvServiceCore& core_;
  core::TransactionalKvDatabase& database_;
  core::Persistence& persistence_;
  const base::Clock& clock_;
  const core::Limits limits_;
  const AdmissionBounds bounds_;
  NodeIdentity identity_;
  const base::Nanos started_;

  std::atomic<bool> no_space_{false};
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> compaction_pending_{0};
  std::atomic<std::int64_t> reads_{0};
  std::atomic<std::int64_t> committed_{0};
  std::atomic<std::int64_t> aborted_{0};
  std::atomic<std::int64_t> pending_{0};
  std::atomic<std::int64_t> response_us_{0};
};

}  // namespace synod::router
