// SPDX-License-Identifier: Apache-2.0
#include "base/plant.h"

#ifdef SYNOD_PLANTS

#include <set>
#include <string>

namespace synod::base {
namespace {
std::string& planted() {
  static std::string name;
  return name;
}
std::set<std::string_view>& reached() {
  static std::set<std::string_view> names;
  return names;
}
}  // namespace

std::uint64_t plant_generation = 1;

void set_plant(std::string_view name) {
  planted() = name;
  ++plant_generation;
}
bool is_planted(std::string_view name) { return planted() == name; }

std::vector<std::string_view> plants_reached() {
  return std::vector<std::string_view>(reached().begin(), reached().end());
}

void PlantSite::look() {
  seen_ = plant_generation;
  is_on_ = is_planted(name_);
  reached().insert(name_);
}

}  // namespace synod::base

#endif
