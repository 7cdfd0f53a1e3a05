// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/kv_service_core.h"
#include "core/persistence.h"
#include "router/cold_reads.h"
#include "router/commit_pipeline.h"
#include "router/request_gate.h"
#include "router/request_router.h"
#include "router/warming.h"

namespace synod::router {

/// Who this node says it is in diagnostics.
struct NodeIdentity {
  std::int32_t node_id = 0;
  std::string endpoint;
};

/// The router of standalone mode: operations go through a log of one, reads go straight to the
/// tables on the caller's thread; what is not in memory waits on the threads of `pool`.
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
               const WarmingBounds& warming, const std::vector<base::Dispatcher*>& pool,
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

  /// What the process learns of its surroundings.
  [[nodiscard]] RequestGate& gate() { return gate_; }
  void set_endpoint(std::string endpoint) { identity_.endpoint = std::move(endpoint); }
  /// Refuses what comes, ends what waits for the disk.
  void close();
  [[nodiscard]] StorageWaits storage_waits() const;

 private:
  [[nodiscard]] Fullness fullness() const;
  /// The core, which outlives the router.
  [[nodiscard]] ColdReads::Source source() const;
  void enqueue(PendingOperation pending);
  template <class Request, class Reply>
  void read_any(Request request, const RequestContext& context, base::Function<void(Reply)> done);

  CommitPipeline& pipeline_;
  core::KvServiceCore& core_;
  core::TransactionalKvDatabase& database_;
  core::Persistence& persistence_;
  const base::Clock& clock_;
  RequestGate gate_;
  ColdReads cold_;
  Warming warming_;
  NodeIdentity identity_;
  const base::Nanos started_;
};

}  // namespace synod::router
