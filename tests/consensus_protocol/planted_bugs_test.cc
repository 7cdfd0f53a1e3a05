// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "base/plant.h"
#include "tests/consensus_protocol/cluster.h"
#include "tests/consensus_protocol/directed.h"

// Measures the seeds: each classic bug of docs/PROTOCOL.md section 17 is switched on and has to be
// noticed, by an oracle or by an assert, within the stated number of seeds. The bug lives and dies
// in a child process.
namespace synod::consensus {
namespace {

constexpr std::uint64_t kSeedsMax = 2000;

class PlantedBug : public testing::TestWithParam<const char*> {};

[[noreturn]] void live_with(const char* plant) {
  base::set_plant(plant);
  for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    // Asserts end the process without another word.
    std::cerr << "\rseed " << seed << " " << std::flush;
    const std::string failure = live(seed);
    if (failure.empty()) continue;
    std::cerr << failure << std::endl;
    std::_Exit(1);
  }
  std::cerr << "nothing noticed" << std::endl;
  std::_Exit(0);
}

bool is_noticed(int status) { return status != 0; }

TEST_P(PlantedBug, IsNoticedWithinTwoThousandSeeds) {
  testing::FLAGS_gtest_death_test_style = "fast";
  EXPECT_EXIT(live_with(GetParam()), is_noticed, "");
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBug,
                         testing::Values("promise_lost", "answer_before_sync",
                                         "leader_counts_itself_early", "learn_by_ballot",
                                         "own_value", "pick_low", "commit_past_through",
                                         "stale_through", "no_promise_check", "late_persist_counts",
                                         "read_before_barrier", "unknown_as_never_had",
                                         "any_known_ballot", "stamp_null", "fence_off",
                                         "snapshot_wipes", "enter_not_durable",
                                         "pipeline_past_stop", "strangers_are_heard"),
                         [](const testing::TestParamInfo<const char*>& plant) {
                           std::string name;
                           bool is_start = true;
                           for (const char* c = plant.param; *c != '\0'; ++c) {
                             if (*c != '_')
                               name += is_start ? static_cast<char>(*c - 'a' + 'A') : *c;
                             is_start = *c == '_';
                           }
                           return name;
                         });

// Bugs that need a history which seeds of this size rarely write.
TEST(PlantedBugs, DirectedTestsNoticeTheRareOnes) {
  const auto breaks = [](const char* plant, bool (*holds)()) {
    base::set_plant("");
    EXPECT_TRUE(holds()) << plant;
    base::set_plant(plant);
    EXPECT_FALSE(holds()) << plant;
    base::set_plant("");
  };
  breaks("fence_off", fence_is_the_greatest_barrier);
  breaks("fence_is_last", fence_is_the_greatest_barrier);
  breaks("first_part_commit", parts_of_a_promise_share_the_greatest_commit);
  breaks("read_id_reused", late_acknowledgement_releases_nothing);
  breaks("read_without_quorum", lone_leader_releases_no_read);
  breaks("lease_from_receipt", lease_runs_from_sending);
  breaks("guard_forgotten", restart_arms_the_guard);
  breaks("snapshot_wipes", snapshot_keeps_accepted_suffix);
  breaks("adopted_past_stop", nothing_is_adopted_behind_a_stop_sign);
  breaks("unknown_tail_ignored", an_unknown_tail_blocks_the_open_end);
  breaks("restart_guard_replaced", a_late_heartbeat_does_not_end_the_guard_of_a_restart);
  breaks("token_of_any_ballot", a_token_passes_the_guard_of_its_ballot_only);
  breaks("lease_survives_transfer", a_revoked_lease_does_not_come_back);
  breaks("round_zero_unsynced", a_first_leader_waits_for_its_ballot);
  breaks("void_slots_return", slots_behind_the_end_are_void);
}

// With nothing planted the same sources and seeds find nothing: the switch is what is noticed.
TEST(PlantedBugs, NothingIsNoticedWithoutOne) {
  base::set_plant("");
  for (std::uint64_t seed = 1; seed <= 200; ++seed) ASSERT_EQ(live(seed), "") << "seed " << seed;
}

}  // namespace
}  // namespace synod::consensus
