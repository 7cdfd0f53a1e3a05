// SPDX-License-Identifier: Apache-2.0
// How the cuckoo table grows: CuckooTable's half that runs a little in every writer operation.
#include <algorithm>
#include <bit>
#include <utility>

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
  const std::size_t slots = layout->bucket_count * CuckooBucket::kSlots;
  const std::size_t grow_at = slots / kGrowAtDenominator * kGrowAtNumerator;
  if (size() >= grow_at) {
    start_growth();
  } else if (prepared_ == nullptr && size() + slots / kAheadShare >= grow_at) {
    prepare_next();
  }
}

/// As large as they are, arrays are nothing but addresses at first, and pages come one by one as
/// buckets are used; huge ones must be there before.
void CuckooTable::prepare_next() {
  const std::size_t count = 2 * layout_.load(std::memory_order_relaxed)->bucket_count;
  const std::size_t bytes = count * sizeof(CuckooBucket);
  if (bytes < kCuckooPieceBytes || pages_ == nullptr || !pages_->may_prepare()) return;
  prepared_ = allocate_cuckoo_buckets(count);
  memory_bytes_ += bytes;
  // Growth does not wait for it: what is not ready comes in small pages.
  static_cast<void>(pages_->prepare(prepared_, bytes));
}

CuckooBucket* CuckooTable::take_next() {
  if (prepared_ != nullptr) return std::exchange(prepared_, nullptr);
  const std::size_t count = 2 * layout_.load(std::memory_order_relaxed)->bucket_count;
  memory_bytes_ += count * sizeof(CuckooBucket);
  return allocate_cuckoo_buckets(count);
}

void CuckooTable::retire_buckets(CuckooBucket* buckets, std::size_t count) {
  epochs_.retire(new RetiredBuckets{buckets, count, pages_}, RetiredBuckets::destroy);
  memory_bytes_ -= count * sizeof(CuckooBucket);
}

void CuckooTable::start_growth() {
  CuckooLayout* layout = layout_.load(std::memory_order_relaxed);
  SYNOD_ASSERT(layout->shift > 1, "a table grows only while hash bits are left");
  auto* growing = new CuckooLayout;
  growing->main = layout->main;
  growing->bucket_count = layout->bucket_count;
  growing->shift = layout->shift;
  growing->next = take_next();
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
  layout_.store(layout, std::memory_order_release);
  retire_buckets(grown->main, grown->bucket_count);
  epochs_.retire(grown, [](void* old) { delete static_cast<CuckooLayout*>(old); });
}

}  // namespace synod::core
