// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "consensus/runtime/log_writer.h"
#include "consensus/runtime/state_label.h"

namespace synod::consensus {
namespace {

Persist frame(std::uint64_t ticket, std::uint64_t round, std::uint64_t slot) {
  Persist persist;
  persist.ticket = Ticket(ticket);
  persist.promised = Ballot{ConfigId(1), Round(round), ReplicaId(1)};
  persist.commit_hint = Slot(slot - 1);
  persist.records.push_back(SlotRecord{
      Slot(slot), persist.promised, make_entry(persist.promised, EntryKind::kCommand, "command")});
  return persist;
}

TEST(MergeFrames, OneFrameHasTheRecordsOfBothAndTheLaterHead) {
  Persist first = frame(7, 1, 3);
  Persist second = frame(8, 2, 4);
  second.is_new_ballot = true;
  ASSERT_TRUE(merge_frames(first, second, 1000));
  EXPECT_EQ(first.ticket, Ticket(8));
  EXPECT_EQ(first.promised, second.promised);
  EXPECT_EQ(first.commit_hint, Slot(3));
  EXPECT_TRUE(first.is_new_ballot);
  ASSERT_EQ(first.records.size(), 2U);
  EXPECT_EQ(first.records[0].slot, Slot(3));
  EXPECT_EQ(first.records[1].slot, Slot(4));
}

TEST(MergeFrames, FramesThatClaimSomethingAboutThePastStandAlone) {
  Persist plain = frame(7, 1, 3);
  Persist chained = frame(8, 1, 4);
  chained.chain = Chain();
  EXPECT_FALSE(merge_frames(plain, chained, 1000));
  EXPECT_FALSE(merge_frames(chained, plain, 1000));
  Persist ending = frame(9, 1, 5);
  ending.ends_unknown_tail = true;
  EXPECT_FALSE(merge_frames(plain, ending, 1000));
}

TEST(MergeFrames, EachNewBallotIsAVersionOfTheSuperblock) {
  Persist first = frame(7, 1, 3);
  Persist second = frame(8, 2, 4);
  first.is_new_ballot = true;
  second.is_new_ballot = true;
  EXPECT_FALSE(merge_frames(first, second, 1000));
}

TEST(MergeFrames, AFrameHasALimit) {
  Persist first = frame(7, 1, 3);
  Persist second = frame(8, 1, 4);
  EXPECT_FALSE(merge_frames(first, second, first.records[0].entry.bytes()));
}

TEST(StateLabel, TheFenceIsTheGreatestBarrier) {
  StateLabel label;
  label.chain.configurations.emplace_back();
  const Ballot newer{ConfigId(1), Round(5), ReplicaId(1)};
  const Ballot older{ConfigId(1), Round(4), ReplicaId(2)};
  take_in(label, Delivery{Slot(1), make_entry(newer, EntryKind::kBarrier, ""), false});
  take_in(label, Delivery{Slot(2), make_entry(older, EntryKind::kBarrier, ""), true});
  EXPECT_EQ(label.fence, newer);
  EXPECT_EQ(label.applied, Slot(2));
}

}  // namespace
}  // namespace synod::consensus
