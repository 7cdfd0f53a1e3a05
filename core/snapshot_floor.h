// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "core/types.h"

namespace synod::core {

/// The local floor below which old values may be gone, and the pins that hold it back.
///
/// Invariants
///   P1  The floor never decreases and never passes the visible version.
///   P2  A pin that was granted at v keeps the floor at or below v for kPinMax at most, and only
///       for as long as the writer says while it is short of memory.
///   P3  The floor is raised before anything below it is unlinked: a reader that finds `covers`
///       true after it read has read a complete version.
///
/// Threads: `pin` and `covers` on any thread, the rest on the writer.
class SnapshotFloor {
 public:
  static constexpr base::Nanos kPinMax = std::chrono::seconds(30);
  /// While the store is over its memory bound: what pins hold cannot leave.
  static constexpr base::Nanos kPinMaxUnderPressure = std::chrono::seconds(2);

  /// Holds the floor at or below one version while a long read runs.
  class Pin {
   public:
    Pin(Pin&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    Pin& operator=(Pin&&) = delete;
    ~Pin() {
      if (slot_ != nullptr) slot_->store(0, std::memory_order_release);
    }

   private:
    friend class SnapshotFloor;
    explicit Pin(std::atomic<std::int64_t>* slot) : slot_(slot) {}
    std::atomic<std::int64_t>* slot_;
  };

  /// nullopt if `version` is below the floor or all pins are taken: the read goes on unpinned and
  /// may end in kTooOld.
  [[nodiscard]] std::optional<Pin> pin(Version version);
  [[nodiscard]] bool covers(Version version) const {
    return version.value() >= floor_.load(std::memory_order_seq_cst);
  }
  [[nodiscard]] Version value() const { return Version(floor_.load(std::memory_order_relaxed)); }

  /// Moves the floor to `wanted`, or as far as the pins allow that are not older than `pin_max`.
  void raise(Version wanted, base::Nanos now, base::Nanos pin_max);
  /// Remembers what was visible at `now`, so that age can be turned into a version.
  void sample(Version visible, base::Nanos now);
  /// The newest version that was visible at or before `time`; 0 if none is known. Forgets older.
  [[nodiscard]] Version visible_at(base::Nanos time);

 private:
  static constexpr std::size_t kPins = 256;
  static constexpr base::Nanos kSampleStep = std::chrono::milliseconds(50);
  struct alignas(64) Slot {
    std::atomic<std::int64_t> version{0};
    // Writer only: when it first saw this pin, to let go of one that is held too long.
    std::int64_t seen_version = 0;
    base::Nanos seen_at{0};
  };

  std::atomic<std::int64_t> floor_{0};
  std::atomic<std::int64_t> intent_{0};
  std::array<Slot, kPins> pins_;
  std::deque<std::pair<base::Nanos, Version>> samples_;
};

}  // namespace synod::core
