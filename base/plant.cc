// SPDX-License-Identifier: Apache-2.0
#include "base/plant.h"

#ifdef SYNOD_PLANTS

#include <string>

namespace synod::base {
namespace {
std::string& planted() {
  static std::string name;
  return name;
}
}  // namespace

void set_plant(std::string_view name) { planted() = name; }
bool is_planted(std::string_view name) { return planted() == name; }

}  // namespace synod::base

#endif
