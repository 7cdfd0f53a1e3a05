// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/proposals.h"

#include <gtest/gtest.h>

#include <vector>

namespace synod::consensus {
namespace {

const Ballot kOlder{ConfigId(1), Round(1), ReplicaId(1)};
const Ballot kNewer{ConfigId(1), Round(2), ReplicaId(2)};

class ProposalsTest : public ::testing::Test {
 protected:
  Proposals::Done note() {
    return [this](CommandOutcome outcome) { outcomes_.push_back(std::move(outcome)); };
  }
  static Delivery delivery(std::uint64_t slot, const Ballot& origin, bool is_fenced = false) {
    return Delivery{Slot(slot), make_entry(origin, EntryKind::kCommand, "x"), is_fenced};
  }

  Proposals proposals_;
  std::vector<CommandOutcome> outcomes_;
};

TEST_F(ProposalsTest, AnAppliedCommandGetsItsResult) {
  proposals_.add(Slot(4), kOlder, note());
  proposals_.on_decided(delivery(4, kOlder));
  EXPECT_TRUE(outcomes_.empty()) << "decided is not applied";
  proposals_.on_applied(Slot(4), "result");
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0].kind, CommandOutcome::Kind::kApplied);
  EXPECT_EQ(outcomes_[0].slot, Slot(4));
  EXPECT_EQ(outcomes_[0].result, "result");
}

TEST_F(ProposalsTest, WhoLosesItsSlotIsNotExecuted) {
  proposals_.add(Slot(4), kOlder, note());
  proposals_.add(Slot(4), kNewer, note());
  proposals_.on_decided(delivery(4, kNewer));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0].kind, CommandOutcome::Kind::kNotExecuted);
  EXPECT_EQ(outcomes_[0].reason, CommandOutcome::Reason::kOvertaken);
  proposals_.on_applied(Slot(4), "");
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_EQ(outcomes_[1].kind, CommandOutcome::Kind::kApplied);
}

TEST_F(ProposalsTest, AFencedCommandIsNotExecuted) {
  proposals_.add(Slot(4), kOlder, note());
  proposals_.on_decided(delivery(4, kOlder, true));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0].kind, CommandOutcome::Kind::kNotExecuted);
  EXPECT_EQ(outcomes_[0].reason, CommandOutcome::Reason::kFenced);
}

TEST_F(ProposalsTest, ADeposedLeaderStillTellsWhatIsDecidedInTime) {
  proposals_.add(Slot(4), kOlder, note());
  proposals_.add(Slot(5), kOlder, note());
  proposals_.on_deposed(kNewer, base::Millis(100));
  proposals_.on_tick(base::Millis(99));
  proposals_.on_applied(Slot(4), "late");
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0].kind, CommandOutcome::Kind::kApplied);
  proposals_.on_tick(base::Millis(100));
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_EQ(outcomes_[1].kind, CommandOutcome::Kind::kUnknown);
  EXPECT_EQ(proposals_.size(), 0U);
}

TEST_F(ProposalsTest, WhatASnapshotContainsIsUnknown) {
  proposals_.add(Slot(4), kOlder, note());
  proposals_.add(Slot(9), kOlder, note());
  proposals_.on_skipped(Slot(8));
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0].kind, CommandOutcome::Kind::kUnknown);
}

}  // namespace
}  // namespace synod::consensus
