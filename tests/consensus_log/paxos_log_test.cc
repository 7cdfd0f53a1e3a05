// SPDX-License-Identifier: Apache-2.0
#include "consensus/log/paxos_log.h"

#include <gtest/gtest.h>

#include "tests/consensus_log/fixture.h"
#include "tests/consensus_log/scenarios.h"

namespace synod::consensus {
namespace {

using base::StatusCode;
using storage::FaultRepeat;
using storage::SimFileSystem;

const Ballot b1 = ballot_of(1);
const Ballot b2 = ballot_of(2);
const Ballot b3 = ballot_of(3);

std::uint64_t segments_of(SimFileSystem& files) {
  const auto names = files.list(SuperblockStore::log_directory(kDirectory));
  std::uint64_t count = 0;
  for (const std::string& name : *names) count += name.ends_with(".seg") ? 1 : 0;
  return count;
}

TEST(PaxosLog, AFreshLogKnowsNothingAndDoubtsNothing) {
  SimFileSystem files{base::Random(1)};
  for (std::uint64_t open = 0; open < 3; ++open) {
    const TestLog log = open_log(files, {.seed = open});
    ASSERT_TRUE(log.status.ok()) << log.status.to_string();
    EXPECT_TRUE(log.state.slots.empty());
    EXPECT_FALSE(log.state.unknown_tail);
    EXPECT_EQ(log.state.base, kNoSlot);
    EXPECT_EQ(log.state.promised, Ballot());
    EXPECT_TRUE(log.damages.empty());
  }
}

TEST(PaxosLog, WhatWasSyncedComesBack) {
  SimFileSystem files{base::Random(1)};
  Truth truth;
  const auto write = [&truth](const TestLog& log, Persist persist) {
    ASSERT_TRUE(log.write(persist).ok());
    truth.add(persist);
  };
  {
    const TestLog log = open_log(files);
    write(log, persist_of(b1, entries_at(1, 20, b1)));
    write(log, persist_of(b1, entries_at(21, 30, b1), 15));
    Persist promise = persist_of(b2, {}, 15);
    promise.is_new_ballot = true;
    write(log, promise);
    std::vector<SlotRecord> mixed;
    for (std::uint64_t slot = 16; slot <= 25; ++slot) mixed.push_back(restamp_at(slot, b2, b1));
    for (std::uint64_t slot = 26; slot <= 33; ++slot) mixed.push_back(entry_at(slot, b2));
    write(log, persist_of(b2, mixed, 20));
    EXPECT_EQ(log.log->superblock().promised, b2);
  }
  const TestLog log = open_log(files, {.seed = 2});
  ASSERT_TRUE(log.status.ok());
  EXPECT_EQ(contradiction(log.state, truth), "");
  EXPECT_TRUE(is_whole(log.state));
  EXPECT_EQ(log.state.slots.size(), 33U);
  EXPECT_EQ(log.state.promised, b2);
  EXPECT_EQ(log.state.commit_hint, Slot(20));
  EXPECT_EQ(log.state.chain.configurations.size(), 1U);
  EXPECT_EQ(log.state.superblock_version, log.log->superblock().version);
}

TEST(PaxosLog, ThePromiseIsInTheSuperblockEvenIfTheFrameIsLost) {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    Persist promise = persist_of(b2, {});
    promise.is_new_ballot = true;
    ASSERT_TRUE(log.log->append(promise).ok());
    EXPECT_EQ(log.log->superblock().promised, b2);
    ASSERT_TRUE(log.log->sync().ok());
  }
  rot_head(files, segment_path(1), 0);
  EXPECT_EQ(open_log(files, {.seed = 2}).state.promised, b2);
}

TEST(PaxosLog, OnlyPromiseAndChainCostASuperblockWrite) {
  SimFileSystem files{base::Random(1)};
  const TestLog log = open_log(files);
  Persist first = persist_of(b1, entries_at(1, 4, b1));
  first.is_new_ballot = true;
  ASSERT_TRUE(log.write(first).ok());
  const std::uint64_t version = log.log->superblock().version;
  for (std::uint64_t slot = 5; slot < 9; ++slot) {
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(slot, slot, b1), slot - 2)).ok());
  }
  EXPECT_EQ(log.log->superblock().version, version);
  Persist enter = persist_of(ballot_of(0, 2), {}, 8);
  enter.is_new_ballot = true;
  enter.chain = chain_of({9});
  ASSERT_TRUE(log.write(enter).ok());
  EXPECT_EQ(log.log->superblock().version, version + 1);
  EXPECT_EQ(log.log->superblock().chain.configurations.size(), 2U);
}

TEST(PaxosLog, ACutMovesTheBaseAndDeletesWholeSegments) {
  SimFileSystem files{base::Random(1)};
  Truth truth;
  {
    const TestLog log = open_log(files);
    for (std::uint64_t slot = 1; slot <= 400; slot += 2) {
      const Persist persist = persist_of(b1, entries_at(slot, slot + 1, b1), slot - 1);
      ASSERT_TRUE(log.write(persist).ok());
      truth.add(persist);
    }
    const std::uint64_t before = segments_of(files);
    const std::uint64_t bytes = log.log->disk_bytes();
    ASSERT_TRUE(log.log->cut(Slot(300)).ok());
    EXPECT_LT(segments_of(files), before / 2);
    EXPECT_LT(log.log->disk_bytes(), bytes / 2);
    ASSERT_TRUE(log.log->cut(Slot(200)).ok()) << "a lower cut does nothing";
    EXPECT_EQ(log.log->superblock().base, Slot(300));
  }
  EXPECT_EQ(open_log(files, {.seed = 2, .applied = 299}).status.code(), StatusCode::kCorruption);
  const TestLog log = open_log(files, {.seed = 2, .applied = 350});
  ASSERT_TRUE(log.status.ok());
  EXPECT_EQ(log.state.base, Slot(300)) << "slots up to the applied one still serve laggards";
  EXPECT_EQ(log.state.applied, Slot(350));
  EXPECT_EQ(log.state.slots.size(), 100U);
  EXPECT_EQ(log.state.promised, b1) << "also with its first frame deleted";
  EXPECT_EQ(contradiction(log.state, truth), "");
  EXPECT_TRUE(is_whole(log.state));
}

TEST(PaxosLog, ASnapshotTakesOverWithOneSuperblockWriteAndKeepsWhatIsAbove) {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 12, b1), 3)).ok());
    const std::uint64_t version = log.log->superblock().version;
    ASSERT_TRUE(log.log->set_state_directory("state.10.x", Slot(10), chain_of()).ok());
    EXPECT_EQ(log.log->superblock().version, version + 1);
  }
  const TestLog log = open_log(files, {.seed = 2, .applied = 10});
  EXPECT_EQ(log.log->superblock().state_directory, "state.10.x");
  EXPECT_EQ(log.state.base, Slot(10));
  ASSERT_EQ(log.state.slots.size(), 2U);
  EXPECT_EQ(text_of(find(log.state, 12)), *entry_at(12, b1).entry.command);
}

TEST(PaxosLog, ASnapshotFarAheadLeavesNoHole) {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 12, b1), 3)).ok());
    ASSERT_TRUE(log.log->set_state_directory("state.1000.x", Slot(1000), chain_of()).ok());
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1001, 1003, b1), 1000)).ok());
  }
  const TestLog log = open_log(files, {.seed = 2, .applied = 1000});
  EXPECT_EQ(log.state.slots.size(), 3U);
  EXPECT_TRUE(is_whole(log.state));
}

TEST(PaxosLog, ALogOfAnotherDiskIsRefused) {
  SimFileSystem files{base::Random(1)};
  { ASSERT_TRUE(open_log(files).write(persist_of(b1, entries_at(1, 2, b1))).ok()); }
  ASSERT_TRUE(files.remove(superblock_path('a')).ok());
  ASSERT_TRUE(files.remove(superblock_path('b')).ok());
  // A superblock of another incarnation is put beside this log.
  Superblock other;
  other.version = 1;
  other.replica = kSelf;
  other.incarnation = Incarnation(78);
  other.formation = DiskState::kFormed;
  other.cluster = kCluster;
  other.chain = chain_of();
  const base::Bytes body = encode_superblock_body(other);
  for (std::uint32_t file = 0; file < 2; ++file) {
    base::Bytes contents = encode_superblock_copy(1, body, 2 * file);
    contents.resize(kSuperblockCopyBytesMax, '\0');
    contents += encode_superblock_copy(1, body, 2 * file + 1);
    ASSERT_TRUE(storage::replace_file(files, kDirectory,
                                      file == 0 ? "superblock.a" : "superblock.b", contents)
                    .ok());
  }
  EXPECT_EQ(open_log(files, {.seed = 2}).status.code(), StatusCode::kCorruption);
}

TEST(PaxosLog, AFullDiskCostsNothingThatWasWritten) {
  SimFileSystem files{base::Random(1)};
  Truth truth;
  {
    const TestLog log = open_log(files);
    files.set_capacity(400 << 10);
    std::uint64_t slot = 1;
    base::Status status;
    for (; status.ok(); ++slot) {
      const Persist persist = persist_of(b1, entries_at(slot, slot, b1), slot - 1);
      status = log.write(persist);
      if (status.ok()) truth.add(persist);
    }
    EXPECT_EQ(status.code(), StatusCode::kNoSpace);
    EXPECT_GT(slot, 20U);
    files.set_capacity(UINT64_MAX);
    const Persist again = persist_of(b1, entries_at(slot - 1, slot - 1, b1), slot - 2);
    ASSERT_TRUE(log.write(again).ok()) << "the same frame goes once there is space";
    truth.add(again);
  }
  const TestLog log = open_log(files, {.seed = 2});
  EXPECT_EQ(contradiction(log.state, truth), "");
  EXPECT_TRUE(is_whole(log.state));
}

TEST(PaxosLog, AFailedSyncIsFinal) {
  SimFileSystem files{base::Random(1)};
  const TestLog log = open_log(files);
  ASSERT_TRUE(log.log->append(persist_of(b1, entries_at(1, 1, b1))).ok());
  files.set_fail_at(files.io_count() + 1, FaultRepeat::kOnce);
  EXPECT_FALSE(log.log->sync().ok());
  EXPECT_FALSE(log.log->sync().ok());
  EXPECT_FALSE(log.log->append(persist_of(b1, entries_at(2, 2, b1))).ok());
}

TEST(PaxosLog, ScrubNamesWhatRottedInAClosedSegment) {
  SimFileSystem files{base::Random(1)};
  { ASSERT_TRUE(open_log(files).write(persist_of(b1, entries_at(1, 4, b1))).ok()); }
  const TestLog log = open_log(files, {.seed = 2});
  EXPECT_TRUE(log.log->scrub()->empty());
  rot_body(files, segment_path(1), 0);
  EXPECT_EQ(log.log->scrub()->size(), 1U);
}

TEST(PaxosLog, SegmentsCanBePreparedAhead) {
  SimFileSystem files{base::Random(1)};
  const TestLog log = open_log(files);
  EXPECT_TRUE(log.log->needs_segment());
  ASSERT_TRUE(log.log->prepare_segment().ok());
  EXPECT_FALSE(log.log->needs_segment());
}

TEST(PaxosLog, HoldsTheClaimsThatThePlantsBreak) {
  EXPECT_TRUE(restamp_needs_the_value_it_means());
  EXPECT_TRUE(lost_frame_hides_older_values());
  EXPECT_TRUE(rotten_last_frame_is_not_torn());
  EXPECT_TRUE(lost_tail_is_found_again());
  EXPECT_TRUE(single_copy_never_holds());
  EXPECT_TRUE(superblock_comes_before_the_frame());
  EXPECT_TRUE(frames_keep_the_promise_too());
  EXPECT_TRUE(slots_of_an_ended_configuration_are_void());
}

}  // namespace
}  // namespace synod::consensus
