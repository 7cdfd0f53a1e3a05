// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/tally.h"

namespace synod::sim {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Count::kEnd)> kNames = {
    "messages delivered",
    "messages dropped",
    "disk calls",
    "ticks",
    "client calls",
    "entries applied",
    "faults",
    "lost messages",
    "duplicated messages",
    "reordered messages",
    "corrupted messages",
    "one-way cuts",
    "partitions",
    "slow links",
    "disk hangs",
    "slow disks",
    "process crashes",
    "power cuts",
    "crashes at an I/O",
    "sync errors",
    "read errors",
    "disks full",
    "log bytes rotten",
    "misdirected writes",
    "superblock bytes rotten",
    "snapshot bytes rotten",
    "clock rates",
    "clock jumps",
    "pauses",
    "restart storms",
    "all down",
    "disks wiped",
    "load bursts",
    "hunts for the leader",
    "hunts with rot",
    "ends of logs rotten",
    "stragglers",
    "pulls interrupted",
    "snapshot pieces rotten",
    "disks wiped before the group",
    "restarts",
    "failed starts",
    "fatal stops",
    "memories lost",
    "groups begun again",
    "disks left outside",
    "frames synced",
    "frames of several batches",
    "elections won",
    "reconfigurations",
    "learners added",
    "learners removed",
    "transfers begun",
    "snapshots taken",
    "snapshots installed",
    "returns behind the logs",
    "logs cut",
    "unknown slots found",
    "unknown slots repaired",
    "unknown tails found",
    "writes acknowledged",
    "writes retried",
    "writes refused",
    "outcomes unknown",
    "commands overtaken",
    "commands fenced",
    "reads served",
    "reads at followers",
    "lease reads",
    "local reads",
    "reads failed",
    "complaints"};

constexpr std::size_t kEventKinds = static_cast<std::size_t>(Count::kFaults) + 1;

}  // namespace

std::string_view count_name(Count count) { return kNames[static_cast<std::size_t>(count)]; }

bool is_fault(Count count) { return count > Count::kFaults && count < Count::kRestarts; }

std::uint64_t Tally::events() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kEventKinds; ++i) sum += counts[i];
  return sum;
}

void Tally::add_all(const Tally& other) {
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  virtual_nanos += other.virtual_nanos;
}

}  // namespace synod::sim
