// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/table/node_handle.h"
#include "core/table/tag_search.h"

namespace synod::core {

/// One cache line of the cuckoo table: twelve slots and, in two atomic words, a tag byte for each
/// (the last four bytes stay 0). Tag 0 says the slot is free. All-zero memory is an empty bucket.
///
/// The writer stores a slot before its tag and clears the tag before the slot; a reader that sees a
/// tag and loads the slot finds none or some node, whose key it compares.
struct alignas(64) CuckooBucket {
  static constexpr std::size_t kSlots = 12;

  std::array<std::atomic<std::uint64_t>, 2> tags{};
  std::array<std::atomic<NodeHandle>, kSlots> slots{};

  /// The two words may be of two moments: what is said of a slot is said by its own byte alone.
  [[nodiscard]] TagLine tag_line() const {
    return {tags[0].load(std::memory_order_acquire), tags[1].load(std::memory_order_acquire)};
  }
  /// Writer. The first free slot, or kSlots.
  [[nodiscard]] std::size_t free_slot() const {
    return first_zero_tag(
        {tags[0].load(std::memory_order_relaxed), tags[1].load(std::memory_order_relaxed)});
  }
  [[nodiscard]] std::uint8_t tag(std::size_t slot) const {
    return static_cast<std::uint8_t>(word(slot).load(std::memory_order_relaxed) >> shift(slot));
  }
  /// Writer. REQUIRES: the slot is free.
  void put(std::size_t slot, NodeHandle node, std::uint8_t tag) {
    slots[slot].store(node, std::memory_order_release);
    const std::uint64_t old = word(slot).load(std::memory_order_relaxed);
    word(slot).store(old | (std::uint64_t{tag} << shift(slot)), std::memory_order_release);
  }
  /// Writer.
  void clear(std::size_t slot) {
    const std::uint64_t old = word(slot).load(std::memory_order_relaxed);
    word(slot).store(old & ~(std::uint64_t{0xff} << shift(slot)), std::memory_order_release);
    slots[slot].store(NodeHandle(), std::memory_order_release);
  }

 private:
  [[nodiscard]] std::atomic<std::uint64_t>& word(std::size_t slot) { return tags[slot / 8]; }
  [[nodiscard]] const std::atomic<std::uint64_t>& word(std::size_t slot) const {
    return tags[slot / 8];
  }
  [[nodiscard]] static std::size_t shift(std::size_t slot) { return slot % 8 * 8; }
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
