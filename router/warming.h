// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/function.h"
#include "core/operation.h"
#include "core/outcome.h"
#include "router/cold_reads.h"

namespace synod::router {

struct WarmingBounds {
  std::size_t operations_max = 65'536;
  std::uint64_t bytes_max = 64U << 20;
};

/// Operations that need a value which left memory, until it is back: the thread that executes
/// operations should not wait for the disk. And those behind them, for the order of one caller
/// stays.
///
/// Owned by Standalone or Replicated.
///
/// Invariants
///   WA1  operations of one worker go on in the order in which it submitted them;
///   WA2  each goes on once, or is told once why not: then it was submitted nowhere;
///   WA3  a caller that has nothing here goes past without a lock.
///
/// Threads: any. `go` runs on the pool, or inside the call.
class Warming {
 public:
  using Source = ColdReads::Source;
  /// Goes on with the operation, or tells the refusal if there is one.
  using Go = base::Function<void(core::KvOperation, std::optional<core::Outcome>)>;

  Warming(ColdReads& pool, const WarmingBounds& bounds) : pool_(pool), bounds_(bounds) {}

  /// True if the operation cannot go on at once: it needs the disk, or stands behind one of its
  /// worker that does.
  [[nodiscard]] bool must_wait(const core::KvServiceCore& core, const core::KvOperation& operation,
                               const RequestContext& context) const;
  void wait(Source source, core::KvOperation operation, const RequestContext& context, Go go);

  /// Adds what it and its pool know.
  void add_to(StorageWaits& waits) const;

 private:
  struct Held {
    core::KvOperation operation;
    Go go;
    std::uint64_t bytes = 0;
    bool is_ready = false;
    std::optional<core::Outcome> refusal;
  };
  /// The operations of one worker, first come first.
  struct Lane {
    std::deque<std::shared_ptr<Held>> held;
    bool is_releasing = false;  ///< One thread lets go of them at a time.
  };
  using Worker = const base::Dispatcher*;

  [[nodiscard]] bool has_room(std::uint64_t bytes) const;
  [[nodiscard]] bool fetch(Source source, const RequestContext& context,
                           const std::shared_ptr<Held>& held);
  void on_fetched(Worker worker, const std::shared_ptr<Held>& held, ColdReads::Verdict verdict);
  void release(Worker worker);

  ColdReads& pool_;
  const WarmingBounds bounds_;
  mutable std::mutex mutex_;
  std::map<Worker, Lane> lanes_;
  std::uint64_t operations_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t warmed_ = 0;
  /// As lanes_.size(). A worker that reads 0 has none: only it makes its lane, and its lane ends
  /// after all of its operations went on.
  std::atomic<std::size_t> lane_count_{0};
};

}  // namespace synod::router
