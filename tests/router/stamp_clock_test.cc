// SPDX-License-Identifier: Apache-2.0
#include "router/stamp_clock.h"

#include <gtest/gtest.h>

namespace synod::router {
namespace {

class HandClock final : public base::Clock {
 public:
  [[nodiscard]] base::Nanos boot_time() const override { return boot; }
  [[nodiscard]] base::Nanos wall_time() const override { return wall; }
  void pass(base::Nanos span) {
    boot += span;
    wall += span;
  }
  base::Nanos boot{std::chrono::seconds(5)};
  base::Nanos wall{std::chrono::seconds(1'000)};
};

TEST(StampClock, StartsAtTheLaterOfWallAndState) {
  HandClock clock;
  EXPECT_EQ(StampClock(clock, core::TimeMs(3)).now(), core::TimeMs(1'000'000));
  EXPECT_EQ(StampClock(clock, core::TimeMs(1'500'000)).now(), core::TimeMs(1'500'000));
}

TEST(StampClock, FollowsBootTimeNotStepsOfTheWall) {
  HandClock clock;
  StampClock stamps(clock, core::TimeMs(0));
  clock.wall += std::chrono::hours(1);
  clock.pass(std::chrono::seconds(2));
  EXPECT_EQ(stamps.now(), core::TimeMs(1'002'000));
}

TEST(StampClock, RunsAtHalfSpeedUntilTheWallHasCaughtUp) {
  HandClock clock;
  StampClock stamps(clock, core::TimeMs(0));
  clock.wall -= std::chrono::seconds(10);
  clock.pass(std::chrono::seconds(4));
  EXPECT_EQ(stamps.now(), core::TimeMs(1'002'000));
  EXPECT_EQ(stamps.ahead_ms(), 8'000);
  clock.pass(std::chrono::seconds(40));
  EXPECT_EQ(stamps.now(), core::TimeMs(1'034'000));
  EXPECT_EQ(stamps.ahead_ms(), 0);
}

TEST(StampClock, NeverDecreasesWhateverTheWallDoes) {
  HandClock clock;
  StampClock stamps(clock, core::TimeMs(0));
  core::TimeMs last = stamps.now();
  for (int i = 0; i < 1'000; ++i) {
    clock.wall += std::chrono::milliseconds(i % 2 == 0 ? -5'000 : 4'990);
    clock.pass(std::chrono::milliseconds(i % 7));
    const core::TimeMs now = stamps.now();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace synod::router
