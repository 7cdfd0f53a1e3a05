// SPDX-License-Identifier: Apache-2.0
// How the cuckoo table grows: CuckooTable's half that runs a little in every writer operation.
#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "core/table/cuckoo_memory.h"
#include "core/table/cuckoo_table.h"

namespace synod::core {
namespace {

/// Growth starts when this share of the slots is taken: fifteen sixteenths. Up to there one
/// insertion in six displaces, nearly always one node, after a look at two. A table never fills
/// while it grows, because each operation adds at most one key and empties several buckets.
constexpr std::size_t kGrowAtNumerator = 15;
constexpr std::size_t kGrowAtDenominator = 16;
constexpr std::size_t kBucketsPerOperation = 2;

}  // namespace

void CuckooTable::housekeep() {
  const CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
  if (layout->next != nullptr) {
    migrate(kBucketsPerOperation);
    return;
  }
  if (drained_ != nullptr) retire_drained_piece();
  const std::size_t slots = layout->bucket_count * CuckooBucket::kSlots;
  if (size() * kGrowAtDenominator >= slots * kGrowAtNumerator) start_growth();
}

void CuckooTable::start_growth() {
  while (drained_ != nullptr) retire_drained_piece();
  CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
  SYNOD_ASSERT(layout->shift > 1, "a table grows only while hash bits are left");
  auto* growing = new CuckooLayout;
  growing->main = layout->main;
  growing->bucket_count = layout->bucket_count;
  growing->shift = layout->shift;
  growing->next = allocate_cuckoo_buckets(2 * layout->bucket_count);
  memory_bytes_ += 2 * layout->bucket_count * sizeof(CuckooBucket);
  layout_.store(growing, std::memory_order_release);
  epochs_.retire(layout, [](void* old) { delete static_cast<CuckooLayout*>(old); });
}

void CuckooTable::migrate(std::size_t buckets) {
  CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
  const std::size_t begin = layout->migrated.load(std::memory_order_relaxed);
  const std::size_t end = std::min(begin + buckets, layout->bucket_count);
  for (std::size_t number = begin; number < end; ++number) {
    migrate_bucket(*layout, number);
    // Publishes the two new buckets; from here on nobody writes the old one (T3).
    layout->migrated.store(number + 1, std::memory_order_release);
  }
  if (end == layout->bucket_count) {
    finish_growth(layout);
    return;
  }
  const std::size_t ahead = std::min(end + kBucketsPerOperation, layout->bucket_count);
  for (std::size_t number = end; number < ahead; ++number) {
    for (const auto& slot : layout->main[number].slots) {
      const NodeHandle handle = slot.load(std::memory_order_relaxed);
      if (handle != NodeHandle()) __builtin_prefetch(nodes_.node(handle));
    }
  }
}

void CuckooTable::migrate_bucket(CuckooLayout& layout, std::size_t number) {
  const CuckooBucket& old = layout.main[number];
  for (std::size_t slot = 0; slot < CuckooBucket::kSlots; ++slot) {
    const NodeHandle node = old.slots[slot].load(std::memory_order_relaxed);
    if (node == NodeHandle()) continue;
    const std::uint64_t hashed = hash(nodes_.node(node)->ref());
    // The node is here by its first place or by its second; with both here either will do.
    const bool by_first = (hashed >> layout.shift) == number;
    const std::uint64_t place = by_first ? hashed : std::rotl(hashed, 32);
    CuckooBucket& bucket = layout.next[place >> (layout.shift - 1)];
    const std::size_t free = bucket.free_slot();
    SYNOD_ASSERT(free < CuckooBucket::kSlots, "a bucket splits into two empty ones (T4)");
    bucket.put(free, node, old.tag(slot));
  }
}

void CuckooTable::finish_growth(CuckooLayout* grown) {
  auto* layout = new CuckooLayout;
  layout->main = grown->next;
  layout->bucket_count = 2 * grown->bucket_count;
  layout->shift = grown->shift - 1;
  advise_huge_pages(layout->main, layout->bucket_count);
  layout_.store(layout, std::memory_order_release);
  drained_ = reinterpret_cast<std::byte*>(grown->main);
  drained_bytes_ = grown->bucket_count * sizeof(CuckooBucket);
  epochs_.retire(grown, [](void* old) { delete static_cast<CuckooLayout*>(old); });
}

void CuckooTable::retire_drained_piece() {
  if (drained_bytes_ < kCuckooPieceBytes) {
    epochs_.retire(drained_, destroy_small_cuckoo_array);
    memory_bytes_ -= drained_bytes_;
    drained_ = nullptr;
    drained_bytes_ = 0;
    return;
  }
  epochs_.retire(drained_, destroy_cuckoo_piece);
  memory_bytes_ -= kCuckooPieceBytes;
  drained_ += kCuckooPieceBytes;
  drained_bytes_ -= kCuckooPieceBytes;
  if (drained_bytes_ == 0) drained_ = nullptr;
}

}  // namespace synod::core
