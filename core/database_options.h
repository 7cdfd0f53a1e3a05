// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "core/table/record_heap.h"

namespace synod::core {

/// Knobs of this node alone; none can change a result.
struct DatabaseOptions {
  base::Nanos snapshot_window = std::chrono::seconds(5);
  std::uint64_t old_bytes_max = 256U << 20;  ///< Superseded values kept for snapshot reads.
  /// Bound of what memory_bytes() counts, but for holes in the heap: values leave memory before it
  /// is reached. 0: all values stay.
  std::uint64_t memory_bytes_max = 0;
  /// Smaller values stay: they lie beside their keys, and nothing would come free.
  std::uint32_t spill_bytes_min = RecordHeap::kBesideMax + 1;
  /// Addresses for keys with what lies beside them, a multiple of 2 MiB and at most what handles
  /// reach. Less is for tests: nothing is taken before it is used.
  std::uint64_t node_range_bytes = NodeBase::kSpan;
};

}  // namespace synod::core
