// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/logging.h"
#include "tests/sim/life.h"

namespace synod::sim {
namespace {

LifeResult live(std::uint64_t seed) {
  // What a simulated disk does to a log is no news.
  base::configure_logging({base::LogLevel::kError, false, ""});
  return Life(seed, Wishes()).live();
}

TEST(Life, TheSameSeedGivesTheSameTrace) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(live(seed).trace_hash, live(seed).trace_hash) << "seed " << seed;
  }
}

TEST(Life, DifferentSeedsGiveDifferentTraces) { EXPECT_NE(live(1).trace_hash, live(2).trace_hash); }

/// A fault that never happens proves nothing.
TEST(Life, EveryFaultAndWhatItIsForHappens) {
  Tally total;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const LifeResult result = live(seed);
    EXPECT_EQ(result.failure, "") << "./dev sim --seed " << seed;
    total.add_all(result.tally);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(Count::kEnd); ++i) {
    const auto count = static_cast<Count>(i);
    // Too rare for so few lives; `./dev sim --seeds 2000` shows them.
    const bool is_rare = count == Count::kMemoriesLost || count == Count::kUnknownTails ||
                         count == Count::kOvertaken || count == Count::kFenced;
    if (is_rare) continue;
    EXPECT_GT(total[count], 0U) << count_name(count);
  }
}

}  // namespace
}  // namespace synod::sim
