// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "tests/sim/network.h"

namespace synod::sim {

/// What may happen to a life. A seed draws a few of them, each with its own strength.
enum class Fault : std::uint8_t {
  kLoss,
  kDuplication,
  kReorder,
  kDelay,
  kCorruption,
  kOneWayCut,
  kPartition,
  kSlowLink,
  kSlowDisk,
  kDiskHang,
  kProcessCrash,
  kPowerCut,
  kCrashAtIo,
  kSyncError,
  kReadError,
  kDiskFull,
  kLogRot,
  kMisdirectedWrite,
  kSuperblockRot,
  kSnapshotRot,
  kClockRate,
  kClockJump,
  kPause,
  kStorm,
  kAllDown,
  kWipe,
  kReconfiguration,
  kLearner,
  kTransfer,
  kBurst,
  kHunt,
  // Drawn from a stream of their own, so that older seeds still mean the same life without them.
  kRotHunt,
  kPullCut,
  kTransitRot,
  kFormation,
  kLease,  ///< No fault: reads by lease, which every life may draw anyway. Only a wish.
  kEnd,
};
[[nodiscard]] std::string_view fault_name(Fault fault);
/// kEnd: there is none of this name.
[[nodiscard]] Fault fault_named(std::string_view name);
/// Names with commas between them; false: there is one that no fault has.
[[nodiscard]] bool add_faults(std::string_view list, std::set<Fault>& out);

/// One life before it begins: everything that is drawn once.
struct Profile {
  std::set<Fault> faults;
  Nanos pace{};  ///< Between two faults, on average.
  std::size_t voters = 3;
  std::size_t nodes = 5;
  NetworkFaults network;
  bool reads_by_lease = false;
  double clock_spread = 0;  ///< Rates are drawn from 1 +- this.
  std::size_t clients = 4;
  std::uint64_t think_nanos = 10'000'000;
  double reads = 0.3;
  double local_reads = 0.1;
  std::size_t filler = 100;
  std::uint64_t segment_bytes = 32 << 10;
  std::uint64_t snapshot_every = 100;
  std::uint64_t flush_every = 30;
  std::uint64_t keep_slots = 50;
  std::size_t snapshot_filler = 1000;
  std::size_t message_bytes = 4096;
  std::uint64_t events_max = 10'000;  ///< Of the phase with faults.

  [[nodiscard]] bool has(Fault fault) const { return faults.contains(fault); }
  /// Pieces of a snapshot may rot under way, or not have reached the disk.
  [[nodiscard]] bool may_damage_snapshots() const {
    return has(Fault::kTransitRot) || has(Fault::kPowerCut) || has(Fault::kCrashAtIo) ||
           has(Fault::kSyncError) || has(Fault::kDiskFull);
  }
  /// The fewest voters: with damage a majority must be certain without the damaged one.
  [[nodiscard]] std::size_t size_min() const {
    const bool is_damaged = has(Fault::kLogRot) || has(Fault::kMisdirectedWrite) ||
                            has(Fault::kSuperblockRot) || has(Fault::kRotHunt) || has(Fault::kWipe);
    return is_damaged ? 3 : 1;
  }
};

/// What the command line asks of every life.
struct Wishes {
  std::set<Fault> without;
  std::set<Fault> with;  ///< Drawn in any case.
};

[[nodiscard]] Profile draw_profile(std::uint64_t seed, const Wishes& wishes);
[[nodiscard]] std::string describe(const Profile& profile);

}  // namespace synod::sim
