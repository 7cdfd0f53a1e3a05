// SPDX-License-Identifier: Apache-2.0
#include "core/state/version_clock.h"

#include "base/assert.h"

namespace synod::core {

VersionClock::VersionClock() : slots_(std::make_unique<Slot[]>(kCapacity)) {}

void VersionClock::add(Version version, TimeMs clock) {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  SYNOD_ASSERT(head - tail_.load(std::memory_order_relaxed) < kCapacity,
               "the policy's marks_max keeps the ring from overflowing");
  if (size() > 0) {
    SYNOD_ASSERT(version > newest().first && clock > newest().second, "C1");
  }
  Slot& target = slots_[head & (kCapacity - 1)];
  // Release: a reader that sees a reused slot also sees the tail that passed it.
  target.version.store(version.value(), std::memory_order_release);
  target.clock.store(clock.value(), std::memory_order_release);
  head_.store(head + 1, std::memory_order_release);
}

std::pair<Version, TimeMs> VersionClock::pop_oldest() {
  SYNOD_ASSERT(size() > 1, "C2");
  const auto oldest_mark = oldest();
  tail_.fetch_add(1, std::memory_order_seq_cst);
  return oldest_mark;
}

void VersionClock::clear() {
  tail_.store(0, std::memory_order_relaxed);
  head_.store(0, std::memory_order_relaxed);
}

std::size_t VersionClock::size() const {
  return static_cast<std::size_t>(head_.load(std::memory_order_relaxed) -
                                  tail_.load(std::memory_order_relaxed));
}

std::pair<Version, TimeMs> VersionClock::mark(std::size_t rank) const {
  SYNOD_ASSERT(rank < size(), "a mark that exists");
  const Slot& s = slot(tail_.load(std::memory_order_relaxed) + rank);
  return {Version(s.version.load(std::memory_order_relaxed)),
          TimeMs(s.clock.load(std::memory_order_relaxed))};
}

std::pair<Version, TimeMs> VersionClock::oldest() const { return mark(0); }
std::pair<Version, TimeMs> VersionClock::second_oldest() const { return mark(1); }
std::pair<Version, TimeMs> VersionClock::newest() const { return mark(size() - 1); }

std::uint64_t VersionClock::first_after(TimeMs time) const {
  std::uint64_t low = tail_.load(std::memory_order_relaxed);
  std::uint64_t high = head_.load(std::memory_order_relaxed);
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (slot(middle).clock.load(std::memory_order_relaxed) > time.value()) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

Version VersionClock::first_version_at(TimeMs time) const {
  SYNOD_ASSERT(size() > 0 && newest().second >= time, "only a time the clock has reached");
  const std::uint64_t position = first_after(TimeMs(time.value() - 1));
  return Version(slot(position).version.load(std::memory_order_relaxed));
}

Version VersionClock::last_version_at(TimeMs time, Version newest_version) const {
  if (size() == 0) return Version(0);
  const std::uint64_t position = first_after(time);
  if (position == head_.load(std::memory_order_relaxed)) return newest_version;
  if (position == tail_.load(std::memory_order_relaxed)) return Version(0);
  return Version(slot(position).version.load(std::memory_order_relaxed) - 1);
}

std::optional<TimeMs> VersionClock::clock_at(Version version) const {
  std::uint64_t low = tail_.load(std::memory_order_acquire);
  std::uint64_t high = head_.load(std::memory_order_acquire);
  // Invariant of the search: the wanted mark is the one before `low`'s final position.
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    // Acquire: after a version of a reused slot, the last load of tail sees that it was.
    if (slot(middle).version.load(std::memory_order_acquire) > version.value()) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == 0) return std::nullopt;
  const std::uint64_t found = low - 1;
  const std::int64_t clock = slot(found).clock.load(std::memory_order_acquire);
  // A slot is reused only after tail passed it; if it has, what was read may be another mark.
  if (found < tail_.load(std::memory_order_seq_cst)) return std::nullopt;
  return TimeMs(clock);
}

}  // namespace synod::core
