// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_protocol/cluster.h"

#include <gtest/gtest.h>

namespace synod::consensus {
namespace {

// What the seeds must have exercised, or they test nothing.
TEST(Cluster, TwoThousandSeedsAgreeAndProgressAfterHealing) {
  std::size_t chosen = 0;
  std::size_t reads = 0;
  std::size_t snapshots = 0;
  std::uint64_t events = 0;
  std::uint64_t configurations = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Cluster cluster(seed, seed % 7 == 0 ? 5 : 3, 2, draw_faults(seed));
    cluster.run(1000);
    cluster.heal_and_progress();
    ASSERT_EQ(cluster.failure(), "") << "seed " << seed;
    chosen += cluster.chosen();
    reads += cluster.reads_released();
    snapshots += cluster.snapshots();
    events += cluster.events();
    configurations += cluster.newest_configuration().value() - 1;
  }
  EXPECT_GT(chosen, 10'000U);
  EXPECT_GT(reads, 2'000U);
  EXPECT_GT(snapshots, 50U);
  EXPECT_GT(events, 1'000'000U);
  EXPECT_GT(configurations, 300U);
}

TEST(Cluster, TheSameSeedGivesTheSameTrace) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster first(seed, 3, 2, draw_faults(seed));
    Cluster second(seed, 3, 2, draw_faults(seed));
    first.run(500);
    second.run(500);
    EXPECT_EQ(first.trace_hash(), second.trace_hash()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace synod::consensus
