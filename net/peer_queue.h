// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "base/bytes.h"

namespace synod::net {

/// What waits for one peer in one class. Takes frames only while a connection stands: a frame for
/// nobody is dropped at once, because whoever sent it repeats what matters when on_connected or a
/// timer tells it to, and old frames would only be in the way then.
///
/// Invariants
///   PQ1  Never holds more than `bytes_max` (PT3).
///   PQ2  Frames leave in the order they came; `close` drops all of them (PT2).
///   PQ3  After a push that returned kAcceptedWake, pop will be called until it returns nothing.
///
/// Threads: thread-safe.
class PeerQueue {
 public:
  enum class Push : std::uint8_t { kDropped, kAccepted, kAcceptedWake };

  explicit PeerQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  [[nodiscard]] Push push(base::Bytes frame);
  [[nodiscard]] std::optional<base::Bytes> pop();
  void open();
  void close();

  [[nodiscard]] std::size_t bytes() const;
  /// Refused or lost here since the beginning.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;  ///< Guards everything below.
  std::deque<base::Bytes> frames_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  bool is_open_ = false;
  bool is_awake_ = false;  ///< Somebody pops, or is on the way.
};

}  // namespace synod::net
