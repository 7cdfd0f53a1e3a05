// SPDX-License-Identifier: Apache-2.0
// The Paxos log on a real disk, in one run on one machine.
//   bench_consensus_log                               the marks, in a new directory below this one
//   bench_consensus_log append DIRECTORY [groups]     a group of 64 x 256 bytes with its sync,
//       against a bare loop of pwrite and fdatasync over the same bytes on disk; interleaved
//   bench_consensus_log recover DIRECTORY [mebibytes] time of PaxosLog::open
//   bench_consensus_log simulate - [frames]           a small frame with its sync, and an open, on
//       the simulated disk: what simulations pay
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "consensus/log/paxos_log.h"
#include "storage/sim_file.h"
#include "tests/support/bench_disk.h"
#include "tests/support/marks.h"

namespace synod::consensus {
namespace {

constexpr std::size_t kGroup = 64;
constexpr std::size_t kCommandBytes = 256;
constexpr std::size_t kGroupsInARound = 50;
constexpr std::size_t kAppendRounds = 15;
constexpr std::size_t kRecoverMebibytes = 1024;

using Clock = std::chrono::steady_clock;
using tests::BareFile;
using tests::check;
using tests::die;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

PaxosLog::Opened open_log(storage::FileSystem& files, const std::string& directory,
                          const storage::LogOptions& options = {}) {
  auto store = SuperblockStore::open(files, directory, {ReplicaId(1), {}, {}}, base::Random(1));
  check(store.status(), "superblock");
  if ((*store)->current().formation == DiskState::kBlank) {
    Chain chain;
    chain.configurations.resize(1);
    chain.configurations[0].id = ConfigId(1);
    chain.configurations[0].first = Slot(1);
    check((*store)->form(ClusterId(1), chain), "form");
  }
  auto opened =
      PaxosLog::open(files, directory, std::move(*store), options, base::Random(2), kNoSlot);
  check(opened.status(), "open");
  return std::move(*opened);
}

/// Groups of entries, made before the clock runs.
Persist make_group(std::uint64_t first, std::size_t entries, std::size_t bytes) {
  const Ballot ballot{ConfigId(1), Round(1), ReplicaId(1)};
  Persist persist;
  persist.promised = ballot;
  persist.commit_hint = Slot(first - 1);
  base::Random random(first);
  for (std::size_t i = 0; i < entries; ++i) {
    base::Bytes command(bytes, '\0');
    for (std::size_t at = 0; at + 8 <= bytes; at += 8)
      base::store_le64(&command[at], random.next());
    persist.records.push_back({Slot(first + i), ballot,
                               make_entry(ballot, EntryKind::kCommand, std::move(command)), false});
  }
  return persist;
}

void bench_append(const std::string& directory, std::size_t rounds) {
  const auto files = storage::make_posix_file_system();
  const auto opened = open_log(*files, directory);
  check(opened.log->prepare_segment(), "prepare");
  const std::size_t logged = kGroup * kCommandBytes;
  // What a frame of this shape takes on disk: 64 x (256 + 9) and about 200 bytes, in whole blocks.
  const std::size_t disk = 20480;
  BareFile bare(directory + "/bare", (rounds + 1) * kGroupsInARound * disk);
  const base::Bytes block(disk, 'x');
  std::vector<double> ratios;
  std::vector<double> ours;
  for (std::size_t round = 0; round <= rounds; ++round) {
    if (opened.log->needs_segment()) check(opened.log->prepare_segment(), "prepare");
    std::vector<Persist> groups;
    for (std::size_t i = 0; i < kGroupsInARound; ++i) {
      groups.push_back(
          make_group(1 + (round * kGroupsInARound + i) * kGroup, kGroup, kCommandBytes));
    }
    double mine = 0;
    double theirs = 0;
    for (const Persist& group : groups) {
      auto start = Clock::now();
      check(opened.log->append(group), "append");
      check(opened.log->sync(), "sync");
      mine += seconds_since(start);
      start = Clock::now();
      bare.write_synced(block);
      theirs += seconds_since(start);
    }
    if (round == 0) continue;  // Warm-up.
    ratios.push_back(theirs / mine);
    ours.push_back(mine / kGroupsInARound * 1e6);
  }
  std::sort(ours.begin(), ours.end());
  std::printf("append+sync of 64 x 256 bytes: median %.0f us\n", ours[ours.size() / 2]);
  tests::print_mark("Paxos log, 64 x 256 bytes with their sync, against pwrite + fdatasync",
                    ">=0.9", ratios);
  tests::print_mark("Paxos log, bytes written for each byte logged", "<=1.3",
                    {static_cast<double>(disk) / static_cast<double>(logged)});
}

void bench_recover(const std::string& directory, std::size_t mebibytes) {
  const auto files = storage::make_posix_file_system();
  {
    const auto opened = open_log(*files, directory);
    const std::size_t frames = mebibytes;
    const std::size_t entries = (1 << 20) / kCommandBytes;
    for (std::size_t i = 0; i < frames; ++i) {
      if (opened.log->needs_segment()) check(opened.log->prepare_segment(), "prepare");
      const Persist group = make_group(1 + i * entries, entries, kCommandBytes);
      check(opened.log->append(group), "append");
      check(opened.log->sync(), "sync");
    }
  }
  std::vector<double> times;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    const auto opened = open_log(*files, directory);
    times.push_back(seconds_since(start));
    if (opened.state.slots.size() != mebibytes * ((1 << 20) / kCommandBytes)) {
      die("recover", "slots are missing");
    }
  }
  std::printf("%zu MiB in entries of %zu bytes\n", mebibytes, kCommandBytes);
  if (mebibytes == kRecoverMebibytes) {
    tests::print_mark("Paxos log, seconds to recover 1 GiB", "<=3", times);
  }
}

void bench_simulate(std::size_t frames) {
  storage::SimFileSystem files{base::Random(1)};
  const storage::LogOptions options{.segment_bytes = 256 << 10, .frame_bytes_max = 1 << 20};
  constexpr std::size_t kFramesKept = 100;
  std::vector<Persist> groups;
  for (std::size_t i = 0; i < frames; ++i) groups.push_back(make_group(1 + i, 1, 64));
  std::vector<double> opens;
  for (std::size_t at = 0; at < frames;) {
    const auto start = Clock::now();
    const auto opened = open_log(files, "/replica" + std::to_string(at), options);
    opens.push_back(seconds_since(start) * 1e6);
    const auto appends = Clock::now();
    std::size_t done = 0;
    for (; done < 2000 && at < frames; ++done, ++at) {
      check(opened.log->append(groups[at]), "append");
      check(opened.log->sync(), "sync");
      if (done % kFramesKept == kFramesKept - 1) check(opened.log->cut(Slot(at - 50)), "cut");
    }
    std::printf("%.2f us per frame, ", seconds_since(appends) / static_cast<double>(done) * 1e6);
    std::printf("%.0f us for an open of an empty directory\n", opens.back());
  }
}

/// Both, in a directory of its own beside where it is called: on a disk, not in memory.
void bench_marks() {
  const tests::BenchDirectory directory;
  bench_append(directory.path() + "/append", kAppendRounds);
  bench_recover(directory.path() + "/recover", kRecoverMebibytes);
}

}  // namespace
}  // namespace synod::consensus

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[1] : "";
  const std::size_t number = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  if (argc == 1) {
    synod::consensus::bench_marks();
  } else if (what == "append") {
    synod::consensus::bench_append(argv[2], number == 0 ? synod::consensus::kAppendRounds : number);
  } else if (what == "recover") {
    synod::consensus::bench_recover(argv[2],
                                    number == 0 ? synod::consensus::kRecoverMebibytes : number);
  } else if (what == "simulate") {
    synod::consensus::bench_simulate(number == 0 ? 10000 : number);
  } else {
    std::fprintf(stderr, "bench_consensus_log append|recover|simulate DIRECTORY [number]\n");
    return 2;
  }
  return 0;
}
