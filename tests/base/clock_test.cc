// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

namespace synod::base {
namespace {

TEST(SystemClock, BootTimeNeverGoesBack) {
  const SystemClock clock;
  Nanos before = clock.boot_time();
  for (int i = 0; i < 10'000; ++i) {
    const Nanos now = clock.boot_time();
    ASSERT_GE(now, before);
    before = now;
  }
}

TEST(SystemClock, WallTimeIsUnixTime) {
  const SystemClock clock;
  EXPECT_GT(clock.wall_time(), std::chrono::hours(24 * 365 * 50));  // after 2019
}

}  // namespace
}  // namespace synod::base
