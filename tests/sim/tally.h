// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace synod::sim {

/// Everything a run counts. Events, faults and what the faults are for.
enum class Count : std::uint8_t {
  // Events: their sum is what a seed's length is measured in.
  kDelivered,
  kDropped,
  kDiskCalls,
  kTicks,
  kClientCalls,
  kApplied,
  kFaults,
  // Faults by kind.
  kLost,
  kDuplicated,
  kReordered,
  kCorrupted,
  kLinkCuts,
  kPartitions,
  kSlowLinks,
  kDiskHangs,
  kSlowDisks,
  kCrashes,
  kPowerCuts,
  kCrashesAtIo,
  kSyncErrors,
  kReadErrors,
  kDiskFull,
  kBitRot,
  kMisdirected,
  kSuperblockRot,
  kSnapshotRot,
  kClockRates,
  kClockJumps,
  kPauses,
  kStorms,
  kAllDown,
  kWipes,
  kBursts,
  kHunts,
  kRotHunts,
  kTailRot,
  kStragglers,
  kPullCuts,
  kTransitRot,
  kFoundersWiped,
  // Happenings.
  kRestarts,
  kFailedStarts,
  kFatalStops,
  kMemoriesLost,
  kFoundingsRepeated,
  kOutsiders,
  kFrames,
  kFramesMerged,
  kElections,
  kReconfigurations,
  kLearnersAdded,
  kLearnersRemoved,
  kTransfers,
  kSnapshotsTaken,
  kSnapshotsInstalled,
  kReturns,
  kLogsCut,
  kUnknownSlots,
  kUnknownRepaired,
  kUnknownTails,
  kWritesAcknowledged,
  kWritesRetried,
  kWritesRefused,
  kOutcomesUnknown,
  kOvertaken,
  kFenced,
  kReadsServed,
  kReadsAtFollowers,
  kLeaseReads,
  kLocalReads,
  kReadsFailed,
  kComplaints,
  kEnd,
};

[[nodiscard]] std::string_view count_name(Count count);
[[nodiscard]] bool is_fault(Count count);

/// Plain numbers, so that workers can add theirs through shared memory.
struct Tally {
  std::array<std::uint64_t, static_cast<std::size_t>(Count::kEnd)> counts{};
  std::uint64_t virtual_nanos = 0;

  void add(Count count, std::uint64_t by = 1) { counts[static_cast<std::size_t>(count)] += by; }
  void add_fault(Count kind) {
    add(kind);
    add(Count::kFaults);
  }
  [[nodiscard]] std::uint64_t operator[](Count count) const {
    return counts[static_cast<std::size_t>(count)];
  }
  [[nodiscard]] std::uint64_t events() const;
  void add_all(const Tally& other);
};

}  // namespace synod::sim
