// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <sstream>

#include "client/bench/runner.h"
#include "client/cpp/client.h"
#include "tests/suite/model_server.h"

namespace synod::client {
namespace {

Workload small(const suite::ModelServer& server) {
  Workload workload;
  workload.endpoints.front().port = server.port();
  workload.connections = 4;
  workload.key_count = 300;
  workload.warmup_s = 0;
  workload.operations = 2'000;
  return workload;
}

TEST(BenchValue, ProvesItsKey) {
  const auto value = bench_value(7, 99, 100);
  EXPECT_EQ(value.size(), 100u);
  EXPECT_TRUE(is_bench_value(7, value, 100));
  EXPECT_FALSE(is_bench_value(8, value, 100));
  EXPECT_FALSE(is_bench_value(7, value, 101));
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto damaged = value;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(is_bench_value(7, damaged, 100)) << i;
  }
  EXPECT_FALSE(is_bench_value(7, "", 100));
}

TEST(Bench, RunsExactlyTheOperationsAskedFor) {
  const suite::ModelServer server(0, true);
  const auto report = std::make_unique<BenchReport>();
  const auto status = run_bench(small(server), *report);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_TRUE(report->good()) << report->first_error;
  EXPECT_EQ(report->reads.count() + report->writes.count(), 2'000u);
  EXPECT_GT(report->reads.count(), 0u);
  EXPECT_GT(report->writes.count(), 0u);
  std::ostringstream json;
  print_json(small(server), *report, json);
  EXPECT_NE(json.str().find("\"wrong_values\":0"), std::string::npos);
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
