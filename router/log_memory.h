// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>

#include "consensus/protocol/slot_log.h"

namespace synod::router {

/// What the log of a replica takes in memory: the protocol keeps every entry from its base on, so
/// that it can send it again.
///
/// Owned by Replicated. Threads: `note` on the consensus strand, `bytes` on any.
class LogMemory {
 public:
  /// The log as it is now: what came at its end and what went at its begin since the last call.
  void note(const consensus::SlotLog& log);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  consensus::Slot base_;
  std::deque<std::uint64_t> sizes_;  ///< Of the slots above the base.
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace synod::router
