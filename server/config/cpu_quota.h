// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace synod::server {

/// Where the kernel says how much processor time this process may use; tests put files elsewhere.
struct CgroupPlaces {
  std::string membership = "/proc/self/cgroup";
  std::string mount = "/sys/fs/cgroup";
};

/// Processors' worth of time that the control groups (version 2 or 1) grant, the tightest of this
/// process's group and the groups around it; nullopt if nothing limits it.
[[nodiscard]] std::optional<double> cpu_quota(const CgroupPlaces& places = {});

/// Threads that can really run at once: whole processors of the quota, at least 1, at most
/// `processors`.
[[nodiscard]] std::uint32_t usable_processors(std::uint32_t processors,
                                              std::optional<double> quota);

/// The same for this process: its affinity mask and its control groups.
[[nodiscard]] std::uint32_t usable_processors();

}  // namespace synod::server
