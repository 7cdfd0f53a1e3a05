// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <sstream>

#include "client/bench/runner.h"
#include "tests/suite/model_server.h"

namespace synod::client {
namespace {

constexpr ValueSizes kHundred{100, 100};

Workload small(const suite::ModelServer& server) {
  Workload workload;
  workload.endpoints.front().port = server.port();
  workload.connections = 4;
  workload.key_count = 300;
  workload.warm_up_s = 0;
  workload.operations = 2'000;
  workload.verify = true;
  return workload;
}

TEST(BenchValue, ProvesItsKey) {
  base::Bytes value;
  append_bench_value(value, kHundred, 7, 99);
  EXPECT_EQ(value.size(), 100u);
  EXPECT_TRUE(is_bench_value(kHundred, 7, value));
  EXPECT_FALSE(is_bench_value(kHundred, 8, value));
  EXPECT_FALSE(is_bench_value({101, 101}, 7, value));
  EXPECT_FALSE(is_bench_value(kHundred, 7, base::BytesView(value).substr(0, 99)));
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto damaged = value;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(is_bench_value(kHundred, 7, damaged)) << i;
  }
  EXPECT_FALSE(is_bench_value(kHundred, 7, ""));
}

TEST(BenchValue, HasASizeThatFollowsFromKeyAndTag) {
  constexpr ValueSizes kRange{16, 40};
  std::array<int, 41> seen{};
  for (std::uint64_t tag = 0; tag < 1'000; ++tag) {
    base::Bytes value;
    append_bench_value(value, kRange, 3, tag);
    ASSERT_GE(value.size(), 16u);
    ASSERT_LE(value.size(), 40u);
    EXPECT_TRUE(is_bench_value(kRange, 3, value));
    ++seen[value.size()];
  }
  for (std::size_t size = 16; size <= 40; ++size) EXPECT_GT(seen[size], 0) << size;
}

TEST(BenchKey, HasTwelveDigits) { EXPECT_EQ(bench_key(4'294'967'295), "bench:004294967295"); }

TEST(Bench, RunsExactlyTheOperationsAskedFor) {
  const suite::ModelServer server(0, true);
  for (const std::uint32_t threads : {1u, 3u}) {
    for (const std::uint32_t pipeline : {1u, 5u}) {
      Workload workload = small(server);
      workload.threads = threads;
      workload.pipeline = pipeline;
      const auto report = std::make_unique<BenchReport>();
      const auto status = run_bench(workload, *report);
      ASSERT_TRUE(status.ok()) << status.to_string();
      EXPECT_TRUE(report->good()) << report->tally.first_loss;
      EXPECT_EQ(report->load.keys, 300u);
      EXPECT_EQ(report->tally.measured(), 2'000u);
      EXPECT_EQ(report->tally.answered, 2'000u);
      EXPECT_GT(report->tally.reads.count(), 0u);
      EXPECT_GT(report->tally.writes.count(), 0u);
      const auto& seconds = report->tally.per_second;
      EXPECT_EQ(std::accumulate(seconds.begin(), seconds.end(), std::uint64_t{0}), 2'000u);
    }
  }
}

TEST(Bench, IssuesWhatIsDue) {
  const suite::ModelServer server(0, true);
  Workload workload = small(server);
  workload.operations = 0;
  workload.rate = 2'000;
  workload.duration_s = 0.5;
  workload.threads = 2;
  const auto report = std::make_unique<BenchReport>();
  ASSERT_TRUE(run_bench(workload, *report).ok());
  EXPECT_TRUE(report->good());
  // Due times are fixed, so that the count does not depend on how fast the server is.
  EXPECT_EQ(report->tally.measured(), 1'000u);
}

TEST(Bench, SequentialReadsTouchEveryKeyOnce) {
  const suite::ModelServer server(0, true);
  Workload workload = small(server);
  workload.key_count = workload.operations = 1'001;
  workload.distribution = Distribution::kSequential;
  workload.read_share = 0;
  workload.loads = false;
  workload.threads = 3;
  const auto written = std::make_unique<BenchReport>();
  ASSERT_TRUE(run_bench(workload, *written).ok());
  workload.read_share = 1;
  const auto report = std::make_unique<BenchReport>();
  ASSERT_TRUE(run_bench(workload, *report).ok());
  EXPECT_TRUE(report->good());
  EXPECT_EQ(report->tally.missing, 0u);
  EXPECT_EQ(report->tally.reads.count(), 1'001u);
}

TEST(Bench, FindsWrongValuesOnlyWhenItVerifies) {
  const suite::ModelServer server(0, true);
  Workload workload = small(server);
  workload.read_share = 1;
  ASSERT_TRUE(run_bench(workload, *std::make_unique<BenchReport>()).ok());
  workload.loads = false;
  workload.value_sizes = {101, 101};
  workload.key_count = 600;
  const auto verified = std::make_unique<BenchReport>();
  ASSERT_TRUE(run_bench(workload, *verified).ok());
  EXPECT_FALSE(verified->good());
  EXPECT_EQ(verified->tally.wrong, 2'000u);
  EXPECT_GT(verified->tally.missing, 0u);
  EXPECT_LT(verified->tally.missing, 2'000u);
  workload.verify = false;
  const auto trusting = std::make_unique<BenchReport>();
  ASSERT_TRUE(run_bench(workload, *trusting).ok());
  EXPECT_TRUE(trusting->good());
  EXPECT_EQ(trusting->tally.missing, verified->tally.missing);
}

TEST(Bench, TellsEverythingAsJson) {
  const suite::ModelServer server(0, true);
  const auto report = std::make_unique<BenchReport>();
  ASSERT_TRUE(run_bench(small(server), *report).ok());
  report->tally.errors.add("A \"code\"\n", 3);
  std::ostringstream json;
  print_json(small(server), *report, json);
  for (const char* part :
       {"\"wrong_values\":0", "\"configuration\":{\"target\":\"thrift\"",
        "\"p9999_ns\":", "\"per_second\":[", "\"errors_by_code\":{\"A \\\"code\\\"\\u000a\":3}",
        "\"keys\":300", "\"operations_per_second\":", "\"failed\":true"}) {
    EXPECT_NE(json.str().find(part), std::string::npos) << part << " in " << json.str();
  }
}

TEST(Bench, SaysWhenNobodyListens) {
  Workload workload;
  {
    const suite::ModelServer server(0, true);
    workload = small(server);
  }
  const auto report = std::make_unique<BenchReport>();
  EXPECT_EQ(run_bench(workload, *report).code(), base::StatusCode::kClosed);
}

}  // namespace
}  // namespace synod::client
