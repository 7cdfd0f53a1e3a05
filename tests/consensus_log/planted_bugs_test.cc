// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/plant.h"
#include "tests/consensus_log/scenarios.h"

// Measures the tests: each plant must break the claim made for it.
namespace synod::consensus {
namespace {

struct Planted {
  const char* plant;
  bool (*holds)();
};

constexpr Planted kPlants[] = {
    {"restamp_without_identity", restamp_needs_the_value_it_means},
    {"lost_frame_as_nothing", lost_frame_hides_older_values},
    {"torn_is_every_bad_tail", rotten_last_frame_is_not_torn},
    {"lost_tail_forgotten", lost_tail_is_found_again},
    {"superblock_single_copy", single_copy_never_holds},
    {"superblock_after_frame", superblock_comes_before_the_frame},
    {"promise_only_in_superblock", frames_keep_the_promise_too},
    {"void_slot_reported", slots_of_an_ended_configuration_are_void},
};

TEST(LogPlants, EachOneIsNoticedByTheClaimItBreaks) {
  for (const Planted& planted : kPlants) {
    base::set_plant("");
    EXPECT_TRUE(planted.holds()) << planted.plant;
    base::set_plant(planted.plant);
    EXPECT_FALSE(planted.holds()) << planted.plant;
  }
  base::set_plant("");
}

}  // namespace
}  // namespace synod::consensus
