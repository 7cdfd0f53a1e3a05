// SPDX-License-Identifier: Apache-2.0
#include "router/request_gate.h"

#include <algorithm>

namespace synod::router {
namespace {

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

bool deletes_keys(const core::KvOperation& operation) {
  return std::any_of(operation.steps.begin(), operation.steps.end(),
                     [](const core::Step& step) { return step.kind == core::StepKind::kDelete; });
}

}  // namespace

std::optional<core::Outcome> RequestGate::check(const core::KvOperation& operation,
                                                const Fullness& fullness) const {
  using core::OutcomeCode;
  if (is_closed()) return core::refused(OutcomeCode::kBusy, "The server is stopping", 1'000);
  if (auto refused = core::check_limits(operation, limits_)) return refused;
  if (has_no_space()) {
    return core::refused(OutcomeCode::kNoSpace, "The disk reserve is reached; writes are refused",
                         1'000);
  }
  if (fullness.log_bytes > bounds_.log_bytes_max) {
    return core::refused(fullness.is_backend_paused ? OutcomeCode::kNoSpace : OutcomeCode::kBusy,
                         "The log has reached log_bytes_max; the storage backend is behind", 1'000);
  }
  const bool is_full =
      bounds_.table_bytes_max != 0 && fullness.table_bytes > bounds_.table_bytes_max;
  if (is_full && grows(operation)) {
    return core::refused(OutcomeCode::kMemoryFull,
                         "Keys, and what else has to stay in memory, fill database.memory_limit; "
                         "reads and deletes are admitted",
                         1'000);
  }
  if (fullness.has_full_keys && grows(operation)) {
    return core::refused(OutcomeCode::kMemoryFull,
                         "Keys, with the small values beside them, take all the addresses one "
                         "store has for them; reads and deletes are admitted",
                         1'000);
  }
  if (fullness.has_no_room_for_tombstones && deletes_keys(operation)) {
    return core::refused(OutcomeCode::kMemoryFull,
                         "No addresses are left for tombstones: clear ranges of keys, or start "
                         "the server anew, which packs them",
                         1'000);
  }
  return std::nullopt;
}

void RequestGate::count_end(const core::Outcome& outcome, base::Nanos took) {
  pending_.fetch_sub(1, std::memory_order_relaxed);
  auto& counter = outcome.ok() ? committed_ : aborted_;
  counter.fetch_add(1, std::memory_order_relaxed);
  response_us_.fetch_add(std::chrono::duration_cast<base::Micros>(took).count(),
                         std::memory_order_relaxed);
}

DatabaseCounters RequestGate::counters() const {
  DatabaseCounters counters;
  counters.committed = committed_.load();
  counters.aborted = aborted_.load();
  counters.writes = counters.committed;
  counters.reads = reads_.load();
  counters.pending = pending_.load();
  counters.cache_misses = std::min(misses_.load(), counters.reads);
  counters.cache_hits = counters.reads - counters.cache_misses;
  counters.compaction_pending_bytes = static_cast<std::int64_t>(compaction_pending_.load());
  const std::int64_t answered = counters.committed + counters.aborted;
  if (answered > 0) {
    counters.average_response_ms =
        static_cast<double>(response_us_.load()) / 1'000.0 / static_cast<double>(answered);
  }
  return counters;
}

}  // namespace synod::router
