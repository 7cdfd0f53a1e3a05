// SPDX-License-Identifier: Apache-2.0
#include "router/direct_router.h"

#include <utility>

namespace synod::router {

DirectRouter::DirectRouter(CommitPipeline& pipeline, core::KvServiceCore& core,
                           core::TransactionalKvDatabase& database, core::Persistence& persistence,
                           const base::Clock& clock, const core::Limits& limits,
                           const AdmissionBounds& bounds, const WarmingBounds& warming,
                           const std::vector<base::Dispatcher*>& pool, NodeIdentity identity)
    : pipeline_(pipeline),
      core_(core),
      database_(database),
      persistence_(persistence),
      clock_(clock),
      gate_(limits, bounds),
      cold_(pool),
      warming_(cold_, warming),
      identity_(std::move(identity)),
      started_(clock.boot_time()) {}

Fullness DirectRouter::fullness() const {
  return {pipeline_.log_bytes(), gate_.bounds_tables() ? database_.unevictable_bytes() : 0,
          persistence_.is_paused(), database_.has_full_keys(),
          database_.has_no_room_for_tombstones()};
}

ColdReads::Source DirectRouter::source() const { return {std::shared_ptr<void>(), &core_}; }

StorageWaits DirectRouter::storage_waits() const {
  StorageWaits waits;
  warming_.add_to(waits);
  return waits;
}

void DirectRouter::close() {
  gate_.close();
  cold_.close();
}

void DirectRouter::submit(core::KvOperation operation, const RequestContext& context,
                          base::Function<void(core::Outcome)> done) {
  const base::Nanos now = clock_.boot_time();
  gate_.count_begin();
  if (auto refused = gate_.check(operation, fullness())) {
    gate_.count_end(*refused, base::Nanos(0));
    done(std::move(*refused));
    return;
  }
  PendingOperation pending;
  pending.deadline = context.deadline;
  pending.submitted = now;
  pending.done = [this, now, done = std::move(done)](core::Outcome outcome) mutable {
    gate_.count_end(outcome, clock_.boot_time() - now);
    done(std::move(outcome));
  };
  if (!warming_.must_wait(core_, operation, context)) {
    pending.operation = std::move(operation);
    enqueue(std::move(pending));
    return;
  }
  warming_.wait(source(), std::move(operation), context,
                [this, pending = std::move(pending)](core::KvOperation warmed,
                                                     std::optional<core::Outcome> refusal) mutable {
                  if (refusal) return pending.done(std::move(*refusal));
                  pending.operation = std::move(warmed);
                  enqueue(std::move(pending));
                });
}

void DirectRouter::enqueue(PendingOperation pending) {
  pending.bytes = core::encoded_bytes_max(pending.operation) + sizeof(PendingOperation);
  if (!pipeline_.submit(pending)) {
    pending.done(core::refused(core::OutcomeCode::kBusy, "Too many operations are waiting", 10));
  }
}

/// From memory at once; what left it comes through the pool.
template <class Request, class Reply>
void DirectRouter::read_any(Request request, const RequestContext& context,
                            base::Function<void(Reply)> done) {
  gate_.count_read();
  Reply reply = read_from(core_, request, core::ReadWait::kNever);
  if (!reply.is_cold) return done(std::move(reply));
  gate_.count_miss();
  cold_.read(source(), std::move(request), context, std::move(done));
}

void DirectRouter::read(core::PointReadRequest request, const RequestContext& context,
                        base::Function<void(core::PointReadReply)> done) {
  read_any(std::move(request), context, std::move(done));
}

void DirectRouter::read_range(core::RangeReadRequest request, const RequestContext& context,
                              base::Function<void(core::RangeReadReply)> done) {
  read_any(std::move(request), context, std::move(done));
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
  self.health = gate_.has_no_space() || persistence_.is_paused() ? NodeView::Health::kDegraded
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
  DatabaseCounters counters = gate_.counters();
  counters.keys = static_cast<std::int64_t>(database_.key_count());
  counters.bytes = static_cast<std::int64_t>(database_.live_bytes());
  return counters;
}

}  // namespace synod::router
