// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <ctime>

#include "base/assert.h"

namespace synod::base {
namespace {

Nanos read_clock(clockid_t id) {
  timespec now{};
  const int rc = clock_gettime(id, &now);
  SYNOD_ASSERT(rc == 0, "clock_gettime on a clock every Linux has");
  return std::chrono::seconds(now.tv_sec) + Nanos(now.tv_nsec);
}

}  // namespace

Nanos SystemClock::boot_time() const { return read_clock(CLOCK_BOOTTIME); }
Nanos SystemClock::wall_time() const { return read_clock(CLOCK_REALTIME); }

}  // namespace synod::base
