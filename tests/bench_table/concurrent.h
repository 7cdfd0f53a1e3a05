// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace synod::bench {

/// Prints the longest insertions, and the longest reads beside them, from 0 to `keys` keys.
void measure_growth(std::size_t keys);

/// Prints what readers reach alone, beside a writer and beside each other.
void measure_readers(std::size_t keys);

}  // namespace synod::bench
