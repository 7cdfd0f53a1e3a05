// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "core/admission.h"
#include "core/operation.h"
#include "core/outcome.h"
#include "router/request_router.h"

namespace synod::router {

/// What may fill up before writes are refused.
struct AdmissionBounds {
  std::uint64_t log_bytes_max = 4ULL << 30;
  /// Of what can not leave memory; 0: none. Beyond it only operations that free memory are
  /// admitted.
  std::uint64_t table_bytes_max = 0;
};

/// How full a store is at the moment of a request.
struct Fullness {
  std::uint64_t log_bytes = 0;
  std::uint64_t table_bytes = 0;  ///< Of the tables, without values that may leave memory.
  bool is_backend_paused = false;
  bool has_full_keys = false;  ///< The tables can take no more keys, whatever memory there is.
  bool has_no_room_for_tombstones = false;  ///< Nor deletes of keys that are not there.
};

/// What every router does around an operation: admission before it, counting behind it.
///
/// Owned by a router. Threads: any.
class RequestGate {
 public:
  RequestGate(const core::Limits& limits, const AdmissionBounds& bounds)
      : limits_(limits), bounds_(bounds) {}

  /// The refusal, or none if the operation may go on.
  [[nodiscard]] std::optional<core::Outcome> check(const core::KvOperation& operation,
                                                   const Fullness& fullness) const;

  /// False: Fullness::table_bytes is not looked at.
  [[nodiscard]] bool bounds_tables() const { return bounds_.table_bytes_max != 0; }

  void count_read() { reads_.fetch_add(1, std::memory_order_relaxed); }
  /// A read that met a value on disk.
  void count_miss() { misses_.fetch_add(1, std::memory_order_relaxed); }
  void count_begin() { pending_.fetch_add(1, std::memory_order_relaxed); }
  void count_end(const core::Outcome& outcome, base::Nanos took);

  /// Admission's view of the disk: true refuses writes with NO_SPACE.
  void set_no_space(bool no_space) { no_space_.store(no_space); }
  [[nodiscard]] bool has_no_space() const { return no_space_.load(std::memory_order_relaxed); }
  /// Refuses every further operation: the server is stopping.
  void close() { closed_.store(true); }
  [[nodiscard]] bool is_closed() const { return closed_.load(std::memory_order_relaxed); }
  /// Sampled where the backend may be asked: workers never touch it.
  void set_compaction_pending(std::uint64_t bytes) { compaction_pending_.store(bytes); }

  /// All but what the tables know.
  [[nodiscard]] DatabaseCounters counters() const;

 private:
  const core::Limits limits_;
  const AdmissionBounds bounds_;
  std::atomic<bool> no_space_{false};
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> compaction_pending_{0};
  std::atomic<std::int64_t> reads_{0};
  std::atomic<std::int64_t> misses_{0};
  std::atomic<std::int64_t> committed_{0};
  std::atomic<std::int64_t> aborted_{0};
  std::atomic<std::int64_t> pending_{0};
  std::atomic<std::int64_t> response_us_{0};
};

}  // namespace synod::router
