// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "tests/history/history.h"
#include "tests/history/report.h"

namespace synod::history {

/// When the search gives up; the key it was at is then undecided.
struct LinearizabilityLimits {
  std::uint64_t steps_max = 200'000'000;            ///< For each key.
  std::uint64_t memo_bytes_max = 1ULL << 30;        ///< For each key.
  const base::Clock* clock = nullptr;               ///< Set: time_max counts.
  base::Nanos time_max = std::chrono::seconds(60);  ///< For all keys together.
};

/// Is there an order of all operations on each key that respects real time and in which every read
/// sees the last write? Registers that are read, written, deleted, compared-and-swapped; at first
/// every key is missing. Takes part: operations of exactly one step of these kinds; one that failed
/// did nothing, one that is unknown may take effect at any time after its invocation, or never.
///
/// The search is that of Wing and Gong as improved by Lowe: try the operations that may come next,
/// go back when one completed without a place, and never look twice at the same set of placed
/// operations with the same value. An unknown write is only placed where the next operation looks
/// at it: elsewhere leaving it out does as well.
///
/// Findings: "stale-read", "resurrected-key", "lost-write", "read-inversion", "read-from-future",
/// "value-never-written", "failed-write-visible", "double-cas", "wrong-cas-refusal", and
/// "not-linearizable" where none of these simple patterns shows.
[[nodiscard]] Report check_linearizability(const std::vector<Operation>& operations,
                                           const LinearizabilityLimits& limits = {});

}  // namespace synod::history
