// SPDX-License-Identifier: Apache-2.0
// Every byte, every length, and the histories by which lost frames have misled others.
#include <gtest/gtest.h>

#include <functional>

#include "tests/consensus_log/fixture.h"

namespace synod::consensus {
namespace {

using storage::OpenMode;
using storage::SimFileSystem;

const Ballot b1 = ballot_of(1);
const Ballot b2 = ballot_of(2);
const Ballot b3 = ballot_of(3);
const Ballot b9 = ballot_of(9);

/// Two segments: entries, an overwrite, a promise, restamps, and entries behind.
Truth write_history(SimFileSystem& files) {
  Truth truth;
  const TestLog log = open_log(files);
  const auto write = [&](Persist persist, bool is_new_ballot = false) {
    persist.is_new_ballot = is_new_ballot;
    EXPECT_TRUE(log.write(persist).ok());
    truth.add(persist);
  };
  write(persist_of(b1, entries_at(1, 6, b1)), true);
  write(persist_of(b1, entries_at(7, 12, b1), 4));
  write(persist_of(b2, {}, 4), true);
  write(persist_of(b2, entries_at(8, 10, b2), 4));
  std::vector<SlotRecord> restamps;
  for (std::uint64_t slot = 8; slot <= 10; ++slot) restamps.push_back(restamp_at(slot, b3, b2));
  write(persist_of(b3, restamps, 5), true);
  write(persist_of(b3, entries_at(11, 13, b3), 6));
  write(persist_of(b3, entries_at(14, 14, b3), 7));
  return truth;
}

/// What a leader's stream brings: everything again, in a higher ballot.
Persist accept_again(const Truth& truth) {
  Persist persist = persist_of(b9, {}, truth.committed);
  persist.is_new_ballot = true;
  persist.ends_unknown_tail = true;
  for (const auto& [slot, record] : truth.slots) {
    persist.records.push_back({record.slot, b9, record.entry, false});
  }
  return persist;
}

/// Damaged or not, the log says nothing wrong, also at a second open; and when everything was
/// accepted again nothing is unknown any more.
void expect_honest(SimFileSystem& files, Truth truth, const std::string& what,
                   bool is_thorough = true) {
  {
    const TestLog log = open_log(files, {.seed = 2});
    ASSERT_TRUE(log.status.ok()) << what << log.status.to_string();
    ASSERT_EQ(contradiction(log.state, truth), "") << what;
    ASSERT_TRUE(log.damages.empty() ? is_whole(log.state) : true) << what;
  }
  if (!is_thorough) return;
  {
    const TestLog log = open_log(files, {.seed = 3});
    ASSERT_TRUE(log.status.ok()) << what << log.status.to_string();
    ASSERT_EQ(contradiction(log.state, truth), "") << what << " at the second open";
    const Persist again = accept_again(truth);
    ASSERT_TRUE(log.write(again).ok()) << what;
    truth.add(again);
  }
  const TestLog log = open_log(files, {.seed = 4});
  ASSERT_TRUE(log.status.ok()) << what << log.status.to_string();
  ASSERT_EQ(contradiction(log.state, truth), "") << what << " at the third open";
  ASSERT_TRUE(is_whole(log.state)) << what << ": still unknown";
}

TEST(LogDamages, EveryFlippedByteIsKnownRightOrUnknown) {
  std::uint64_t flips = 0;
  for (const std::uint64_t segment : {1U, 2U}) {
    for (std::uint64_t offset = 0; offset < 32U << 10;
         offset += offset % 4096 < 1100 ? 1 : 53, ++flips) {
      SimFileSystem files{base::Random(1)};
      const Truth truth = write_history(files);
      files.corrupt(segment_path(segment), offset, static_cast<char>(1 << offset % 8));
      expect_honest(files, truth,
                    base::Bytes("segment ") + std::to_string(segment) + " flip " +
                        std::to_string(offset) + ": ",
                    offset % 7 == 0);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(flips, 14000U);
}

TEST(LogDamages, TheLastFrameCutAtAnyLengthIsThereOrDroppedWhole) {
  // A write that was not synced: what the power cut leaves is a prefix of its sectors.
  for (std::uint64_t length = 0; length <= 8192; ++length) {
    SimFileSystem files{base::Random(1)};
    Truth truth;
    Truth longer;
    {
      const TestLog log = open_log(files);
      truth.add(persist_of(b1, entries_at(1, 4, b1), 2));
      ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 4, b1), 2)).ok());
      const Persist last = persist_of(b1, entries_at(5, 20, b1), 3);
      longer = truth;
      longer.add(last);
      ASSERT_TRUE(log.write(last).ok());
    }
    const std::uint64_t offset = frame_offsets(files, segment_path(1)).at(1);
    auto file = files.open(segment_path(1), OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->truncate(offset + length).ok());
    for (std::uint64_t open = 0; open < (length % 16 == 3 ? 2U : 1U); ++open) {
      const TestLog log = open_log(files, {.seed = 2 + open});
      ASSERT_TRUE(log.status.ok());
      ASSERT_TRUE(log.damages.empty()) << length;
      ASSERT_TRUE(is_whole(log.state)) << length;
      const bool is_whole_frame = log.state.slots.size() == 20;
      ASSERT_EQ(contradiction(log.state, is_whole_frame ? longer : truth), "") << length;
      ASSERT_TRUE(is_whole_frame || log.state.slots.size() == 4) << length;
    }
  }
}

/// One damage: a segment, and what happens to it.
using Fault = std::function<void(SimFileSystem&)>;

std::vector<Fault> all_faults() {
  std::vector<Fault> faults;
  for (std::uint64_t segment = 1; segment <= 2; ++segment) {
    const std::string path = segment_path(segment);
    for (std::size_t frame = 0; frame < (segment == 1 ? 5U : 2U); ++frame) {
      faults.push_back([path, frame](SimFileSystem& files) {
        const auto at = storage::kFramesOffset + frame * 4096;
        files.corrupt(path, at + 8, 1);
      });
      faults.push_back([path, frame](SimFileSystem& files) {
        const auto at = storage::kFramesOffset + frame * 4096;
        files.corrupt(path, at + 60, 1);
      });
      faults.push_back([path, frame](SimFileSystem& files) {
        const auto at = storage::kFramesOffset + frame * 4096;
        files.corrupt(path, at + 250, 1);
      });
    }
    faults.push_back([path](SimFileSystem& files) {
      files.corrupt(path, 20, 1);
      files.corrupt(path, 4096 + 20, 1);
    });
    faults.push_back(
        [path](SimFileSystem& files) { files.corrupt(path, (32 << 10) - 4096 + 4, 1); });
    faults.push_back([path](SimFileSystem& files) { files.set_unreadable(path, 8192, 20480); });
  }
  return faults;
}

TEST(LogDamages, TwoFaultsAtOnceDoNotMislead) {
  {
    SimFileSystem files{base::Random(1)};
    write_history(files);
    ASSERT_EQ(frame_offsets(files, segment_path(1)).size(), 5U) << "one block for each frame";
    ASSERT_EQ(frame_offsets(files, segment_path(2)).size(), 2U);
  }
  const std::vector<Fault> faults = all_faults();
  for (std::size_t first = 0; first < faults.size(); ++first) {
    for (std::size_t second = 0; second < faults.size(); ++second) {
      if (first == second) continue;
      SimFileSystem files{base::Random(1)};
      const Truth truth = write_history(files);
      faults[first](files);
      faults[second](files);
      expect_honest(files, truth, std::to_string(first) + " and " + std::to_string(second) + ": ");
      ASSERT_FALSE(HasFatalFailure());
    }
  }
}

TEST(LogDamages, AFaultBetweenTwoProcessesAddsToTheFirst) {
  const std::vector<Fault> faults = all_faults();
  for (std::size_t first = 0; first < faults.size(); ++first) {
    for (std::size_t second = 0; second < faults.size(); second += 3) {
      SimFileSystem files{base::Random(1)};
      Truth truth = write_history(files);
      faults[first](files);
      {
        const TestLog log = open_log(files, {.seed = 9});
        ASSERT_TRUE(log.status.ok());
        const std::uint64_t next = log.state.base.value() + log.state.slots.size() + 1;
        Persist persist = persist_of(ballot_of(4), {}, 4);
        if (next > 14) persist.records = entries_at(next, next, ballot_of(4));
        ASSERT_TRUE(log.write(persist).ok());
        truth.add(persist);
      }
      files.restart();
      if (first != second) faults[second](files);
      expect_honest(files, truth, std::to_string(first) + " then " + std::to_string(second) + ": ");
      ASSERT_FALSE(HasFatalFailure());
    }
  }
}

TEST(LogDamages, LostFilesDoNotMislead) {
  for (int lost = 0; lost < 4; ++lost) {
    SimFileSystem files{base::Random(1)};
    const Truth truth = write_history(files);
    { ASSERT_TRUE(open_log(files, {.seed = 8}).status.ok()); }  // A third segment.
    for (std::uint64_t segment = 1; segment <= 3; ++segment) {
      const bool goes = lost == 3 || segment == static_cast<std::uint64_t>(lost) + 1;
      if (goes) {
        ASSERT_TRUE(files.remove(segment_path(segment)).ok());
      }
    }
    ASSERT_TRUE(files.sync_directory(SuperblockStore::log_directory(kDirectory)).ok());
    {
      const TestLog log = open_log(files, {.seed = 5});
      EXPECT_FALSE(log.damages.empty());
      EXPECT_TRUE(log.state.unknown_tail);
    }
    expect_honest(files, truth, "without file " + std::to_string(lost) + ": ");
  }
}

TEST(LogDamages, AnUnknownTailLastsUntilADurableMarkEndsIt) {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 4, b1), 2)).ok());
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(5, 6, b1), 4)).ok());
  }
  rot_head(files, segment_path(1), 1);
  {
    const TestLog log = open_log(files, {.seed = 2});
    EXPECT_EQ(log.state.unknown_tail, b1);
    ASSERT_TRUE(log.write(persist_of(b2, entries_at(3, 9, b2), 2)).ok());
  }
  {
    const TestLog log = open_log(files, {.seed = 3});
    EXPECT_EQ(log.state.unknown_tail, b2) << "good records make slots known, not the tail";
    EXPECT_EQ(log.state.slots.size(), 9U);
    EXPECT_TRUE(find(log.state, 3)->entry.has_value());
    Persist mark = persist_of(b2, {}, 4);
    mark.ends_unknown_tail = true;
    ASSERT_TRUE(log.log->append(mark).ok());  // Not synced: it does not count.
    files.crash(storage::CrashPolicy::kLost);
    files.restart();
  }
  {
    const TestLog log = open_log(files, {.seed = 4});
    EXPECT_EQ(log.state.unknown_tail, b2);
    Persist mark = persist_of(b2, {}, 4);
    mark.ends_unknown_tail = true;
    ASSERT_TRUE(log.write(mark).ok());
  }
  for (std::uint64_t open = 0; open < 3; ++open) {
    const TestLog log = open_log(files, {.seed = 5 + open});
    EXPECT_FALSE(log.state.unknown_tail);
    EXPECT_TRUE(is_whole(log.state));
    EXPECT_EQ(log.state.slots.size(), 9U);
    EXPECT_FALSE(log.damages.empty()) << "people still hear of it";
  }
}

TEST(LogDamages, ACutKeepsDamageThatStillMatters) {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 4, b1), 2)).ok());
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(5, 30, b1), 4)).ok());
  }
  rot_head(files, segment_path(1), 1);
  const auto write_up_to = [](const TestLog& log, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t slot = first; slot <= last; ++slot) {
      ASSERT_TRUE(log.write(persist_of(b2, entries_at(slot, slot, b2), slot - 1)).ok());
    }
  };
  {
    const TestLog log = open_log(files, {.seed = 2});
    write_up_to(log, 3, 20);
    ASSERT_TRUE(log.log->cut(Slot(10)).ok());
    EXPECT_TRUE(files.exists(segment_path(1))) << "what is lost there may be above the cut";
  }
  {
    const TestLog log = open_log(files, {.seed = 3, .applied = 10});
    EXPECT_TRUE(log.state.unknown_tail);
    Persist mark = persist_of(b2, {}, 10);
    mark.ends_unknown_tail = true;
    ASSERT_TRUE(log.write(mark).ok());
    write_up_to(log, 21, 25);
    ASSERT_TRUE(log.log->cut(Slot(19)).ok());
    EXPECT_TRUE(files.exists(segment_path(1))) << "it may still have held slot 20";
    ASSERT_TRUE(log.log->cut(Slot(20)).ok());
    EXPECT_FALSE(files.exists(segment_path(1)));
  }
  const TestLog log = open_log(files, {.seed = 4, .applied = 20});
  EXPECT_FALSE(log.state.unknown_tail);
  EXPECT_TRUE(is_whole(log.state));
  EXPECT_EQ(log.state.slots.size(), 5U);
}

/// Frames that rot after the mark was written are none of those it speaks of.
TEST(LogDamages, AMarkDoesNotSpeakOfFramesThatRotLater) {
  SimFileSystem files{base::Random(1)};
  Truth truth;
  {
    const TestLog log = open_log(files);
    for (const Persist& persist :
         {persist_of(b1, entries_at(1, 6, b1), 2), persist_of(b2, entries_at(4, 8, b2), 3),
          persist_of(b2, entries_at(9, 9, b2), 8), persist_of(b2, entries_at(10, 10, b2), 8)}) {
      ASSERT_TRUE(log.write(persist).ok());
      truth.add(persist);
    }
  }
  rot_head(files, segment_path(1), 3);
  {
    const TestLog log = open_log(files, {.seed = 2});
    EXPECT_TRUE(log.state.unknown_tail);
    Persist again = persist_of(b3, entries_at(9, 10, b3), 8);
    again.ends_unknown_tail = true;
    ASSERT_TRUE(log.write(again).ok());
    truth.add(again);
  }
  { EXPECT_TRUE(is_whole(open_log(files, {.seed = 3}).state)); }
  rot_head(files, segment_path(1), 1);  // Slots 4..8 in b2; those of b1 must not come back.
  {
    const TestLog log = open_log(files, {.seed = 4});
    EXPECT_EQ(contradiction(log.state, truth), "");
    EXPECT_EQ(text_of(find(log.state, 5)), "?");
    EXPECT_FALSE(log.state.unknown_tail) << "the copy in the next frame says what was lost";
  }
  files.corrupt(segment_path(1), 20, 1);  // And now the whole segment.
  files.corrupt(segment_path(1), 4096 + 20, 1);
  const TestLog log = open_log(files, {.seed = 5});
  EXPECT_EQ(contradiction(log.state, truth), "");
  EXPECT_TRUE(log.state.unknown_tail);
}

/// A log whose numbers have jumped over lost frames loses its files as well.
TEST(LogDamages, ALogThatLosesItsEndAfterAJumpIsStillUnknown) {
  for (int lost = 0; lost < 4; ++lost) {
    SimFileSystem files{base::Random(1)};
    Truth truth;
    { ASSERT_TRUE(open_log(files).write(persist_of(b1, entries_at(1, 4, b1), 4)).ok()); }
    { ASSERT_TRUE(open_log(files, {.seed = 2}).status.ok()); }
    ASSERT_TRUE(files.remove(segment_path(2)).ok());
    {
      const TestLog log = open_log(files, {.seed = 3});
      ASSERT_TRUE(log.state.unknown_tail);
      Persist again = persist_of(b2, entries_at(1, 6, b2), 4);
      again.ends_unknown_tail = true;
      ASSERT_TRUE(log.write(again).ok());
      ASSERT_TRUE(log.log->cut(Slot(6)).ok());
      EXPECT_GT(log.log->superblock().log_begin.value(), storage::kLostFrames);
      const Persist more = persist_of(b2, entries_at(7, 9, b2), 6);
      ASSERT_TRUE(log.write(more).ok());
      truth.add(more);
    }
    const auto names = files.list(SuperblockStore::log_directory(kDirectory));
    for (const std::string& name : *names) {
      const std::string path = SuperblockStore::log_directory(kDirectory) + "/" + name;
      if (lost == 1) {
        files.corrupt(path, 20, 1);
        files.corrupt(path, 4096 + 20, 1);
      } else if (lost == 2 || (lost == 3 && name == names->back())) {
        ASSERT_TRUE(files.remove(path).ok());
      }
    }
    for (std::uint64_t open = 0; open < 3; ++open) {
      const TestLog log = open_log(files, {.seed = 4 + open, .applied = 6});
      ASSERT_TRUE(log.status.ok()) << log.status.to_string();
      EXPECT_EQ(contradiction(log.state, truth), "") << lost << " open " << open;
      EXPECT_EQ(log.state.unknown_tail.has_value(), lost != 0) << lost << " open " << open;
      if (open > 0) continue;
      ASSERT_TRUE(log.write(persist_of(ballot_of(4), {}, 6)).ok());
    }
  }
}

TEST(LogDamages, SlotsTheStateContainsAreNeverUnknown) {
  SimFileSystem files{base::Random(1)};
  Truth truth = write_history(files);
  rot_body(files, segment_path(1), 1);  // Slots 7..12; 8..10 were written again behind it.
  {
    const TestLog log = open_log(files, {.seed = 2});
    EXPECT_EQ(text_of(find(log.state, 7)), "?");
    EXPECT_EQ(log.state.base, kNoSlot);
  }
  {
    const TestLog log = open_log(files, {.seed = 3, .applied = 6});
    EXPECT_EQ(log.state.base, kNoSlot) << "nothing up to 6 is missing: it serves laggards";
  }
  const TestLog log = open_log(files, {.seed = 4, .applied = 9});
  EXPECT_EQ(log.state.base, Slot(9));
  EXPECT_EQ(log.state.slots.front().slot, Slot(10));
  EXPECT_EQ(contradiction(log.state, truth), "");
  const TestLog beyond = open_log(files, {.seed = 5, .applied = 40});
  EXPECT_EQ(beyond.state.base, Slot(40));
  EXPECT_TRUE(beyond.state.slots.empty());
}

TEST(LogDamages, ARestampOfTheValueThatSurvivedMakesItKnownAgain) {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 4, b1))).ok());
    ASSERT_TRUE(log.write(persist_of(b2, {restamp_at(4, b2, b1)})).ok());
    ASSERT_TRUE(log.write(persist_of(b3, {restamp_at(4, b3, b1)})).ok());
  }
  rot_body(files, segment_path(1), 1);
  const TestLog log = open_log(files, {.seed = 2});
  ASSERT_TRUE(find(log.state, 4)->entry);
  EXPECT_EQ(find(log.state, 4)->ballot, b3);
}

TEST(LogDamages, LossesOfAnEndedConfigurationAreVoid) {
  SimFileSystem files{base::Random(1)};
  {
    const TestLog log = open_log(files);
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(1, 4, b1), 4)).ok());
    ASSERT_TRUE(log.write(persist_of(b1, entries_at(5, 8, b1), 4)).ok());
    Persist enter = persist_of(ballot_of(0, 2), {}, 4);
    enter.chain = chain_of({5});
    ASSERT_TRUE(log.write(enter).ok());
  }
  rot_body(files, segment_path(1), 1);
  const TestLog log = open_log(files, {.seed = 2});
  EXPECT_EQ(log.state.slots.size(), 4U);
  EXPECT_TRUE(is_whole(log.state));
}

}  // namespace
}  // namespace synod::consensus
