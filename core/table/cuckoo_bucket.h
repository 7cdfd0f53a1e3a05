// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/table/key_node.h"

namespace synod::core {

/// One cache line of the cuckoo table: seven slots and, in one atomic word, a tag byte for each
/// (byte 7 stays 0). Tag 0 says the slot is free. All-zero memory is an empty bucket.
///
/// The writer stores a slot before its tag and clears the tag before the slot; a reader that sees a
/// tag and loads the slot finds null or some node, whose key it compares.
struct alignas(64) CuckooBucket {
  static constexpr std::size_t kSlots = 7;

  std::atomic<std::uint64_t> tags{0};
  std::array<std::atomic<KeyNode*>, kSlots> slots{};

  /// Writer. The first free slot, or kSlots.
  [[nodiscard]] std::size_t free_slot() const {
    const std::uint64_t word = tags.load(std::memory_order_relaxed);
    std::size_t slot = 0;
    while (slot < kSlots && ((word >> (8 * slot)) & 0xff) != 0) ++slot;
    return slot;
  }
  [[nodiscard]] std::uint8_t tag(std::size_t slot) const {
    return static_cast<std::uint8_t>(tags.load(std::memory_order_relaxed) >> (8 * slot));
  }
  /// Writer. REQUIRES: the slot is free.
  void put(std::size_t slot, KeyNode* node, std::uint8_t tag) {
    slots[slot].store(node, std::memory_order_release);
    const std::uint64_t word = tags.load(std::memory_order_relaxed);
    tags.store(word | (std::uint64_t{tag} << (8 * slot)), std::memory_order_release);
  }
  /// Writer.
  void clear(std::size_t slot) {
    const std::uint64_t word = tags.load(std::memory_order_relaxed);
    tags.store(word & ~(std::uint64_t{0xff} << (8 * slot)), std::memory_order_release);
    slots[slot].store(nullptr, std::memory_order_release);
  }
};
static_assert(sizeof(CuckooBucket) == 64, "a bucket is one cache line");

/// The buckets as readers find them: one array, or while the table grows two, of which the second
/// has twice the buckets of the first.
///
/// A key has two places, each a bucket number: the top bits of one half of its hash. Number i of
/// `main` splits into 2i and 2i + 1 of `next`; below `migrated` the numbers live in `next`, from
/// there on in `main`. So there are two buckets to search at any time, growing or not.
struct CuckooLayout {
  CuckooBucket* main = nullptr;
  CuckooBucket* next = nullptr;  ///< Null unless growing.
  std::size_t bucket_count = 0;  ///< Of `main`; a power of two.
  unsigned shift = 0;            ///< 64 - log2(bucket_count).
  std::atomic<std::size_t> migrated{0};

  /// `place` is the hash (first place) or the hash with its halves swapped (second).
  [[nodiscard]] CuckooBucket* bucket(std::uint64_t place) const {
    const std::size_t number = place >> shift;
    if (next == nullptr || number >= migrated.load(std::memory_order_acquire)) {
      return main + number;
    }
    return next + (place >> (shift - 1));
  }
};

}  // namespace synod::core
