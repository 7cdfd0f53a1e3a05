// SPDX-License-Identifier: Apache-2.0
#include "core/kv_service_core.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "base/logging.h"
#include "base/plant.h"
#include "base/text.h"
#include "core/execution.h"

namespace synod::core {
namespace {

/// Far beyond any real log or clock; below it no arithmetic on versions and times can overflow.
constexpr Version kVersionMax(std::int64_t{1} << 62);
constexpr TimeMs kStampMax(std::int64_t{1} << 61);

/// Keys without a namespace times namespaces in one commit: about 0.2 s of the one writer.
constexpr std::uint64_t kConflictLookupsMax = 1'000'000;

/// Of a range of current data that takes longer to come from the disk than history is kept.
constexpr int kRestartsMax = 2;

Outcome conflict(ConflictDetail detail, std::string message) {
  Outcome outcome = refused(OutcomeCode::kConflict, std::move(message));
  outcome.detail = detail;
  return outcome;
}

std::string too_old(Version at) {
  return base::concat("Read version ", at.value(), " is older than the history kept");
}

/// Wrong bytes behind the tables are no answer and no error of this request: the disk broke a
/// promise.
std::string unreadable(const base::Status& status) {
  if (status.code() == base::StatusCode::kCorruption) base::fail_stop("core", status.to_string());
  return "The value is not in memory and cannot be read: " + status.to_string();
}

}  // namespace

ExecutionResult KvServiceCore::execute(LogIndex index, const KvOperation& operation) {
  const ReplicatedState& state = database_.state();
  TimeMs stamp = operation.stamp;
  if (SYNOD_PLANT("clock_from_wall")) {
    const auto wall = base::SystemClock().wall_time();
    stamp = TimeMs(std::chrono::duration_cast<base::Micros>(wall).count());
  }
  Execution execution(operation, std::max(state.clock(), stamp), state.newest_version().next());
  ExecutionResult result;
  result.outcome = run(execution);
  database_.finish(index);
  return result;
}

Outcome KvServiceCore::run(Execution& execution) {
  ReplicatedState& state = database_.state();
  const KvOperation& operation = execution.operation;
  if (operation.stamp > kStampMax || state.newest_version() >= kVersionMax.next()) {
    return refused(OutcomeCode::kInvalidOperation, "Stamp or version out of range");
  }
  if (operation.kind != OperationKind::kPolicy && !state.has_policy()) {
    return refused(OutcomeCode::kInvalidOperation, "The store has no policy yet");
  }
  if (operation.kind == OperationKind::kPolicy) {
    if (!operation.policy || !state.accepts_policy(*operation.policy)) {
      return refused(OutcomeCode::kInvalidOperation, "Invalid policy");
    }
  }
  if (operation.kind == OperationKind::kResume) {
    if (operation.resume_version < state.newest_version() ||
        operation.resume_version > kVersionMax) {
      return refused(OutcomeCode::kInvalidOperation, "Resume outside the range of versions");
    }
    execution.version = operation.resume_version.next();
  }
  if (operation.token) {
    const auto found = state.tokens().find(*operation.token, Version(operation.read_version));
    if (found.verdict == TokenTable::Verdict::kRepeat) return found.stored;
    if (found.verdict == TokenTable::Verdict::kForgotten) {
      return refused(OutcomeCode::kOutcomeForgotten,
                     "The outcome of this client and sequence is no longer remembered");
    }
  }
  Outcome outcome = check_conflicts(execution);
  if (!outcome.ok()) return outcome;
  outcome = run_steps(execution);
  if (!outcome.ok()) return outcome;
  commit(execution, outcome);
  return outcome;
}

Outcome KvServiceCore::check_conflicts(const Execution& execution) const {
  const KvOperation& operation = execution.operation;
  const ReplicatedState& state = database_.state();
  if (!operation.has_read_set() && !operation.token) return {};
  const Version read_version(operation.read_version);
  if (read_version <= Version(0) || read_version > state.newest_version()) {
    return conflict(ConflictDetail::kFuture, "Read version out of range");
  }
  if (!operation.has_read_set()) return {};
  if (read_version < state.conflict_floor()) {
    return conflict(ConflictDetail::kTooOld, "Read version too old");
  }
  const auto everywhere =
      std::count_if(operation.read_keys.begin(), operation.read_keys.end(),
                    [](const ReadConflictKey& key) { return !key.ns.has_value(); });
  if (static_cast<std::uint64_t>(everywhere) * state.namespaces().entries().size() >
      kConflictLookupsMax) {
    return refused(OutcomeCode::kLimitExceeded,
                   base::concat(everywhere, " conflict keys without a namespace are too many for ",
                                state.namespaces().entries().size(), " namespaces"));
  }
  for (const auto& key : operation.read_keys) {
    if (key_changed(key, execution)) {
      return conflict(ConflictDetail::kRead,
                      base::concat("Conflict detected on key: ", base::escape(key.key)));
    }
  }
  const TimeMs read_clock = execution.read_clock(state);
  for (const auto& range : operation.read_ranges) {
    const auto* ns = state.namespaces().find(range.ns);
    if (ns == nullptr) continue;
    const bool changed = ns->cleared > read_version ||
                         database_.range_changed(ns->id, kUserSpace, range.begin, range.end,
                                                 read_version, read_clock, execution.now);
    if (changed) {
      return conflict(ConflictDetail::kRead,
                      base::concat("Conflict detected in range: ", base::escape(range.begin),
                                   " to ", base::escape(range.end)));
    }
  }
  return {};
}

bool KvServiceCore::key_changed(const ReadConflictKey& key, const Execution& execution) const {
  const NamespaceTable& namespaces = database_.state().namespaces();
  if (key.ns) {
    const auto* ns = namespaces.find(*key.ns);
    return ns != nullptr && entry_changed(*ns, key.key, execution);
  }
  // Keys without a namespace come from clients that know of one only: a write of the key anywhere
  // counts, at worst a false conflict, never a missed one.
  return std::any_of(
      namespaces.entries().begin(), namespaces.entries().end(),
      [&](const auto& entry) { return entry_changed(entry.second, key.key, execution); });
}

bool KvServiceCore::entry_changed(const NamespaceTable::Entry& ns, base::BytesView key,
                                  const Execution& execution) const {
  const Version read_version(execution.operation.read_version);
  if (ns.cleared > read_version) return true;
  const LatestEntry entry = database_.latest(KeyRef{ns.id, kUserSpace, key});
  if (entry.version > read_version) return true;
  if (SYNOD_PLANT("conflict_off_by_one") && entry.version == read_version) return true;
  if (SYNOD_PLANT("expiry_not_a_write")) return false;
  return entry.present && entry.expiry != TimeMs(0) && entry.expiry <= execution.now &&
         entry.expiry > execution.read_clock(database_.state());
}

void KvServiceCore::commit(Execution& execution, Outcome& outcome) {
  ReplicatedState& state = database_.state();
  const Version version = execution.version;
  // Before anything is hashed: the first policy brings the seed.
  if (execution.operation.kind == OperationKind::kPolicy) {
    state.set_policy(*execution.operation.policy);
  }
  NamespaceId planned = state.namespaces().next_id();
  for (const auto& name : execution.created) {
    const NamespaceId id = state.namespaces().create(name, version);
    SYNOD_ASSERT(id == planned, "N1: ids were planned in this order");
    planned = planned.next();
  }
  for (const auto& name : execution.cleared) state.namespaces().clear(name, version);
  for (const auto& write : execution.staged.all()) {
    if (write.is_delete) {
      database_.erase(write.key, version);
    } else {
      database_.put(write.key, write.value, write.expiry, version);
    }
  }
  state.advance(version, execution.now);
  outcome.version = version;
  outcome.results = std::move(execution.results);
  if (execution.operation.kind == OperationKind::kResume) {
    // Versions below may have been seen by clients of the lost tail: none may be compared again.
    state.raise_conflict_floor(version, SIZE_MAX);
  }
  if (execution.operation.token) {
    state.tokens().remember(*execution.operation.token, outcome, execution.now, state.policy());
  }
  keep_house(execution.operation.kind, execution.now);
}

void KvServiceCore::keep_house(OperationKind kind, TimeMs clock) {
  ReplicatedState& state = database_.state();
  const Policy& policy = state.policy();
  const std::size_t steps_max =
      kind == OperationKind::kTick ? policy.sweep_per_tick : policy.sweep_per_operation;
  std::size_t left = steps_max - database_.sweep_expired(clock, steps_max);
  while (left > 0) {
    const auto* swept = state.namespaces().sweeping();
    if (swept == nullptr) break;
    const std::size_t done = database_.sweep_namespace(swept->id, swept->cleared, left);
    if (done < left) state.namespaces().finish_sweep();
    left -= done;
  }
  state.tokens().expire(clock, policy, steps_max);
  follow_conflict_floor(clock, steps_max);
}

void KvServiceCore::follow_conflict_floor(TimeMs clock, std::size_t steps_max) {
  ReplicatedState& state = database_.state();
  const Policy& policy = state.policy();
  const VersionClock& marks = state.version_clock();
  Version floor = std::max(state.conflict_floor(),
                           marks.last_version_at(TimeMs(clock.value() - policy.conflict_window_ms),
                                                 state.newest_version()));
  if (marks.size() > policy.marks_max) {
    floor = std::max(floor, marks.mark(marks.size() - policy.marks_max).first);
  }
  if (database_.tombstone_bytes() > policy.conflict_bytes_max) {
    floor = std::max(floor, *database_.oldest_tombstone());
  }
  // Dropping several for one made keeps up with any rate of deletes, in bounded steps.
  constexpr std::size_t kDropFactor = 4;
  state.raise_conflict_floor(floor, kDropFactor * steps_max);
  (void)database_.drop_tombstones(floor, kDropFactor * steps_max);
}

bool KvServiceCore::needs_tick(TimeMs now) const {
  const ReplicatedState& state = database_.state();
  const TimeMs clock = std::max(now, state.clock());
  if (state.namespaces().sweeping() != nullptr) return true;
  if (const auto expiry = database_.next_expiry(); expiry && *expiry <= clock) return true;
  const auto tombstone = database_.oldest_tombstone();
  if (!tombstone) return false;
  if (*tombstone <= state.conflict_floor()) return true;
  const auto tombstone_clock = state.version_clock().clock_at(*tombstone);
  return tombstone_clock &&
         tombstone_clock->value() + state.policy().conflict_window_ms <= clock.value();
}

Version KvServiceCore::read_position(const std::optional<Version>& at) const {
  const Version visible = database_.visible_version();
  if (!at || *at <= Version(0) || *at > visible) return visible;
  return *at;
}

PointReadReply KvServiceCore::read(const PointReadRequest& request, ReadWait wait) const {
  for (;;) {
    const Version at = read_position(request.at);
    PointReadReply reply;
    reply.read_at = at;
    auto read =
        wait == ReadWait::kNever
            ? base::Result<PointRead>(database_.read(request.ns, request.space, request.key, at))
            : database_.read_waiting(request.ns, request.space, request.key, at);
    if (!read.ok()) {
      reply.code = OutcomeCode::kInternal;
      reply.message = unreadable(read.status());
      return reply;
    }
    switch (read->kind) {
      case ReadKind::kFound:
        reply.found = true;
        reply.value = std::move(read->value);
        reply.version = read->version;
        reply.expiry = read->expiry;
        return reply;
      case ReadKind::kMissing:
        return reply;
      case ReadKind::kUnknownNamespace:
        if (request.namespace_must_exist) reply.code = OutcomeCode::kUnknownNamespace;
        return reply;
      case ReadKind::kTooOld:
        // Current data became old while it was read: read what is current now.
        if (at != request.at) continue;
        reply.code = OutcomeCode::kTooOld;
        reply.message = too_old(at);
        return reply;
      case ReadKind::kCold:
        reply.is_cold = true;
        return reply;
    }
  }
}

namespace {

ScanBounds bounds_of(const RangeReadRequest& request) {
  ScanBounds bounds;
  bounds.ns = request.ns;
  bounds.space = request.space;
  bounds.begin = request.begin;
  bounds.begin_inclusive = request.begin_inclusive;
  if (request.end) bounds.end = *request.end;
  bounds.skip = request.skip;
  bounds.limit = request.limit;
  bounds.end_inclusive = request.end_inclusive;
  return bounds;
}

}  // namespace

base::Result<ReadKind> KvServiceCore::scan_into(const RangeReadRequest& request, ReadWait wait,
                                                RangeReadReply& reply) const {
  std::uint64_t bytes = 0;
  const auto row = [&](base::BytesView key, base::BytesView value) {
    bytes += key.size() + value.size() + request.row_overhead_bytes;
    const bool limited = request.limit > 0 && reply.rows.size() >= request.limit;
    // One row always fits, so that a reader makes progress whatever its size.
    if (limited || (bytes > request.bytes_max && !reply.rows.empty())) {
      reply.has_more = true;
      return false;
    }
    reply.rows.emplace_back(key, value);
    return true;
  };
  const ScanBounds bounds = bounds_of(request);
  if (wait == ReadWait::kForDisk) return database_.scan_waiting(bounds, reply.read_at, row);
  return database_.scan(bounds, reply.read_at, row);
}

RangeReadReply KvServiceCore::read_range(const RangeReadRequest& request, ReadWait wait) const {
  for (int restarts = 0;; ++restarts) {
    RangeReadReply reply;
    reply.read_at = read_position(request.at);
    const auto end = scan_into(request, wait, reply);
    // Current data became old while it was read: read what is current now. What comes from the disk
    // may be slower than history goes every time.
    const bool may_restart = wait == ReadWait::kNever || restarts < kRestartsMax;
    if (end.ok() && *end == ReadKind::kTooOld && reply.read_at != request.at && may_restart) {
      continue;
    }
    if (end.ok() && *end == ReadKind::kFound) return reply;
    reply.rows.clear();
    reply.has_more = false;
    if (!end.ok()) {
      reply.code = OutcomeCode::kInternal;
      reply.message = unreadable(end.status());
    } else if (*end == ReadKind::kTooOld) {
      reply.code = OutcomeCode::kTooOld;
      reply.message = too_old(reply.read_at) +
                      (reply.read_at == request.at ? "" : "; read the range in smaller parts");
    } else if (*end == ReadKind::kCold) {
      reply.is_cold = true;
    } else if (*end == ReadKind::kUnknownNamespace && request.namespace_must_exist) {
      reply.code = OutcomeCode::kUnknownNamespace;
    }
    return reply;
  }
}

bool KvServiceCore::needs_disk(const KvOperation& operation) const {
  return std::any_of(operation.steps.begin(), operation.steps.end(), [&](const Step& step) {
    return needs_old_value(step.kind) && database_.is_cold(step.ns, Space(step.space), step.key);
  });
}

void KvServiceCore::fetch_for(const KvOperation& operation) const {
  // What is refused for needing more than that, the writer refuses without a look at the disk.
  std::uint64_t bytes = 0;
  for (const auto& step : operation.steps) {
    if (bytes > Policy::kOldValueBytes) return;
    if (!needs_old_value(step.kind) || !database_.is_cold(step.ns, Space(step.space), step.key)) {
      continue;
    }
    // The database keeps what it read; what it could not read is tried again by the writer.
    const auto read =
        database_.read_waiting(step.ns, Space(step.space), step.key, database_.visible_version());
    if (!read.ok()) {
      base::log_warning("core", unreadable(read.status()));
    } else {
      bytes += read->value.size();
    }
  }
}

}  // namespace synod::core
