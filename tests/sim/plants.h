// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace synod::sim {

/// A planted bug that lives of this simulator notice: within so many seeds, counted from 1.
struct NoticedPlant {
  std::string_view name;
  std::uint64_t seeds = 0;
  std::string_view with;     ///< Faults that concentrate what it needs; empty: any life will do.
  std::string_view without;  ///< Faults that would excuse it.
};

/// A planted bug of consensus, or of the log below it, that needs a smaller or a hand-made history.
struct OtherPlant {
  std::string_view name;
  std::string_view test;  ///< The file, from the root, that names and notices it.
};

/// Every plant of consensus/ and storage/ stands in exactly one of the two: asserted by
/// sim_planted_test, printed by `synod-sim --list-plants`.
[[nodiscard]] std::span<const NoticedPlant> noticed_plants();
[[nodiscard]] std::span<const OtherPlant> other_plants();

[[nodiscard]] bool is_plant(std::string_view name);
/// One line each: how to have it noticed, or who notices it.
[[nodiscard]] std::string describe_plants();

}  // namespace synod::sim
