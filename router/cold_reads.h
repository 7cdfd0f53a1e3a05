// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/dispatcher.h"
#include "base/function.h"
#include "core/kv_service_core.h"
#include "core/outcome.h"
#include "core/read.h"
#include "router/request_router.h"

namespace synod::router {

/// A read of either kind, from the tables or as far as `wait` allows.
[[nodiscard]] inline core::PointReadReply read_from(const core::KvServiceCore& core,
                                                    const core::PointReadRequest& request,
                                                    core::ReadWait wait) {
  return core.read(request, wait);
}
[[nodiscard]] inline core::RangeReadReply read_from(const core::KvServiceCore& core,
                                                    const core::RangeReadRequest& request,
                                                    core::ReadWait wait) {
  return core.read_range(request, wait);
}

/// The storage pool: the threads that may wait for the disk on behalf of those that may not.
///
/// A read that met a value on disk is done again here, the whole of it, where waiting is allowed.
/// It sees what was committed meanwhile, too: that is still between its call and its answer.
///
/// Owned by Standalone or Replicated.
///
/// Invariants
///   SP1  every job ends once: it runs, or it hears why not (too late, or the store stops);
///   SP2  what is not taken is refused before anything happened: nothing waits without a bound;
///   SP3  a job holds what it reads from: an image that was replaced stays whole until then.
///
/// Threads: any; jobs run on the pool's dispatchers, the answers of reads on the caller's worker.
/// Without dispatchers, which is a store without a memory limit, whoever meets a cold value fetches
/// it himself.
class ColdReads {
 public:
  /// Why a job does not do its work.
  enum class Verdict : std::uint8_t { kGo, kTooLate, kStopping };
  struct Job {
    std::optional<base::Nanos> deadline;
    base::Function<void(Verdict)> run;
  };
  using Source = std::shared_ptr<const core::KvServiceCore>;
  static constexpr std::size_t kWaitingMax = 4'096;

  explicit ColdReads(const std::vector<base::Dispatcher*>& pool,
                     std::size_t waiting_max = kWaitingMax);

  [[nodiscard]] bool has_pool() const { return !lanes_.empty(); }
  /// False, with `job` untouched: too many wait, or the store is stopping.
  [[nodiscard]] bool push(Job& job);
  /// The whole read again, where it may wait for the disk.
  template <class Request, class Reply>
  void read(Source source, Request request, const RequestContext& context,
            base::Function<void(Reply)> done);
  /// Ends what waits; what comes is refused.
  void close();
  void add_to(StorageWaits& waits) const;

  /// What a caller is told who was not taken.
  [[nodiscard]] static core::Outcome too_many();
  /// What one is told whose job does not do its work.
  [[nodiscard]] static core::Outcome refusal_of(Verdict verdict);

 private:
  struct Lane {
    base::Dispatcher* dispatcher = nullptr;
    bool is_busy = false;  ///< A task of it is posted or runs.
  };

  void run_one(std::size_t lane);

  const std::size_t waiting_max_;
  mutable std::mutex mutex_;
  std::vector<Lane> lanes_;
  std::size_t next_lane_ = 0;  ///< Idle ones take turns.
  std::deque<Job> waiting_;
  bool is_closed_ = false;
  std::uint64_t running_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace synod::router
