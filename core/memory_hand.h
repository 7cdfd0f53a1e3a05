// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "core/types.h"

namespace synod::core {

/// Where the search for values that may leave memory goes on: behind this key. It goes through the
/// keys in their order, the same on every run of a simulation. Threads: the writer, as the next.
struct MemoryHand {
  NamespaceId ns{0};
  Space space{0};
  base::Bytes key;
};

/// What the hand did since it was at the first key.
struct MemoryRound {
  bool takes_all = true;  ///< Read values as well.
  std::uint64_t dropped_before = 0;
  std::uint64_t covered_before = 0;
  std::uint64_t hopeless_bytes = 0;  ///< Covered, and passed in vain by a whole round.
  Version hopeless_until{0};         ///< Until the floor has passed it.
};

}  // namespace synod::core
