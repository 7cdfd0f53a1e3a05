// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "core/types.h"

namespace synod::core {

/// Time as a function of the version: one mark for each version at which the command clock moved.
///
/// Part of replicated state, owned by ReplicatedState. clock_at(v) is the clock of the newest mark
/// at or below v, so a reader at v needs no other notion of time.
///
/// Invariants
///   C1  Versions and clocks of consecutive marks both increase strictly.
///   C2  A mark at or below the conflict floor is kept, so that clock_at(floor) is defined.
///
/// Threads: one writer; `clock_at` from any thread beside it. A reader whose mark is pruned away
/// while it searches gets nullopt, never a wrong clock.
class VersionClock {
 public:
  static constexpr std::size_t kCapacity = 1U << 17;

  VersionClock();

  /// Appends a mark. REQUIRES (C1): both above the newest mark's; size() < kCapacity.
  void add(Version version, TimeMs clock);
  /// Removes the oldest mark. REQUIRES: size() > 1 (C2).
  std::pair<Version, TimeMs> pop_oldest();
  /// Recovery only: before any reader exists.
  void clear();
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::pair<Version, TimeMs> oldest() const;
  [[nodiscard]] std::pair<Version, TimeMs> newest() const;
  /// The mark that follows the oldest. REQUIRES: size() > 1.
  [[nodiscard]] std::pair<Version, TimeMs> second_oldest() const;
  /// The mark `rank` places after the oldest.
  [[nodiscard]] std::pair<Version, TimeMs> mark(std::size_t rank) const;

  /// The first version whose clock had reached `time`; the oldest mark's if that lies behind it.
  /// REQUIRES: the newest clock has reached `time`.
  [[nodiscard]] Version first_version_at(TimeMs time) const;
  /// The last version whose clock is at most `time`, given the newest version; 0 if none is known.
  [[nodiscard]] Version last_version_at(TimeMs time, Version newest_version) const;

  /// The clock of version `version`; nullopt if its mark was pruned. Any thread.
  [[nodiscard]] std::optional<TimeMs> clock_at(Version version) const;

 private:
  struct Slot {
    std::atomic<std::int64_t> version{0};
    std::atomic<std::int64_t> clock{0};
  };
  [[nodiscard]] const Slot& slot(std::uint64_t position) const {
    return slots_[position & (kCapacity - 1)];
  }
  /// First position in [tail, head) whose clock exceeds `time`; head if none.
  [[nodiscard]] std::uint64_t first_after(TimeMs time) const;

  std::unique_ptr<Slot[]> slots_;
  std::atomic<std::uint64_t> tail_{0};
  std::atomic<std::uint64_t> head_{0};
};

}  // namespace synod::core
