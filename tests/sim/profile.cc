// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/profile.h"

#include <algorithm>
#include <array>

#include "base/random.h"
#include "base/text.h"

namespace synod::sim {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Fault::kEnd)> kNames = {
    "loss",          "duplication",     "reorder",     "delay",          "corruption",
    "one-way-cut",   "partition",       "slow-link",   "slow-disk",      "disk-hang",
    "process-crash", "power-cut",       "crash-at-io", "sync-error",     "read-error",
    "disk-full",     "log-rot",         "misdirected", "superblock-rot", "snapshot-rot",
    "clock-rate",    "clock-jump",      "pause",       "storm",          "all-down",
    "wipe",          "reconfiguration", "learner",     "transfer",       "burst",
    "hunt",          "rot-hunt",        "pull-cut",    "transit-rot",    "formation",
    "lease"};

Fault next(Fault fault) { return static_cast<Fault>(static_cast<int>(fault) + 1); }

void draw_fault(Profile& profile, base::Random& random, double likelihood, Fault fault,
                const Wishes& wishes) {
  const bool is_drawn = random.chance(likelihood);
  if ((is_drawn || wishes.with.contains(fault)) && !wishes.without.contains(fault)) {
    profile.faults.insert(fault);
  }
}

void draw_faults(Profile& profile, base::Random& random, base::Random& later,
                 const Wishes& wishes) {
  // Some lives are calm, some have everything: each draws its own likelihood first.
  const double likelihood = random.chance(0.1) ? 0 : 0.1 + 0.6 * random.unit();
  for (auto fault = Fault(); fault < Fault::kRotHunt; fault = next(fault)) {
    draw_fault(profile, random, likelihood, fault, wishes);
  }
  for (Fault fault = Fault::kRotHunt; fault < Fault::kEnd; fault = next(fault)) {
    draw_fault(profile, later, fault == Fault::kLease ? 0 : likelihood, fault, wishes);
  }
  // What was lost with a disk must not be damaged elsewhere too: it would be gone.
  if (profile.has(Fault::kWipe)) {
    for (const Fault damage :
         {Fault::kLogRot, Fault::kMisdirectedWrite, Fault::kSuperblockRot, Fault::kRotHunt}) {
      profile.faults.erase(damage);
    }
  }
  // A lost disk is only ever replaced by a reconfiguration.
  if (profile.has(Fault::kWipe) && !wishes.without.contains(Fault::kReconfiguration)) {
    profile.faults.insert(Fault::kReconfiguration);
  }
}

void draw_network(Profile& profile, base::Random& random) {
  NetworkFaults& network = profile.network;
  if (profile.has(Fault::kLoss)) network.loss = 0.01 + 0.2 * random.unit() * random.unit();
  if (profile.has(Fault::kDuplication)) network.duplication = 0.3 * random.unit();
  if (profile.has(Fault::kReorder)) network.reorder = 0.2 * random.unit();
  if (profile.has(Fault::kCorruption)) network.corruption = 0.05 * random.unit();
  if (profile.has(Fault::kDelay)) {
    network.delay_high = base::Micros(static_cast<std::int64_t>(1000 + random.below(30'000)));
  }
}

void draw_sizes(Profile& profile, base::Random& random) {
  const auto pick = [&random](std::initializer_list<std::uint64_t> choices) {
    return *(choices.begin() + random.below(choices.size()));
  };
  profile.voters = random.chance(0.2) ? 5 : 3;
  profile.nodes = profile.voters + 2 + random.below(2);
  profile.clients = 2 + random.below(5);
  profile.think_nanos = pick({1'000'000, 5'000'000, 20'000'000, 100'000'000});
  profile.reads = 0.1 + 0.5 * random.unit();
  profile.filler = pick({0, 50, 200, 1500});
  profile.segment_bytes = pick({32 << 10, 64 << 10});
  profile.snapshot_every = pick({20, 100, 400, 5000});
  profile.flush_every = pick({5, 30, 200});
  profile.keep_slots = pick({0, 20, 200});
  profile.snapshot_filler = pick({10, 1000, 6000, 30'000});
  profile.message_bytes = pick({256, 2000, 16'000});
  profile.pace = base::Millis(static_cast<std::int64_t>(pick({50, 200, 800})));
}

}  // namespace

std::string_view fault_name(Fault fault) { return kNames[static_cast<std::size_t>(fault)]; }

Fault fault_named(std::string_view name) {
  std::size_t i = 0;
  while (i < kNames.size() && kNames[i] != name) ++i;
  return static_cast<Fault>(i);
}

bool add_faults(std::string_view list, std::set<Fault>& out) {
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const Fault fault = fault_named(list.substr(begin, end - begin));
    if (fault == Fault::kEnd) return false;
    out.insert(fault);
    begin = end + 1;
  }
  return true;
}

Profile draw_profile(std::uint64_t seed, const Wishes& wishes) {
  base::Random random(seed * 0x9E3779B97F4A7C15ULL + 1);
  Profile profile;
  base::Random later(seed * 0x9E3779B97F4A7C15ULL + 2);
  draw_faults(profile, random, later, wishes);
  draw_network(profile, random);
  draw_sizes(profile, random);
  profile.reads_by_lease = random.chance(0.4) || profile.has(Fault::kLease);
  // A lease is as good as the clocks (docs/PROTOCOL.md section 9).
  if (profile.has(Fault::kClockRate)) profile.clock_spread = profile.reads_by_lease ? 0.045 : 0.5;
  if (profile.reads_by_lease) profile.faults.erase(Fault::kClockJump);
  return profile;
}

std::string describe(const Profile& profile) {
  std::string text =
      base::concat(profile.voters, " voters of ", profile.nodes, " nodes, ", profile.clients,
                   " clients", profile.reads_by_lease ? ", leases" : "", ", faults:");
  for (const Fault fault : profile.faults) text += base::concat(" ", fault_name(fault));
  return text;
}

}  // namespace synod::sim
