// SPDX-License-Identifier: Apache-2.0
#include "base/strong_id.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>
#include <unordered_set>

namespace synod::base {
namespace {

using SlotId = StrongId<struct SlotIdTag, std::uint64_t>;
using NodeId = StrongId<struct NodeIdTag, std::uint64_t>;

static_assert(!std::is_convertible_v<std::uint64_t, SlotId>);
static_assert(!std::is_convertible_v<SlotId, std::uint64_t>);
static_assert(!std::is_convertible_v<SlotId, NodeId>);
static_assert(!std::is_constructible_v<SlotId, NodeId>);

TEST(StrongId, OrdersAndCountsLikeItsInteger) {
  EXPECT_LT(SlotId(1), SlotId(2));
  EXPECT_EQ(SlotId(1).next(), SlotId(2));
  EXPECT_EQ(SlotId().value(), 0U);
}

TEST(StrongId, WorksAsAHashKey) {
  const std::unordered_set<SlotId> ids{SlotId(1), SlotId(2), SlotId(1)};
  EXPECT_EQ(ids.size(), 2U);
}

}  // namespace
}  // namespace synod::base
