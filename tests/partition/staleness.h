// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/status.h"
#include "tests/history/history.h"

namespace synod::partition {

/// Makes histories that a correct store cannot have out of one that it can: in each, one read of
/// one key is altered to a value that an earlier read had seen, after which another read, complete
/// before the altered one began, had already seen a newer one. Values never come back in the
/// workloads, so the altered read is stale. In the workload "set" nothing is ever replaced; there
/// an element is taken away that an earlier read had seen.
///
/// At most `count`, spread over the history; empty if no read is of that kind.
[[nodiscard]] base::Result<std::vector<std::vector<history::Event>>> made_stale(
    const std::vector<history::Event>& events, std::size_t count);

}  // namespace synod::partition
