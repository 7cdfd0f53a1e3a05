// SPDX-License-Identifier: Apache-2.0
// Measures the twin test: every planted bug must be caught within a stated number of operations.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/plant.h"
#include "tests/core/twins.h"

namespace synod::core {
namespace {

constexpr std::uint64_t kOperationsMax = 60'000;

class PlantedBug : public testing::TestWithParam<const char*> {
 protected:
  ~PlantedBug() override { base::set_plant(""); }
};

TEST_P(PlantedBug, IsCaught) {
  base::set_plant(GetParam());
  Twins twins(7);
  const auto difference = twins.run(kOperationsMax);
  ASSERT_TRUE(difference.has_value()) << GetParam() << " went unnoticed";
  RecordProperty("caught", *difference);
}

INSTANTIATE_TEST_SUITE_P(Core, PlantedBug,
                         testing::Values("tombstone_not_persisted", "floor_local",
                                         "clock_from_wall", "tokens_not_in_batch",
                                         "ring_off_by_one", "conflict_off_by_one",
                                         "expiry_not_a_write"));

/// A store that cannot find a value any more says nothing at all.
TEST(PlantedBug, AValueThatLeftTooEarlyEndsTheProcess) {
  EXPECT_EXIT(
      {
        base::set_plant("value_dropped_before_persisted");
        Twins twins(7);
        const auto difference = twins.run(kOperationsMax);
        std::quick_exit(difference.has_value() ? 1 : 0);
      },
      testing::ExitedWithCode(5), "left memory");
}

TEST(PlantedBug, NoneMeansNoDifference) {
  base::set_plant("");
  Twins twins(7);
  const auto difference = twins.run(20'000);
  EXPECT_FALSE(difference.has_value()) << *difference;
}

}  // namespace
}  // namespace synod::core
