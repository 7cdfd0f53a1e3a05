// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

#include "base/function.h"

namespace synod::core {

/// Takes the kernel's long work on large memory off the writer: filling huge pages before they are
/// used, and unmapping. Both take up to milliseconds for one huge page, and whoever fills or unmaps
/// small ones instead makes the kernel gather them later, under a lock that stops everybody who
/// asks the kernel for memory.
///
/// Owned by TransactionalKvDatabase, before the tables and the EpochManager; attended by
/// Persistence. Without an attendant all is right: what is given back is unmapped by the caller,
/// and nothing is prepared.
///
/// Invariants
///   P1  Jobs are done in the order they came, so memory is prepared before it is given back.
///   P2  Preparing changes no byte: others may use the memory meanwhile, with atomic words only.
///       Where somebody was first, pages stay as they are.
///   P3  bytes_waiting() counts memory from give_back() until it is unmapped.
///
/// Threads: hold_back, prepare, is_done, give_back on the writer; attend, leave and work on one
/// thread at a time, which may be another; bytes_waiting and is_attended from any thread. Failure:
/// the kernel may refuse huge pages; then the pages come small, on first use.
class PageKeeper {
 public:
  /// Of one call of work(): a huge page.
  static constexpr std::size_t kPieceBytes = std::size_t{2} << 20;
  using Ticket = std::uint64_t;

  PageKeeper() = default;
  /// REQUIRES: nobody attends. Unmaps what waits.
  ~PageKeeper();
  PageKeeper(const PageKeeper&) = delete;
  PageKeeper& operator=(const PageKeeper&) = delete;

  /// `wake` runs, on any thread, when there is work after there was none; it must neither block nor
  /// call back.
  void attend(base::Function<void()> wake);
  /// Unmaps what waits; nothing is prepared from here on and `wake` is not called again.
  void leave();
  [[nodiscard]] bool is_attended() const { return is_attended_.load(std::memory_order_relaxed); }
  /// Memory is short: nothing is to be filled before it is needed.
  void hold_back(bool is_short) { is_short_.store(is_short, std::memory_order_relaxed); }
  /// What is asked for would be prepared, and may be.
  [[nodiscard]] bool may_prepare() const {
    return is_attended() && !is_short_.load(std::memory_order_relaxed);
  }
  /// Does one piece; true if there is more.
  bool work();

  /// Mapped memory of zeros, of whole pieces and aligned to them, that gets its pages soon.
  [[nodiscard]] Ticket prepare(void* start, std::size_t bytes);
  /// True once that was tried; what it gave is the kernel's choice.
  [[nodiscard]] bool is_done(Ticket ticket) const {
    return done_.load(std::memory_order_acquire) >= ticket;
  }
  /// Unmaps soon. REQUIRES: nobody uses the memory any more.
  void give_back(void* start, std::size_t bytes);

  [[nodiscard]] std::size_t bytes_waiting() const {
    return bytes_waiting_.load(std::memory_order_relaxed);
  }

 private:
  struct Job {
    std::byte* start;
    std::size_t bytes;
    bool prepares;
  };

  Ticket push(const Job& job);
  void unmap_piece(std::byte* start, std::size_t bytes);

  std::mutex mutex_;  // Over what follows, never over a call of the kernel for memory.
  std::deque<Job> jobs_;
  base::Function<void()> wake_;
  Ticket given_ = 0;

  std::atomic<bool> is_attended_{false};
  std::atomic<bool> is_short_{false};
  std::atomic<Ticket> done_{0};
  std::atomic<std::size_t> bytes_waiting_{0};
};

}  // namespace synod::core
