// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/retention.h"

#include <gtest/gtest.h>

namespace synod::consensus {
namespace {

constexpr ReplicaId kPeer(2);
constexpr ReplicaId kOther(3);

Instant at(std::int64_t seconds) { return std::chrono::seconds(seconds); }

std::optional<SnapshotManifest> image(std::uint64_t id, std::uint64_t slot) {
  SnapshotManifest manifest;
  manifest.id = SnapshotId(id);
  manifest.slot = Slot(slot);
  return manifest;
}

/// Silence after 2 s, patience for 60 s.
class RetentionTest : public ::testing::Test {
 protected:
  std::uint64_t offered(Slot base, const std::optional<SnapshotManifest>& newest) {
    const SnapshotManifest* found = retention.offer(kPeer, base, newest);
    return found == nullptr ? 0 : found->id.value();
  }

  Retention retention{RetentionOptions()};
};

TEST_F(RetentionTest, WhoFollowsHoldsWhatItLacks) {
  EXPECT_EQ(retention.needed_above(Slot(0), at(0)), kOpenEnd);
  EXPECT_FALSE(retention.on_has(kPeer, Slot(50), at(0)).has_value());
  EXPECT_FALSE(retention.on_has(kOther, Slot(40), at(0)).has_value());
  EXPECT_EQ(retention.needed_above(Slot(10), at(1)), Slot(40));
  EXPECT_EQ(retention.needed_above(Slot(45), at(1)), Slot(50)) << "the other needs an image";
  EXPECT_EQ(retention.needed_above(Slot(60), at(1)), kOpenEnd);
}

TEST_F(RetentionTest, WhoIsSilentOrGetsNoFurtherHoldsNothing) {
  (void)retention.on_has(kPeer, Slot(50), at(0));
  EXPECT_EQ(retention.needed_above(Slot(10), at(2)), kOpenEnd);
  for (int second = 0; second < 59; ++second) (void)retention.on_has(kPeer, Slot(50), at(second));
  EXPECT_EQ(retention.needed_above(Slot(10), at(59)), Slot(50));
  (void)retention.on_has(kPeer, Slot(50), at(60));
  EXPECT_EQ(retention.needed_above(Slot(10), at(60)), kOpenEnd);
  (void)retention.on_has(kPeer, Slot(51), at(61));
  EXPECT_EQ(retention.needed_above(Slot(10), at(61)), Slot(51));
}

TEST_F(RetentionTest, TheSameImageIsOfferedUntilThePeerHasIt) {
  EXPECT_EQ(offered(Slot(90), image(1, 100)), 0U) << "nobody heard of it";
  (void)retention.on_has(kPeer, Slot(5), at(0));
  EXPECT_EQ(offered(Slot(90), image(1, 100)), 1U);
  EXPECT_EQ(offered(Slot(95), image(2, 200)), 1U);
  EXPECT_EQ(retention.needed_above(Slot(95), at(0)), Slot(100));
  EXPECT_FALSE(retention.on_has(kPeer, Slot(5), at(1)).has_value());
  retention.on_done(kPeer, SnapshotId(1), true);
  EXPECT_EQ(retention.needed_above(Slot(95), at(1)), Slot(100)) << "what follows is not there yet";
  EXPECT_EQ(retention.on_has(kPeer, Slot(100), at(1)), SnapshotId(1));
  EXPECT_EQ(retention.needed_above(Slot(95), at(1)), Slot(100));
  EXPECT_FALSE(retention.on_has(kPeer, Slot(120), at(1)).has_value());
  EXPECT_EQ(retention.needed_above(Slot(95), at(1)), Slot(120));
}

TEST_F(RetentionTest, AnImageThatIsOfNoUseMakesWay) {
  (void)retention.on_has(kPeer, Slot(5), at(0));
  EXPECT_EQ(offered(Slot(90), image(1, 100)), 1U);
  EXPECT_EQ(offered(Slot(101), image(2, 200)), 2U) << "the log was cut past it";
  retention.on_done(kPeer, SnapshotId(1), false);
  EXPECT_EQ(offered(Slot(101), image(3, 300)), 2U) << "the end of another pull";
  retention.on_done(kPeer, SnapshotId(2), false);
  EXPECT_EQ(offered(Slot(101), image(3, 300)), 3U);
  retention.on_gone(SnapshotId(3));
  EXPECT_EQ(retention.needed_above(Slot(101), at(0)), kOpenEnd);
  EXPECT_EQ(offered(Slot(101), image(4, 100)), 0U) << "one that does not reach the log";
}

TEST_F(RetentionTest, WhoWasOfferedAnImageMayBeAwayForAWhile) {
  (void)retention.on_has(kPeer, Slot(5), at(0));
  EXPECT_EQ(offered(Slot(90), image(1, 100)), 1U);
  EXPECT_EQ(retention.needed_above(Slot(90), at(59)), Slot(100));
  EXPECT_EQ(retention.needed_above(Slot(90), at(60)), kOpenEnd);
  (void)retention.on_has(kPeer, Slot(5), at(61));
  EXPECT_EQ(offered(Slot(90), image(2, 200)), 2U) << "it begins anew";
}

TEST_F(RetentionTest, WhoReadsTheNewestImageHoldsWhatFollowsIt) {
  retention.on_fetch(kPeer, SnapshotId(9), image(1, 100), at(0));
  EXPECT_EQ(retention.needed_above(Slot(90), at(0)), kOpenEnd);
  retention.on_fetch(kPeer, SnapshotId(1), image(1, 100), at(0));
  EXPECT_EQ(retention.needed_above(Slot(90), at(0)), Slot(100));
  retention.on_fetch(kPeer, SnapshotId(1), image(2, 200), at(50));
  EXPECT_EQ(retention.needed_above(Slot(90), at(100)), Slot(100));
}

}  // namespace
}  // namespace synod::consensus
