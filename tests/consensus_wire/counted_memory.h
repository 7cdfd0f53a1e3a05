// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace synod::consensus {

/// What this process has asked of operator new so far.
[[nodiscard]] std::size_t allocated_bytes();

}  // namespace synod::consensus
