// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/core/twins.h"

namespace synod::core {
namespace {

/// A million over the seeds; a tenth of it where sanitizers slow everything down. SYNOD_TEST_OPS
/// overrides the length for soaks.
std::uint64_t operations() {
  const char* text = std::getenv("SYNOD_TEST_OPS");
  if (text != nullptr) return std::strtoull(text, nullptr, 10);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 25'000;
#else
  return 250'000;
#endif
}

class Twin : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Twin, AnswersAlikeWhateverItsLife) {
  Twins twins(GetParam());
  const auto difference = twins.run(operations());
  EXPECT_FALSE(difference.has_value()) << *difference;
  // A stream that reaches no rule proves nothing.
  EXPECT_GT(twins.seen(OutcomeCode::kOk), operations() / 4);
  EXPECT_GT(twins.seen(OutcomeCode::kConflict), operations() / 50);
  EXPECT_GT(twins.seen(OutcomeCode::kInvalidOperation), operations() / 1'000);
  EXPECT_GT(twins.seen(OutcomeCode::kOutcomeForgotten), operations() / 10'000);
  EXPECT_GT(twins.crashes(), operations() / 5'000);
  const MemoryStatus& work = twins.memory_work();
  EXPECT_GT(work.values_dropped, operations() / 10);
  EXPECT_GT(work.values_warmed, operations() / 5'000);
  EXPECT_GT(work.cold_reads, operations() / 50);
  EXPECT_GT(work.apply_fetches, operations() / 500);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Twin, testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace synod::core
