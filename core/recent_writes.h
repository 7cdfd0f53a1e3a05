// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/table/key_node.h"
#include "core/types.h"

namespace synod::core {

/// A bounded ring of the newest writes, for range-conflict checks that are cheaper than a walk of
/// the range.
///
/// Owned by TransactionalKvDatabase.
///
/// Invariants
///   W1  Every write applied above covered_from() is in the ring.
///   W2  A node in the ring is dereferenced only if the written version lies above the caller's
///       read version: such a node cannot have left the tables, because tombstones go only once
///       the conflict floor, which no read version is below, has passed them.
///
/// Threads: confined to the writer.
class RecentWrites {
 public:
  static constexpr std::size_t kCapacity = 1U << 16;

  RecentWrites() : ring_(kCapacity) {}

  /// `applied`: the version being applied now; `written`: the version the record carries, lower
  /// for the tombstone of a swept expiry.
  void add(Version applied, Version written, const KeyNode& node);
  /// Reads at or above it can be checked here.
  [[nodiscard]] Version covered_from() const { return covered_from_; }
  /// Writes applied above `after`: the length of a check's walk. REQUIRES: after >= covered_from().
  [[nodiscard]] std::size_t count_after(Version after) const;
  /// True if any of them carries a version above `after` and lies in [begin, end) (`end` empty: to
  /// the last).
  [[nodiscard]] bool touched(NamespaceId ns, Space space, base::BytesView begin,
                             base::BytesView end, Version after) const;
  /// Forgets everything: nothing below `version` can be checked here.
  void reset(Version version);

 private:
  struct Write {
    Version applied{0};
    Version written{0};
    std::uint64_t prefix = 0;  ///< First 8 bytes of the key, big-endian.
    NamespaceId ns{0};
    Space space{0};
    const KeyNode* node = nullptr;
  };
  [[nodiscard]] std::uint64_t first_after(Version after) const;
  [[nodiscard]] const Write& at(std::uint64_t position) const {
    return ring_[position & (kCapacity - 1)];
  }

  std::vector<Write> ring_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  Version covered_from_{0};
};

}  // namespace synod::core
