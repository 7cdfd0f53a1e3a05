// SPDX-License-Identifier: Apache-2.0
#pragma once

// Planted bugs measure the tests: SYNOD_PLANT("name") is false and costs nothing in every build
// but the libraries made by synod_planted_module, where a test switches one on and must catch it.
#ifdef SYNOD_PLANTS

#include <cstdint>
#include <string_view>
#include <vector>

namespace synod::base {
/// Switches the plant of that name on, all others off; empty: none.
void set_plant(std::string_view name);
[[nodiscard]] bool is_planted(std::string_view name);
/// Names of the plants that this process came across, in order.
[[nodiscard]] std::vector<std::string_view> plants_reached();

/// Grows with set_plant(). Threads: plants are set while nothing else runs.
extern std::uint64_t plant_generation;

/// One place in the source that may be planted. Remembers the answer, so that a plant which is off
/// costs a comparison.
class PlantSite {
 public:
  constexpr explicit PlantSite(std::string_view name) : name_(name) {}
  [[nodiscard]] bool is_on() {
    if (seen_ != plant_generation) look();
    return is_on_;
  }

 private:
  void look();

  std::string_view name_;
  std::uint64_t seen_ = 0;
  bool is_on_ = false;
};
}  // namespace synod::base

#define SYNOD_PLANT(name)                                 \
  ([]() -> bool {                                         \
    static constinit ::synod::base::PlantSite site{name}; \
    return site.is_on();                                  \
  }())

#else

#define SYNOD_PLANT(name) false

#endif
