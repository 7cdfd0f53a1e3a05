// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>

#include "client/bench/engine.h"
#include "client/bench/runner.h"
#include "tests/suite/server_process.h"

namespace synod::client {
namespace {

/// Servers as processes, ended with the test.
class BenchProcess : public testing::Test {
 protected:
  void start(const std::filesystem::path& binary, std::vector<std::string> arguments) {
    arguments.emplace_back("--port");
    arguments.push_back(std::to_string(port_));
    const auto status = server_.start({.binary = binary,
                                       .arguments = std::move(arguments),
                                       .environment = {},
                                       .directory = directory_,
                                       .log = directory_ / "server.log"});
    ASSERT_TRUE(status.ok()) << status.to_string();
    ASSERT_TRUE(server_.wait_for_port(port_).ok());
  }
  void start_synod() {
    start(SYNOD_SERVER_BINARY, {"--data-dir", (directory_ / "data").string(), "--durability",
                                "async", "--set", "admin.http_port=0"});
  }

  [[nodiscard]] Workload workload(Target target) const {
    Workload workload;
    workload.target = target;
    workload.endpoints.front().port = port_;
    workload.connections = 8;
    workload.pipeline = 4;
    workload.threads = 2;
    workload.key_count = 2'000;
    workload.value_sizes = {16, 400};
    workload.distribution = Distribution::kZipf;
    workload.read_share = 0.7;
    workload.warm_up_s = 0;
    workload.operations = 20'000;
    workload.verify = true;
    return workload;
  }

  void expect_good(const Workload& workload, std::uint64_t operations) {
    const auto report = std::make_unique<BenchReport>();
    const auto status = run_bench(workload, *report);
    ASSERT_TRUE(status.ok()) << status.to_string();
    EXPECT_TRUE(report->good()) << report->tally.first_loss;
    EXPECT_EQ(report->load.keys, workload.loads ? workload.key_count : 0);
    EXPECT_EQ(report->tally.measured(), operations);
    EXPECT_EQ(report->tally.missing, 0u);
    EXPECT_EQ(report->tally.writes.count() > 0, workload.read_share < 1);
  }

  void expect_every_way_works(Target target) {
    Workload mixed = workload(target);
    expect_good(mixed, 20'000);
    mixed.loads = false;
    mixed.operations = 0;
    mixed.rate = 5'000;
    mixed.duration_s = 0.4;
    expect_good(mixed, 2'000);
    Workload sweep = workload(target);
    sweep.loads = false;
    sweep.distribution = Distribution::kSequential;
    sweep.read_share = 1;
    sweep.operations = sweep.key_count;
    expect_good(sweep, sweep.key_count);
  }

  const std::filesystem::path directory_ = suite::fresh_directory("bench");
  const std::uint16_t port_ = suite::free_ports(1);
  suite::ServerProcess server_;
};

TEST_F(BenchProcess, VerifiesWhatSynodAnswers) {
  start_synod();
  expect_every_way_works(Target::kThrift);
}

/// Kills the server when it has answered so often.
class KillingLane final : public Lane {
 public:
  KillingLane(Lane& lane, const suite::ServerProcess& victim) : lane_(lane), victim_(victim) {}
  bool take(std::int64_t now, Request& request) override { return lane_.take(now, request); }
  [[nodiscard]] std::int64_t wakes_at() const override { return lane_.wakes_at(); }
  [[nodiscard]] bool finished() const override { return lane_.finished(); }
  void answered(const Request& request, const Answer& answer, std::int64_t now) override {
    lane_.answered(request, answer, now);
    if (++answers_ == 100) victim_.signal(SIGKILL);
  }
  void lost(std::uint64_t under_way, const base::Status& why) override {
    lane_.lost(under_way, why);
  }
  void abandon(std::int64_t now) override { lane_.abandon(now); }

 private:
  Lane& lane_;
  const suite::ServerProcess& victim_;
  int answers_ = 0;
};

TEST_F(BenchProcess, SaysThatTheServerWentAway) {
  start_synod();
  Workload endless = workload(Target::kThrift);
  endless.operations = 0;
  endless.duration_s = 600;
  endless.threads = 1;
  for (const double rate : {0.0, 5'000.0}) {
    endless.rate = rate;
    auto engine = open_engine(endless, 0, endless.connections);
    ASSERT_TRUE(engine.ok());
    RunLane lane(endless, 0, monotonic_ns());
    KillingLane killing(lane, server_);
    (*engine)->run(killing, endless.connections, endless.pipeline);
    EXPECT_FALSE(lane.tally().good());
    EXPECT_FALSE(lane.tally().first_loss.empty());
    server_.kill_and_wait();
    start_synod();
  }
}

TEST_F(BenchProcess, EndsWithTheCodeItPromises) {
  start_synod();
  const auto run = [&](std::vector<std::string> arguments, std::uint16_t port) {
    arguments.insert(arguments.end(), {"--port", std::to_string(port), "--keys", "50"});
    const auto finished = suite::run_to_end({.binary = SYNOD_BENCH_BINARY,
                                             .arguments = std::move(arguments),
                                             .environment = {},
                                             .directory = directory_,
                                             .log = directory_ / "bench.log"},
                                            60);
    return finished.ok() ? finished->code : -1;
  };
  const std::vector<std::string> sweep = {
      "--no-load",    "--verify", "--distribution", "sequential",
      "--read-share", "1",        "--operations",   "50"};
  EXPECT_EQ(run({"--load-only"}, port_), 0);
  EXPECT_EQ(run(sweep, port_), 0);
  auto other = sweep;
  other.insert(other.end(), {"--value-size", "20-30"});
  EXPECT_EQ(run(other, port_), 1) << "the values have another size";
  EXPECT_EQ(run({"--value-size", "15"}, port_), 2);
  EXPECT_EQ(run({"--read-share", "1.5"}, port_), 2);
  EXPECT_EQ(run({"--no-load", "--load-only"}, port_), 2);
  EXPECT_EQ(run(sweep, suite::free_port()), 4);
}

#ifdef SYNOD_REDIS_SERVER
TEST_F(BenchProcess, VerifiesWhatRedisAnswers) {
  start(SYNOD_REDIS_SERVER, {"--save", "", "--appendonly", "no", "--dir", directory_.string()});
  expect_every_way_works(Target::kResp);
}

TEST_F(BenchProcess, CountsRefusalsByTheirCode) {
  start(SYNOD_REDIS_SERVER, {"--save", "", "--appendonly", "no", "--maxmemory", "1mb",
                             "--maxmemory-policy", "noeviction"});
  Workload full = workload(Target::kResp);
  const auto report = std::make_unique<BenchReport>();
  ASSERT_TRUE(run_bench(full, *report).ok());
  EXPECT_FALSE(report->good());
  ASSERT_EQ(report->load.errors.by_code().size(), 1u);
  EXPECT_EQ(report->load.errors.by_code().front().first, "OOM");
  full.loads = false;
  full.read_share = 0;
  ASSERT_TRUE(run_bench(full, *report).ok());
  EXPECT_GT(report->tally.errors.total(), 0u);
}
#endif

}  // namespace
}  // namespace synod::client
