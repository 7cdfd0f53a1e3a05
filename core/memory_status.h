// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace synod::core {

/// What a store holds in memory and what of it had to leave, for operators and for admission.
/// The numbers are read one after another beside a working writer: each is right, their sums are
/// nearly so.
struct MemoryStatus {
  std::uint64_t limit = 0;              ///< DatabaseOptions::memory_bytes_max; 0: none.
  std::uint64_t total_bytes = 0;        ///< TransactionalKvDatabase::memory_bytes().
  std::uint64_t used_bytes = 0;         ///< Of that, without holes in the heap: what is bounded.
  std::uint64_t unevictable_bytes = 0;  ///< What remains if every value that may leave has left.
  std::uint64_t resident_values = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t spilled_values = 0;  ///< Their values are in the backend alone.
  std::uint64_t spilled_bytes = 0;
  std::uint64_t cold_reads = 0;      ///< Values that readers fetched.
  std::uint64_t apply_fetches = 0;   ///< Values that the writer had to wait for itself.
  std::uint64_t values_dropped = 0;  ///< Left memory while the store ran.
  std::uint64_t values_warmed = 0;   ///< Came back.
  std::uint64_t snapshots_held = 0;
};

}  // namespace synod::core
