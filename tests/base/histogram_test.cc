// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"

namespace synod::base {
namespace {

std::uint64_t exact_percentile(const std::vector<std::uint64_t>& sorted, double fraction) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

TEST(Histogram, IsEmptyAtFirst) {
  const auto histogram = std::make_unique<Histogram>();
  EXPECT_EQ(histogram->count(), 0U);
  EXPECT_EQ(histogram->percentile(0.5), 0U);
  EXPECT_EQ(histogram->mean(), 0.0);
  EXPECT_EQ(histogram->max(), 0U);
}

TEST(Histogram, PercentilesAreAtMostOneThirtySecondAboveTheTruth) {
  Random random(1);
  for (const unsigned shift : {60U, 50U, 32U, 10U, 0U}) {
    const auto histogram = std::make_unique<Histogram>();
    std::vector<std::uint64_t> samples;
    for (int i = 0; i < 5000; ++i) {
      samples.push_back((random.next() >> shift) >> random.below(64 - shift));
      histogram->record(samples.back());
    }
    std::sort(samples.begin(), samples.end());
    for (const double fraction : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const std::uint64_t truth = exact_percentile(samples, fraction);
      const std::uint64_t reported = histogram->percentile(fraction);
      ASSERT_GE(reported, truth);
      ASSERT_LE(reported - truth, truth / 32);
    }
    EXPECT_EQ(histogram->max(), samples.back());
    EXPECT_EQ(histogram->count(), samples.size());
  }
}

TEST(Histogram, SmallValuesAreExact) {
  const auto histogram = std::make_unique<Histogram>();
  for (std::uint64_t value = 0; value < 32; ++value) histogram->record(value);
  for (std::uint64_t value = 0; value < 32; ++value) {
    EXPECT_EQ(histogram->percentile((static_cast<double>(value) + 1) / 32), value);
  }
  EXPECT_DOUBLE_EQ(histogram->mean(), 15.5);
}

TEST(Histogram, TakesTheLargestValue) {
  const auto histogram = std::make_unique<Histogram>();
  histogram->record(UINT64_MAX);
  EXPECT_EQ(histogram->percentile(1.0), UINT64_MAX);
}

TEST(Histogram, FractionsOutsideTheUnitIntervalAreClamped) {
  const auto histogram = std::make_unique<Histogram>();
  histogram->record(3);
  histogram->record(9);
  EXPECT_EQ(histogram->percentile(-1), 3U);
  EXPECT_EQ(histogram->percentile(2), 9U);
}

TEST(Histogram, MergeEqualsRecordingEverythingInOne) {
  Random random(2);
  const auto all = std::make_unique<Histogram>();
  const auto left = std::make_unique<Histogram>();
  const auto right = std::make_unique<Histogram>();
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t value = random.next() >> (20 + random.below(44));
    all->record(value);
    (i % 2 == 0 ? left : right)->record(value);
  }
  left->merge(*right);
  EXPECT_EQ(left->count(), all->count());
  EXPECT_EQ(left->max(), all->max());
  EXPECT_DOUBLE_EQ(left->mean(), all->mean());
  for (const double fraction : {0.1, 0.5, 0.99}) {
    EXPECT_EQ(left->percentile(fraction), all->percentile(fraction));
  }
}

TEST(Histogram, ConcurrentWritersAndMergesLoseNothing) {
  const auto histogram = std::make_unique<Histogram>();
  const auto other = std::make_unique<Histogram>();
  other->record(5);
  constexpr std::uint64_t kEach = 20'000;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&histogram, t] {
      for (std::uint64_t i = 1; i <= kEach; ++i) histogram->record(i * 4 + t);
    });
  }
  threads.emplace_back([&histogram, &other] {
    for (int i = 0; i < 50; ++i) histogram->merge(*other);
  });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(histogram->count(), 4 * kEach + 50);
  EXPECT_EQ(histogram->max(), kEach * 4 + 3);
}

}  // namespace
}  // namespace synod::base
