// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace synod::base {

/// The largest single `operator new` of this thread since the last reset: shows that a decoder did
/// not believe a length. The binary that links largest_allocation.cc counts everywhere.
void reset_largest_allocation();
[[nodiscard]] std::size_t largest_allocation();

}  // namespace synod::base
