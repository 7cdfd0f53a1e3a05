// SPDX-License-Identifier: Apache-2.0
#include "core/table/epoch.h"

#include <algorithm>
#include <thread>

#include "base/assert.h"

namespace synod::core {
namespace {

/// Where this thread looks for a free slot first: the last one it had, so that a thread keeps its
/// cache line. Only a hint; any value is right.
thread_local std::size_t slot_hint = SIZE_MAX;

std::size_t first_hint(std::size_t slots) {
  // Addresses of thread-local variables differ between threads by whole pages.
  const auto address = reinterpret_cast<std::uintptr_t>(&slot_hint);
  return static_cast<std::size_t>((address * 0x9e3779b97f4a7c15ULL) >> 32) % slots;
}

}  // namespace

EpochManager::EpochManager() = default;

EpochManager::~EpochManager() { drain(); }

void EpochManager::drain() {
  for (const Slot& slot : slots_) {
    SYNOD_ASSERT(slot.epoch.load(std::memory_order_acquire) == 0,
                 "guards end before their EpochManager");
  }
  while (!retired_.empty()) collect();
}

EpochManager::Guard EpochManager::enter() const {
  if (slot_hint >= kSlots) slot_hint = first_hint(kSlots);
  std::size_t index = slot_hint;
  for (std::size_t tries = 1;; ++tries) {
    std::atomic<std::uint64_t>& slot = slots_[index].epoch;
    std::uint64_t free = 0;
    const std::uint64_t epoch = epoch_.load(std::memory_order_seq_cst);
    if (slot.load(std::memory_order_relaxed) == 0 &&
        slot.compare_exchange_strong(free, epoch, std::memory_order_seq_cst)) {
      slot_hint = index;
      // Either the writer's scan saw the claim, or the scan came first; then this load comes after
      // the advance that preceded the scan, and reading it makes every unlinking before it visible.
      // An older epoch in the slot only keeps more alive.
      static_cast<void>(epoch_.load(std::memory_order_seq_cst));
      return Guard(&slot);
    }
    index = (index + 1) % kSlots;
    if (tries % kSlots == 0) std::this_thread::yield();
  }
}

void EpochManager::retire(void* object, void (*destroy)(void*)) {
  retired_.push_back({object, destroy, epoch_.load(std::memory_order_relaxed)});
}

std::uint64_t EpochManager::oldest_reader(std::uint64_t current) const {
  std::uint64_t oldest = current;
  for (const Slot& slot : slots_) {
    const std::uint64_t epoch = slot.epoch.load(std::memory_order_seq_cst);
    if (epoch != 0) oldest = std::min(oldest, epoch);
  }
  return oldest;
}

void EpochManager::collect(std::size_t objects_max) {
  if (retired_.empty()) return;
  const std::uint64_t current = epoch_.fetch_add(1, std::memory_order_seq_cst) + 1;
  const std::uint64_t oldest = oldest_reader(current);
  for (std::size_t i = 0; i < objects_max && !retired_.empty(); ++i) {
    const Retired retired = retired_.front();
    if (retired.epoch >= oldest) return;
    retired_.pop_front();
    retired.destroy(retired.object);
  }
}

}  // namespace synod::core
