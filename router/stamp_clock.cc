// SPDX-License-Identifier: Apache-2.0
#include "router/stamp_clock.h"

#include <algorithm>

namespace synod::router {

StampClock::StampClock(const base::Clock& clock, core::TimeMs state_clock)
    : clock_(clock),
      stamp_(std::max(base::Nanos(base::Millis(state_clock.value())), clock.wall_time())),
      boot_(clock.boot_time()) {}

core::TimeMs StampClock::now() {
  const base::Nanos boot = clock_.boot_time();
  const base::Nanos passed = std::max(boot - boot_, base::Nanos(0));
  const base::Nanos ahead = stamp_ + passed - clock_.wall_time();
  // ST2: give back at most half of the time that passed.
  stamp_ += passed - std::clamp(ahead, base::Nanos(0), passed / 2);
  boot_ = boot;
  ahead_ms_ = std::max<std::int64_t>(
      std::chrono::duration_cast<base::Millis>(stamp_ - clock_.wall_time()).count(), 0);
  return core::TimeMs(std::chrono::duration_cast<base::Millis>(stamp_).count());
}

}  // namespace synod::router
