// SPDX-License-Identifier: Apache-2.0
#include "core/state/version_clock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/random.h"

namespace synod::core {
namespace {

TEST(VersionClock, AnswersWithTheNewestMarkAtOrBelow) {
  VersionClock clock;
  EXPECT_EQ(clock.clock_at(Version(5)), std::nullopt);
  clock.add(Version(2), TimeMs(100));
  clock.add(Version(5), TimeMs(110));
  EXPECT_EQ(clock.clock_at(Version(1)), std::nullopt);
  EXPECT_EQ(clock.clock_at(Version(2)), TimeMs(100));
  EXPECT_EQ(clock.clock_at(Version(4)), TimeMs(100));
  EXPECT_EQ(clock.clock_at(Version(5)), TimeMs(110));
  EXPECT_EQ(clock.clock_at(Version(INT64_MAX)), TimeMs(110));
}

TEST(VersionClock, FindsFirstAndLastVersionsOfATime) {
  VersionClock clock;
  EXPECT_EQ(clock.last_version_at(TimeMs(1), Version(9)), Version(0));
  clock.add(Version(2), TimeMs(100));
  clock.add(Version(5), TimeMs(110));
  clock.add(Version(9), TimeMs(111));
  EXPECT_EQ(clock.first_version_at(TimeMs(1)), Version(2));
  EXPECT_EQ(clock.first_version_at(TimeMs(100)), Version(2));
  EXPECT_EQ(clock.first_version_at(TimeMs(101)), Version(5));
  EXPECT_EQ(clock.first_version_at(TimeMs(111)), Version(9));
  EXPECT_EQ(clock.last_version_at(TimeMs(99), Version(20)), Version(0));
  EXPECT_EQ(clock.last_version_at(TimeMs(100), Version(20)), Version(4));
  EXPECT_EQ(clock.last_version_at(TimeMs(110), Version(20)), Version(8));
  EXPECT_EQ(clock.last_version_at(TimeMs(111), Version(20)), Version(20));
}

TEST(VersionClock, ForgetsOnlyWhatIsPopped) {
  VersionClock clock;
  for (int i = 1; i <= 4; ++i) clock.add(Version(10 * i), TimeMs(100 * i));
  EXPECT_EQ(clock.pop_oldest(), std::make_pair(Version(10), TimeMs(100)));
  EXPECT_EQ(clock.size(), 3U);
  EXPECT_EQ(clock.oldest().first, Version(20));
  EXPECT_EQ(clock.second_oldest().first, Version(30));
  EXPECT_EQ(clock.mark(2), std::make_pair(Version(40), TimeMs(400)));
  EXPECT_EQ(clock.clock_at(Version(19)), std::nullopt);
  EXPECT_EQ(clock.clock_at(Version(20)), TimeMs(200));
}

TEST(VersionClock, SurvivesManyTurnsOfItsRing) {
  VersionClock clock;
  base::Random random(7);
  std::vector<std::pair<std::int64_t, std::int64_t>> marks;
  std::size_t oldest = 0;
  std::int64_t version = 0;
  std::int64_t time = 0;
  for (std::size_t i = 0; i < 3 * VersionClock::kCapacity; ++i) {
    version += random.between(1, 3);
    time += random.between(1, 5);
    clock.add(Version(version), TimeMs(time));
    marks.emplace_back(version, time);
    if (marks.size() - oldest > VersionClock::kCapacity - 5) {
      clock.pop_oldest();
      ++oldest;
    }
    if (i % 64 != 0) continue;
    const std::size_t pick = oldest + random.below(marks.size() - oldest);
    ASSERT_EQ(clock.clock_at(Version(marks[pick].first)), TimeMs(marks[pick].second));
    if (pick + 1 < marks.size()) {
      ASSERT_EQ(clock.clock_at(Version(marks[pick + 1].first - 1)), TimeMs(marks[pick].second));
    }
  }
}

TEST(VersionClockDeath, RefusesMarksThatDoNotIncrease) {
  VersionClock clock;
  clock.add(Version(2), TimeMs(100));
  EXPECT_DEATH(clock.add(Version(2), TimeMs(101)), "C1");
  EXPECT_DEATH(clock.add(Version(3), TimeMs(100)), "C1");
  EXPECT_DEATH((void)clock.pop_oldest(), "C2");
}

}  // namespace
}  // namespace synod::core
