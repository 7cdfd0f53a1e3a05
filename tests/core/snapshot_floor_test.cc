// SPDX-License-Identifier: Apache-2.0
#include "core/snapshot_floor.h"

#include <gtest/gtest.h>

#include <vector>

namespace synod::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SnapshotFloor, RisesAndNeverFalls) {
  SnapshotFloor floor;
  EXPECT_TRUE(floor.covers(Version(0)));
  floor.raise(Version(5), seconds(1), SnapshotFloor::kPinMax);
  EXPECT_EQ(floor.value(), Version(5));
  floor.raise(Version(3), seconds(2), SnapshotFloor::kPinMax);
  EXPECT_EQ(floor.value(), Version(5));
  EXPECT_FALSE(floor.covers(Version(4)));
  EXPECT_TRUE(floor.covers(Version(5)));
}

TEST(SnapshotFloor, StopsAtTheLowestPin) {
  SnapshotFloor floor;
  auto high = floor.pin(Version(8));
  {
    const auto low = floor.pin(Version(4));
    ASSERT_TRUE(high && low);
    floor.raise(Version(10), seconds(1), SnapshotFloor::kPinMax);
    EXPECT_EQ(floor.value(), Version(4));
  }
  floor.raise(Version(10), seconds(1), SnapshotFloor::kPinMax);
  EXPECT_EQ(floor.value(), Version(8));
  high.reset();
  floor.raise(Version(10), seconds(1), SnapshotFloor::kPinMax);
  EXPECT_EQ(floor.value(), Version(10));
}

TEST(SnapshotFloor, PinsTheEmptyStore) {
  SnapshotFloor floor;
  const auto pin = floor.pin(Version(0));
  ASSERT_TRUE(pin.has_value());
  floor.raise(Version(9), seconds(1), SnapshotFloor::kPinMax);
  EXPECT_LE(floor.value(), Version(1));
}

TEST(SnapshotFloor, RefusesPinsBelowIt) {
  SnapshotFloor floor;
  floor.raise(Version(5), seconds(1), SnapshotFloor::kPinMax);
  EXPECT_FALSE(floor.pin(Version(4)).has_value());
  EXPECT_TRUE(floor.pin(Version(5)).has_value());
}

TEST(SnapshotFloor, GrantsPinsAgainWhereAnOtherPinStoppedTheRise) {
  SnapshotFloor floor;
  const auto holds = floor.pin(Version(4));
  floor.raise(Version(10), seconds(1), SnapshotFloor::kPinMax);
  EXPECT_TRUE(floor.pin(Version(4)).has_value());
  EXPECT_TRUE(floor.pin(Version(7)).has_value());
}

TEST(SnapshotFloor, LetsGoOfAPinThatIsHeldTooLong) {
  SnapshotFloor floor;
  const auto pin = floor.pin(Version(4));
  floor.raise(Version(10), seconds(1), SnapshotFloor::kPinMax);
  floor.raise(Version(10), seconds(1) + SnapshotFloor::kPinMax - base::Nanos(1),
              SnapshotFloor::kPinMax);
  EXPECT_EQ(floor.value(), Version(4));
  floor.raise(Version(10), seconds(1) + SnapshotFloor::kPinMax, SnapshotFloor::kPinMax);
  EXPECT_EQ(floor.value(), Version(10));
  EXPECT_FALSE(floor.covers(Version(4)));
}

TEST(SnapshotFloor, LetsGoOfPinsSoonerUnderPressure) {
  SnapshotFloor floor;
  const auto pin = floor.pin(Version(4));
  floor.raise(Version(10), seconds(1), SnapshotFloor::kPinMax);
  floor.raise(Version(10), seconds(2), SnapshotFloor::kPinMaxUnderPressure);
  EXPECT_EQ(floor.value(), Version(4));
  floor.raise(Version(10), seconds(3), SnapshotFloor::kPinMaxUnderPressure);
  EXPECT_EQ(floor.value(), Version(10));
}

TEST(SnapshotFloor, GoesOnWithoutAPinWhenAllAreTaken) {
  SnapshotFloor floor;
  std::vector<SnapshotFloor::Pin> pins;
  for (;;) {
    auto pin = floor.pin(Version(3));
    if (!pin) break;
    pins.push_back(std::move(*pin));
    ASSERT_LE(pins.size(), 10'000U);
  }
  EXPECT_GE(pins.size(), 100U);
  pins.pop_back();
  EXPECT_TRUE(floor.pin(Version(3)).has_value());
}

TEST(SnapshotFloor, TurnsAgeIntoAVersion) {
  SnapshotFloor floor;
  floor.sample(Version(1), milliseconds(0));
  floor.sample(Version(2), milliseconds(10));  // Too close to the last one to be kept.
  floor.sample(Version(3), milliseconds(100));
  floor.sample(Version(4), milliseconds(200));
  EXPECT_EQ(floor.visible_at(milliseconds(-1)), Version(0));
  EXPECT_EQ(floor.visible_at(milliseconds(150)), Version(3));
  EXPECT_EQ(floor.visible_at(milliseconds(199)), Version(0)) << "older ones were forgotten";
  EXPECT_EQ(floor.visible_at(milliseconds(500)), Version(4));
}

}  // namespace
}  // namespace synod::core
