// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "client/bench/key_chooser.h"
#include "client/bench/lane.h"
#include "client/bench/latency_histogram.h"

namespace synod::client {
namespace {

constexpr double kFractions[] = {0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};

/// From 1 us to 100 s, each power of two as likely as the others.
std::vector<std::uint64_t> latencies(std::uint64_t seed, std::size_t count) {
  base::Random random(seed);
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<std::uint64_t>(1'000 * std::pow(1e8, random.unit())));
  }
  return values;
}

std::uint64_t exact_quantile(const std::vector<std::uint64_t>& sorted, double fraction) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

TEST(LatencyHistogram, IsWithinOnePerCentOfTheExactQuantiles) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    auto values = latencies(seed, 50'000);
    LatencyHistogram histogram;
    for (const std::uint64_t value : values) histogram.record(value);
    std::sort(values.begin(), values.end());
    for (const double fraction : kFractions) {
      const std::uint64_t exact = exact_quantile(values, fraction);
      const std::uint64_t told = histogram.percentile(fraction);
      EXPECT_GE(told, exact) << "LH1 at " << fraction;
      EXPECT_LT(static_cast<double>(told), static_cast<double>(exact) * (1 + 1.0 / 128)) << "LH1";
    }
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(histogram.count(), values.size());
  }
}

TEST(LatencyHistogram, MergesToWhatOneWouldHaveSeen) {
  LatencyHistogram all;
  LatencyHistogram first;
  LatencyHistogram second;
  for (const std::uint64_t value : latencies(7, 10'000)) {
    all.record(value);
    (value % 3 == 0 ? first : second).record(value);
  }
  first.merge(second);
  EXPECT_EQ(first.count(), all.count());
  EXPECT_EQ(first.max(), all.max());
  EXPECT_DOUBLE_EQ(first.mean(), all.mean());
  for (const double fraction : kFractions) {
    EXPECT_EQ(first.percentile(fraction), all.percentile(fraction)) << "LH2";
  }
}

TEST(LatencyHistogram, KeepsTheMaximumBeyondItsRange) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.percentile(0.5), 0u);
  histogram.record(0);
  histogram.record(5 * LatencyHistogram::kTrackableMax);
  EXPECT_EQ(histogram.percentile(0.5), 0u);
  EXPECT_EQ(histogram.percentile(1.0), 5 * LatencyHistogram::kTrackableMax);
}

/// How far counts are from what was expected, in standard deviations of the chi-square statistic.
double chi_square_excess(const std::vector<double>& expected, const std::vector<double>& counted) {
  double sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double off = counted[i] - expected[i];
    sum += off * off / expected[i];
  }
  const auto freedom = static_cast<double>(expected.size() - 1);
  return (sum - freedom) / std::sqrt(2 * freedom);
}

TEST(Zipf, FollowsTheExactDistribution) {
  constexpr std::size_t kCount = 500;
  constexpr int kDraws = 500'000;
  for (const double theta : {0.2, 0.5, 0.99, 1.0, 1.5}) {
    std::vector<double> expected(kCount);
    double sum = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
      expected[i] = std::pow(static_cast<double>(i + 1), -theta);
      sum += expected[i];
    }
    for (double& each : expected) each *= kDraws / sum;
    const Zipf zipf(kCount, theta);
    base::Random random(11);
    std::vector<double> counted(kCount);
    for (int i = 0; i < kDraws; ++i) {
      const std::uint64_t rank = zipf.rank(random);
      ASSERT_LT(rank, kCount);
      ++counted[rank];
    }
    EXPECT_LT(chi_square_excess(expected, counted), 4) << theta;
  }
}

TEST(Zipf, ReachesBothEndsOfManyRanks) {
  const Zipf zipf(1'000'000'000, 0.99);
  base::Random random(3);
  std::uint64_t least = 1'000'000'000;
  std::uint64_t greatest = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t rank = zipf.rank(random);
    least = std::min(least, rank);
    greatest = std::max(greatest, rank);
  }
  EXPECT_EQ(least, 0u);
  EXPECT_GT(greatest, 900'000'000u);
  EXPECT_LT(greatest, 1'000'000'000u);
  EXPECT_EQ(Zipf(1, 0.99).rank(random), 0u);
}

TEST(Scramble, GivesEachKeyOneRank) {
  for (const std::uint64_t count : {1u, 2u, 3u, 10u, 64u, 97u, 1'000u, 65'536u}) {
    const Scramble scramble(count);
    std::vector<bool> seen(count);
    for (std::uint64_t rank = 0; rank < count; ++rank) {
      const std::uint64_t key = scramble.key_of(rank);
      ASSERT_LT(key, count);
      EXPECT_FALSE(seen[key]) << count;
      seen[key] = true;
    }
  }
}

TEST(Schedule, IsDealtOutWithoutAGapOrADrift) {
  constexpr std::uint64_t kThreads = 3;
  std::vector<std::int64_t> dues;
  for (std::uint64_t thread = 0; thread < kThreads; ++thread) {
    const Schedule schedule(30'000, thread, kThreads, 1'000);
    for (std::uint64_t i = 0; i < 10'000; ++i) dues.push_back(schedule.due_ns(i));
    EXPECT_EQ(schedule.due_ns(10'000'000),
              1'000 + static_cast<std::int64_t>(
                          static_cast<double>(10'000'000 * kThreads + thread) * (1e9 / 30'000)));
  }
  std::sort(dues.begin(), dues.end());
  EXPECT_EQ(dues.front(), 1'000);
  for (std::size_t i = 1; i < dues.size(); ++i) {
    const std::int64_t gap = dues[i] - dues[i - 1];
    EXPECT_TRUE(gap == 33'333 || gap == 33'334) << gap;
  }
}

constexpr std::int64_t kSecond = 1'000'000'000;

Workload paced(double rate, double duration_s) {
  Workload workload;
  workload.rate = rate;
  workload.warm_up_s = 0;
  workload.duration_s = duration_s;
  workload.read_share = 1;
  return workload;
}

TEST(RunLane, CountsFromTheDueTimeWhateverStalls) {
  const Workload workload = paced(1'000, 10);
  RunLane lane(workload, 0, 0);
  Request request;
  // A server that answers at once, but for one second in which it answers nothing: a thousand
  // operations fall due meanwhile, and each has waited for what was left of that second.
  for (std::int64_t now = 0; now < 10 * kSecond; now += kSecond / 1'000) {
    if (now >= 5 * kSecond && now < 6 * kSecond) continue;
    while (lane.take(now, request)) lane.answered(request, {}, now);
  }
  const LatencyHistogram& reads = lane.tally().reads;
  EXPECT_EQ(reads.count(), 10'000u);
  EXPECT_EQ(reads.max(), static_cast<std::uint64_t>(kSecond)) << "RL1";
  EXPECT_NEAR(static_cast<double>(reads.percentile(0.95)), 0.5 * kSecond, 0.01 * kSecond) << "RL1";
  EXPECT_LT(reads.percentile(0.89), 1'000'000u);
  EXPECT_EQ(lane.tally().per_second.size(), 10u);
}

TEST(RunLane, CountsWhatWasDueAndNeverSent) {
  const Workload workload = paced(1'000, 2);
  RunLane lane(workload, 0, 0);
  Request request;
  ASSERT_TRUE(lane.take(0, request));
  lane.answered(request, {}, 10);
  EXPECT_FALSE(lane.finished());
  EXPECT_FALSE(lane.take(60 * kSecond, request));
  EXPECT_TRUE(lane.finished());
  EXPECT_EQ(lane.tally().unsent, 1'999u);
  EXPECT_EQ(lane.tally().reads.count(), 2'000u) << "RL1";
  EXPECT_GE(lane.tally().reads.percentile(0.5), static_cast<std::uint64_t>(58 * kSecond)) << "RL1";
  EXPECT_FALSE(lane.tally().good());
}

TEST(RunLane, MeasuresAfterTheWarmUpOnly) {
  Workload workload = paced(0, 1);
  workload.warm_up_s = 1;
  RunLane lane(workload, 0, 0);
  Request request;
  for (const std::int64_t now : {kSecond / 2, kSecond, 3 * kSecond / 2}) {
    ASSERT_TRUE(lane.take(now, request));
    EXPECT_EQ(request.begin_ns, now) << "RL2";
    lane.answered(request, {}, now + 5);
  }
  EXPECT_FALSE(lane.take(2 * kSecond, request));
  EXPECT_TRUE(lane.finished());
  EXPECT_EQ(lane.tally().answered, 3u);
  EXPECT_EQ(lane.tally().reads.count(), 2u);
  EXPECT_EQ(lane.tally().reads.max(), 5u);
}

TEST(RunLane, EndsWhenAskedTo) {
  for (const double rate : {0.0, 1'000.0}) {
    Workload workload = paced(rate, 600);
    std::atomic<bool> stop = false;
    workload.stop = &stop;
    RunLane lane(workload, 0, 0);
    Request request;
    ASSERT_TRUE(lane.take(0, request));
    stop = true;
    EXPECT_FALSE(lane.take(kSecond, request));
    EXPECT_TRUE(lane.finished());
    EXPECT_EQ(lane.wakes_at(), Lane::kNever);
  }
}

TEST(RunLane, KeepsRefusalsOutOfTheLatencies) {
  const Workload workload = paced(0, 1);
  RunLane lane(workload, 0, 0);
  Request request;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(lane.take(0, request));
    lane.answered(request, {Answer::Outcome::kRefused, i == 0 ? "BUSY" : "MEMORY_FULL"}, 5);
  }
  lane.lost(4, {base::StatusCode::kClosed, "gone"});
  const auto& codes = lane.tally().errors.by_code();
  const std::vector<std::pair<std::string, std::uint64_t>> expected = {
      {"BUSY", 1}, {"MEMORY_FULL", 2}, {"CONNECTION_LOST", 4}};
  EXPECT_EQ(codes, expected);
  EXPECT_EQ(lane.tally().measured(), 0u);
  EXPECT_EQ(lane.tally().first_loss, "CLOSED: gone");
}

TEST(LoadLane, WritesEachKeyOnceAndStopsAtARefusal) {
  Workload workload;
  workload.key_count = 450;
  LoadLane lane(workload, 200);
  Request request;
  std::uint64_t next = 0;
  while (lane.take(0, request)) {
    EXPECT_EQ(request.key, next);
    next += request.count;
    lane.answered(request, {}, 1);
  }
  EXPECT_EQ(next, 450u);
  EXPECT_EQ(lane.keys(), 450u);

  LoadLane refused(workload, 200);
  ASSERT_TRUE(refused.take(0, request));
  refused.answered(request, {Answer::Outcome::kRefused, "MEMORY_FULL"}, 1);
  EXPECT_FALSE(refused.take(0, request));
  EXPECT_TRUE(refused.finished());
  EXPECT_EQ(refused.errors().total(), 1u);
}

}  // namespace
}  // namespace synod::client
