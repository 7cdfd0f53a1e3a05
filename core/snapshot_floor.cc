// SPDX-License-Identifier: Apache-2.0
#include "core/snapshot_floor.h"

#include <algorithm>

#include "base/assert.h"

namespace synod::core {

std::optional<SnapshotFloor::Pin> SnapshotFloor::pin(Version version) {
  SYNOD_ASSERT(version.value() >= 0, "versions are not negative");
  // 0 marks a free slot, so version 0 (an empty store) is pinned as 1: nothing lies between.
  const std::int64_t mark = std::max<std::int64_t>(version.value(), 1);
  for (auto& slot : pins_) {
    std::int64_t free = 0;
    if (slot.version.load(std::memory_order_relaxed) != 0) continue;
    if (!slot.version.compare_exchange_strong(free, mark, std::memory_order_seq_cst)) continue;
    // Either the writer, which stores its intent before it looks at the pins, sees this pin, or
    // this load sees its intent.
    if (version.value() >= intent_.load(std::memory_order_seq_cst)) return Pin(&slot.version);
    slot.version.store(0, std::memory_order_release);
    return std::nullopt;
  }
  return std::nullopt;
}

void SnapshotFloor::raise(Version wanted, base::Nanos now, base::Nanos pin_max) {
  const std::int64_t floor = floor_.load(std::memory_order_relaxed);
  if (wanted.value() <= floor) return;
  intent_.store(wanted.value(), std::memory_order_seq_cst);
  std::int64_t allowed = wanted.value();
  for (auto& slot : pins_) {
    const std::int64_t pinned = slot.version.load(std::memory_order_seq_cst);
    if (pinned != slot.seen_version) {
      slot.seen_version = pinned;
      slot.seen_at = now;
    }
    if (pinned != 0 && now - slot.seen_at < pin_max) allowed = std::min(allowed, pinned);
  }
  if (allowed > floor) floor_.store(allowed, std::memory_order_seq_cst);  // P1
  intent_.store(std::max(allowed, floor), std::memory_order_seq_cst);
}

void SnapshotFloor::sample(Version visible, base::Nanos now) {
  if (!samples_.empty() && now - samples_.back().first < kSampleStep) return;
  samples_.emplace_back(now, visible);
}

Version SnapshotFloor::visible_at(base::Nanos time) {
  Version found{0};
  while (!samples_.empty() && samples_.front().first <= time) {
    found = samples_.front().second;
    samples_.pop_front();
  }
  return found;
}

}  // namespace synod::core
