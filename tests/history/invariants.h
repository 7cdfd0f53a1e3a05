// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tests/history/history.h"
#include "tests/history/report.h"

namespace synod::history {

// Cheap checks of workloads that keep something constant. Each looks only at operations whose "f"
// is its name, and believes nothing but what clients saw. See workloads.h for the workloads.

/// "wrong-total", "negative-balance", "missing-account", "unknown-account".
[[nodiscard]] Report check_bank(const std::vector<Operation>& operations);
/// "broken-ring", "missing-link".
[[nodiscard]] Report check_ring(const std::vector<Operation>& operations);
/// "lost-element", "unwritten-element", "failed-write-visible", "read-from-future".
[[nodiscard]] Report check_set(const std::vector<Operation>& operations);
/// "counter-too-low", "counter-too-high", "counter-went-back".
[[nodiscard]] Report check_counter(const std::vector<Operation>& operations);

}  // namespace synod::history
