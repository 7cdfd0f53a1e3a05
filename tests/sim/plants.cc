// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/plants.h"

#include <algorithm>

#include "base/text.h"

namespace synod::sim {
namespace {

// Half again to three times the first seed that noticed it when this was written: a change of the
// product or of the simulator makes other lives, and none of them may hide a bug for long.
constexpr NoticedPlant kNoticed[] = {
    {"answer_before_sync", 10, "", ""},
    {"answer_to_any_disk", 30, "formation", ""},
    {"answers_unbound", 900, "formation", ""},
    {"any_known_ballot", 60, "rot-hunt", ""},
    {"blank_takes_any_record", 30, "formation", ""},
    {"commit_past_through", 60, "", ""},
    {"cut_regardless", 300, "", ""},
    {"enter_not_durable", 200, "", ""},
    {"fence_off", 80, "hunt", ""},
    {"form_by_majority", 10, "formation", ""},
    {"guard_forgotten", 160, "hunt,lease,storm,power-cut", ""},
    {"late_persist_counts", 10, "", ""},
    {"leader_counts_itself_early", 20, "", ""},
    {"learn_by_ballot", 300, "", ""},
    {"lease_from_receipt", 120, "lease,hunt", ""},
    {"lease_survives_transfer", 120, "lease,hunt", ""},
    {"lost_frame_as_nothing", 80, "rot-hunt", ""},
    {"lost_tail_forgotten", 80, "rot-hunt", ""},
    {"no_promise_check", 60, "", ""},
    {"offer_always_newest", 300, "", ""},
    {"own_value", 10, "", ""},
    {"pick_low", 80, "hunt", ""},
    {"pipeline_past_stop", 60, "", ""},
    {"promise_lost", 10, "", ""},
    {"read_before_barrier", 80, "", ""},
    {"read_id_reused", 100, "hunt", ""},
    {"read_without_quorum", 100, "hunt", ""},
    {"record_sent_before_durable", 10, "formation", ""},
    {"snapshot_resume_wrong_offset", 200, "pull-cut,wipe,learner",
     "power-cut,crash-at-io,disk-full,sync-error,transit-rot"},
    {"snapshot_unchecked", 40, "pull-cut,wipe,learner,transit-rot", ""},
    {"staging_goes_on", 500, "disk-full,wipe,learner,pull-cut", ""},
    {"stale_through", 10, "", ""},
    {"stamp_null", 30, "", ""},
    {"superblock_after_frame", 120, "hunt,crash-at-io", ""},
    {"torn_is_every_bad_tail", 80, "rot-hunt", ""},
    {"unknown_as_never_had", 60, "rot-hunt", ""},
    {"unknown_tail_ignored", 60, "rot-hunt", ""},
};

constexpr std::string_view kProtocol = "tests/consensus_protocol/planted_bugs_test.cc";
constexpr std::string_view kFormation = "tests/consensus_protocol/formation_test.cc";
constexpr std::string_view kPull = "tests/consensus_protocol/snapshot_pull_test.cc";
constexpr std::string_view kLog = "tests/consensus_log/planted_bugs_test.cc";

constexpr OtherPlant kOthers[] = {
    {"adopted_past_stop", kProtocol},   {"fence_is_last", kProtocol},
    {"first_part_commit", kProtocol},   {"promise_only_in_superblock", kLog},
    {"restamp_without_identity", kLog}, {"restart_guard_replaced", kProtocol},
    {"round_zero_unsynced", kProtocol}, {"snapshot_wipes", kProtocol},
    {"strangers_are_heard", kProtocol}, {"superblock_single_copy", kLog},
    {"token_of_any_ballot", kProtocol}, {"void_slot_reported", kLog},
    {"void_slots_return", kProtocol},
};

}  // namespace

std::span<const NoticedPlant> noticed_plants() { return kNoticed; }
std::span<const OtherPlant> other_plants() { return kOthers; }

bool is_plant(std::string_view name) {
  const auto is_it = [name](const auto& plant) { return plant.name == name; };
  return std::any_of(std::begin(kNoticed), std::end(kNoticed), is_it) ||
         std::any_of(std::begin(kOthers), std::end(kOthers), is_it);
}

std::string describe_plants() {
  std::string out;
  for (const NoticedPlant& plant : kNoticed) {
    out += base::concat("./dev sim --plant ", plant.name, " --seeds ", plant.seeds,
                        plant.with.empty() ? "" : " --with ", plant.with,
                        plant.without.empty() ? "" : " --without ", plant.without, "\n");
  }
  for (const OtherPlant& plant : kOthers) {
    out += base::concat(plant.name, ": rarely met here, see ", plant.test, "\n");
  }
  return out;
}

}  // namespace synod::sim
