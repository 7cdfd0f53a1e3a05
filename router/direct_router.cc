// SPDX-License-Identifier: Apache-2.0
#include "router/direct_router.h"

#include <algorithm>
#include <utility>

namespace synod::router {
namespace {

std::int64_t micros_since(base::Nanos start, base::Nanos now) {
  return std::chrono::duration_cast<base::Micros>(now - start).count();
}

/// True unless every step only removes.
bool grows(const core::KvOperation& operation) {
  return std::any_of(operation.steps.begin(), operation.steps.end(), [](const core::Step& step) {
    switch (step.kind) {
      case core::StepKind::kDelete:
      case core::StepKind::kClearRange:
      case core::StepKind::kClearNamespace:
      case core::StepKind::kCheckVersion:
      case core::StepKind::kExpire:
        return false;
      default:
        return true;
    }
  });
}

}  // namespace

DirectRouter::DirectRouter(CommitPipeline& pipeline, core::KvServiceCore& core,
                           core::TransactionalKvDatabase& database, core::Persistence& persistence,
                           const base::Clock& clock, const core::Limits& limits,
                           const AdmissionBounds& bounds, NodeIdentity identity)
    : pipeline_(pipeline),
      core_(core),
      database_(database),
      persistence_(persistence),
      clock_(clock),
      limits_(limits),
      bounds_(bounds),
      identity_(std::move(identity)),
      started_(clock.boot_time()) {}

std::optional<core::Outcome> DirectRouter::check_admission(
    const core::KvOperation& operation) const {
  using core::OutcomeCode;
  if (closed_.load(std::memory_order_relaxed)) {
    return core::refused(OutcomeCode::kBusy, "The server is stopping", 1'000);
  }
  if (auto refused = core::check_limits(operation, limits_)) return refused;
  if (no_space_.load(std::memory_order_relaxed)) {
    return core::refused(OutcomeCode::kNoSpace, "The disk reserve is reached; writes are refused",
                         1'000);
  }
  if (pipeline_.log_bytes() > bounds_.log_bytes_max) {
    return core::refused(persistence_.is_paused() ? OutcomeCode::kNoSpace : OutcomeCode::kBusy,
                         "The log has reached log_bytes_max; the storage backend is behind", 1'000);
  }
  const bool is_full =
      bounds_.table_bytes_max != 0 && database_.memory_bytes() > bounds_.table_bytes_max;
  if (is_full && grows(operation)) {
    return core::refused(OutcomeCode::kMemoryFull,
                         "Keys and values fill database.memory_limit; only deletes are admitted",
                         1'000);
  }
  return std::nullopt;
}

void DirectRouter::record(const core::Outcome& outcome, base::Nanos submitted) {
  pending_.fetch_sub(1, std::memory_order_relaxed);
  auto& counter = outcome.ok() ? committed_ : aborted_;
  counter.fetch_add(1, std::memory_order_relaxed);
  response_us_.fetch_add(micros_since(submitted, clock_.boot_time()), std::memory_order_relaxed);
}

void DirectRouter::submit(core::KvOperation operation, const RequestContext& context,
                          base::Function<void(core::Outcome)> done) {
  const base::Nanos now = clock_.boot_time();
  pending_.fetch_add(1, std::memory_order_relaxed);
  if (auto refused = check_admission(operation)) {
    record(*refused, now);
    done(std::move(*refused));
    return;
  }
  PendingOperation pending;
  pending.bytes = core::encoded_bytes_max(operation) + sizeof(PendingOperation);
  pending.operation = std::move(operation);
  pending.deadline = context.deadline;
  pending.submitted = now;
  pending.done = [this, now, done = std::move(done)](core::Outcome outcome) mutable {
    record(outcome, now);
    done(std::move(outcome));
  };
  if (!pipeline_.submit(pending)) {
    pending.done(core::refused(core::OutcomeCode::kBusy, "Too many operations are waiting", 10));
  }
}

void DirectRouter::read(core::PointReadRequest request, const RequestContext& /*context*/,
                        base::Function<void(core::PointReadReply)> done) {
  reads_.fetch_add(1, std::memory_order_relaxed);
  done(core_.read(request));
}

void DirectRouter::read_range(core::RangeReadRequest request, const RequestContext& /*context*/,
                              base::Function<void(core::RangeReadReply)> done) {
  reads_.fetch_add(1, std::memory_order_relaxed);
  done(core_.read_range(request));
}

void DirectRouter::read_version(const RequestContext& /*context*/,
                                base::Function<void(core::VersionReply)> done) {
  core::VersionReply reply;
  reply.version = core_.visible_version();
  done(std::move(reply));
}

std::vector<NodeView> DirectRouter::nodes() const {
  NodeView self;
  self.node_id = identity_.node_id;
  self.endpoint = identity_.endpoint;
  self.health = no_space_.load() || persistence_.is_paused() ? NodeView::Health::kDegraded
                                                             : NodeView::Health::kHealthy;
  self.is_leader = true;
  self.last_seen_unix_s =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.wall_time()).count();
  self.term = 1;
  self.uptime_s =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.boot_time() - started_).count();
  return {self};
}

DatabaseCounters DirectRouter::counters() const {
  DatabaseCounters counters;
  counters.keys = static_cast<std::int64_t>(database_.key_count());
  counters.bytes = static_cast<std::int64_t>(database_.live_bytes());
  counters.committed = committed_.load();
  counters.aborted = aborted_.load();
  counters.writes = counters.committed;
  counters.reads = reads_.load();
  counters.pending = pending_.load();
  counters.cache_hits = counters.reads;
  counters.compaction_pending_bytes = static_cast<std::int64_t>(compaction_pending_.load());
  const std::int64_t answered = counters.committed + counters.aborted;
  if (answered > 0) {
    counters.average_response_ms =
        static_cast<double>(response_us_.load()) / 1'000.0 / static_cast<double>(answered);
  }
  return counters;
}

}  // namespace synod::router
