// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/process_metrics.h"
#include "base/random.h"
#include "tests/base/exposition_parser.h"

namespace synod::base {
namespace {

std::string scrape(const MetricRegistry& registry) {
  std::string out;
  registry.expose(out);
  return out;
}

TEST(Counter, IsExactWithMoreThreadsThanShards) {
  MetricRegistry registry("t_");
  Counter& counter = registry.counter("events_total", "Events.");
  Distribution& sizes = registry.distribution("sizes", "Sizes.", BucketLayout::counts());
  constexpr std::uint64_t kThreads = 2 * kMetricShards;
  constexpr std::uint64_t kEach = 2'000;
  std::atomic<bool> is_done{false};
  std::string complaint;
  std::thread scraper([&] {
    double before = 0;
    while (!is_done.load()) {
      const ExpositionParser parsed(scrape(registry));
      const double now = parsed.value("t_events_total").value_or(-1);
      if (!parsed.complaint.empty()) complaint = parsed.complaint;
      if (now < before) complaint = "a counter went back";
      before = now;
    }
  });
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        counter.add();
        sizes.record(3);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  is_done = true;
  scraper.join();
  EXPECT_EQ(complaint, "");
  EXPECT_EQ(counter.value(), kThreads * kEach);
  EXPECT_EQ(sizes.totals().sum, 3 * kThreads * kEach);
  EXPECT_EQ(sizes.totals().counts[2], kThreads * kEach);
}

TEST(Counter, KeepsWhatEndedThreadsCounted) {
  Counter counter;
  for (std::size_t i = 0; i < 3 * kMetricShards; ++i) {
    std::thread([&] { counter.add(2); }).join();
  }
  EXPECT_EQ(counter.value(), 6 * kMetricShards);
}

TEST(BucketLayout, FindsTheFirstBoundThatIsNotBelow) {
  Random random(7);
  for (const BucketLayout& layout : {BucketLayout::durations(), BucketLayout::counts(),
                                     BucketLayout({0, 1, 3, 1ULL << 62U}, 1)}) {
    const auto check = [&](std::uint64_t value) {
      std::size_t expected = 0;
      while (expected < layout.bounds().size() && layout.bounds()[expected] < value) ++expected;
      EXPECT_EQ(layout.bucket_of(value), expected) << value;
    };
    for (const std::uint64_t bound : layout.bounds()) {
      if (bound > 0) check(bound - 1);
      check(bound);
      check(bound + 1);
    }
    for (int i = 0; i < 10'000; ++i) check(random.next() >> (random.next() % 64));
    check(0);
    check(std::numeric_limits<std::uint64_t>::max());
  }
}

TEST(MetricRegistry, WritesWhatAStrictParserReads) {
  MetricRegistry registry("synod_");
  auto& requests = registry.counters("requests_total", "Calls.\nTwo \\ lines.", {"op", "code"});
  requests.with({"get", "OK"}).add(7);
  requests.with({"a\"b\\c\nd", "E"}).add();
  registry.gauge("ratio", "A part.", [] { return 0.1; });
  registry.gauge("nothing", "No number.", [] { return std::nan(""); });
  auto& time = registry.distributions("time_seconds", "Time.", BucketLayout::durations(), {"op"});
  time.with({"get"}).record(5'000'000);
  time.with({"get"}).record(90'000'000'000);
  const std::string text = scrape(registry);
  const ExpositionParser parsed(text);
  EXPECT_EQ(parsed.complaint, "") << text;
  EXPECT_EQ(parsed.value("synod_requests_total{op=\"get\",code=\"OK\"}"), 7);
  EXPECT_EQ(parsed.value("synod_requests_total{op=\"a\\\"b\\\\c\\nd\",code=\"E\"}"), 1);
  EXPECT_EQ(parsed.value("synod_ratio"), 0.1);
  EXPECT_EQ(parsed.value("synod_time_seconds_bucket{op=\"get\",le=\"0.0025\"}"), 0);
  EXPECT_EQ(parsed.value("synod_time_seconds_bucket{op=\"get\",le=\"0.005\"}"), 1);
  EXPECT_EQ(parsed.value("synod_time_seconds_bucket{op=\"get\",le=\"60\"}"), 1);
  EXPECT_EQ(parsed.value("synod_time_seconds_bucket{op=\"get\",le=\"+Inf\"}"), 2);
  EXPECT_EQ(parsed.value("synod_time_seconds_count{op=\"get\"}"), 2);
  EXPECT_DOUBLE_EQ(parsed.value("synod_time_seconds_sum{op=\"get\"}").value_or(0), 90.005);
}

TEST(MetricRegistry, BoundsTheSeriesOfAFamily) {
  MetricRegistry registry("t_");
  auto& family = registry.counters("many_total", "Many.", {"id"});
  for (int i = 0; i < 2'000; ++i) family.with({std::to_string(i)}).add();
  const ExpositionParser parsed(scrape(registry));
  EXPECT_EQ(parsed.complaint, "");
  EXPECT_EQ(parsed.samples.size(), CounterFamily::kSeriesMax);
  EXPECT_EQ(parsed.value("t_many_total{id=\"other\"}"), 2'000 - 255);
}

TEST(MetricRegistryDeathTest, RefusesANameTwice) {
  MetricRegistry registry("t_");
  registry.counter("twice_total", "Once.");
  EXPECT_DEATH(registry.counter("twice_total", "Again."), "MR1");
}

TEST(ProcessMetrics, TellOfThisProcess) {
  MetricRegistry registry("synod_");
  registry.collect(collect_process_metrics);
  const ExpositionParser parsed(scrape(registry));
  EXPECT_EQ(parsed.complaint, "");
  EXPECT_GT(parsed.value("process_resident_memory_bytes").value_or(0), 1 << 20);
  EXPECT_GE(parsed.value("process_open_fds").value_or(0), 3);
  EXPECT_GE(parsed.value("process_max_fds").value_or(0), 3);
  EXPECT_GE(parsed.value("process_threads").value_or(0), 1);
  const double now = static_cast<double>(SystemClock().wall_time().count()) / 1e9;
  EXPECT_NEAR(parsed.value("process_start_time_seconds").value_or(0), now, 3'600);
  EXPECT_EQ(parsed.types.at("synod_thread_cpu_seconds_total"), "counter");
}

TEST(ExpositionParser, ComplainsOfWhatIsWrong) {
  const std::string head = "# HELP a_total b\n# TYPE a_total counter\n";
  EXPECT_EQ(ExpositionParser(head + "a_total 1\n").complaint, "");
  EXPECT_NE(ExpositionParser(head + "a_total 1").complaint, "");
  EXPECT_NE(ExpositionParser(head + "a_total 1\na_total 2\n").complaint, "");
  EXPECT_NE(ExpositionParser(head + "b_total 1\n").complaint, "");
  EXPECT_NE(ExpositionParser(head + "a_total{x=\"\n\"} 1\n").complaint, "");
  EXPECT_NE(ExpositionParser(head + head).complaint, "");
  EXPECT_NE(ExpositionParser("a_total 1\n").complaint, "");
  const std::string histogram = "# HELP h b\n# TYPE h histogram\n";
  const std::string ends = "h_sum 1\nh_count 1\n";
  EXPECT_EQ(ExpositionParser(histogram + "h_bucket{le=\"+Inf\"} 1\n" + ends).complaint, "");
  EXPECT_NE(ExpositionParser(histogram + "h_bucket{le=\"1\"} 1\n" + ends).complaint, "");
  EXPECT_NE(ExpositionParser(histogram + "h_bucket{le=\"+Inf\"} 2\n" + ends).complaint, "");
}

}  // namespace
}  // namespace synod::base
