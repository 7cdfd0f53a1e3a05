// SPDX-License-Identifier: Apache-2.0
#include "server/config/cpu_quota.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace synod::server {
namespace {

void keep_tighter(std::optional<double>& quota, double candidate) {
  if (candidate > 0 && (!quota || candidate < *quota)) quota = candidate;
}

// Version 2: "max 100000" or "150000 100000".
void read_v2(const std::string& folder, std::optional<double>& quota) {
  std::ifstream file(folder + "/cpu.max");
  std::string granted;
  double period = 0;
  if (!(file >> granted >> period) || granted == "max" || period <= 0) return;
  std::istringstream number(granted);
  double microseconds = 0;
  if (number >> microseconds) keep_tighter(quota, microseconds / period);
}

// Version 1: two files; a quota of -1 is none.
void read_v1(const std::string& folder, std::optional<double>& quota) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double microseconds = 0;
  double period = 0;
  if (quota_file >> microseconds && period_file >> period && period > 0) {
    keep_tighter(quota, microseconds / period);
  }
}

bool has_controller(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == name) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// The group's folder and those around it up to the mount. Inside a container the path may be the
/// host's and not exist here; then only the outermost one answers, which is the container's own.
template <class Read>
void read_upwards(const std::string& mount, std::string group, const Read& read) {
  while (!group.empty() && group != "/") {
    read(mount + group);
    group.resize(group.rfind('/'));
  }
  read(mount);
}

}  // namespace

std::optional<double> cpu_quota(const CgroupPlaces& places) {
  std::optional<double> quota;
  std::ifstream membership(places.membership);
  std::string line;
  // Lines are "id:controllers:/path"; version 2 has no controllers.
  while (std::getline(membership, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos || line.find('/', second) != second + 1) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      read_upwards(places.mount, group, [&](const std::string& at) { read_v2(at, quota); });
    } else if (has_controller(controllers, "cpu")) {
      for (const std::string& name : {std::string("cpu"), controllers}) {
        read_upwards(places.mount + "/" + name, group,
                     [&](const std::string& at) { read_v1(at, quota); });
      }
    }
  }
  return quota;
}

std::uint32_t usable_processors(std::uint32_t processors, std::optional<double> quota) {
  const std::uint32_t available = std::max<std::uint32_t>(processors, 1);
  if (!quota || *quota >= available) return available;
  // A part of a processor would only be throttled.
  return static_cast<std::uint32_t>(std::max(1.0, std::floor(*quota)));
}

std::uint32_t usable_processors() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  const std::uint32_t processors = sched_getaffinity(0, sizeof mask, &mask) == 0
                                       ? static_cast<std::uint32_t>(CPU_COUNT(&mask))
                                       : std::thread::hardware_concurrency();
  return usable_processors(processors, cpu_quota());
}

}  // namespace synod::server
