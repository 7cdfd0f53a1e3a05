// SPDX-License-Identifier: Apache-2.0
#pragma once

// Planted bugs measure the tests: SYNOD_PLANT("name") is false and costs nothing in every build
// but the libraries made by synod_planted_module, where a test switches one on and must catch it.
#ifdef SYNOD_PLANTS

#include <string_view>

namespace synod::base {
/// Switches the plant of that name on, all others off; empty: none.
void set_plant(std::string_view name);
[[nodiscard]] bool is_planted(std::string_view name);
}  // namespace synod::base

#define SYNOD_PLANT(name) (::synod::base::is_planted(name))

#else

#define SYNOD_PLANT(name) false

#endif
