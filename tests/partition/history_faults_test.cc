// SPDX-License-Identifier: Apache-2.0
// Every workload from real clients against three server processes that are killed, paused and cut
// off from each other meanwhile; each history is judged by the checkers.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "tests/group/process_group.h"
#include "tests/history/linearizability.h"
#include "tests/history/thrift_client.h"
#include "tests/history/workloads.h"
#include "tests/partition/nemesis.h"
#include "tests/partition/network.h"
#include "tests/partition/staleness.h"

namespace synod::partition {
namespace {

using history::HistorySummary;
using history::Verdict;

constexpr std::uint64_t kAppliedMin = 300;
constexpr std::size_t kAlterations = 5;
constexpr group::Seconds kEqualWithin{30};
/// At the end of a run nothing fails, so that what is there can be read.
constexpr std::chrono::seconds kQuiet{3};

std::int64_t number_from(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoll(text) : otherwise;
}

history::WorkloadOptions options_of(std::string_view workload, std::uint64_t seed,
                                    std::chrono::seconds faults) {
  history::WorkloadOptions options;
  options.workload = std::string(workload);
  options.seed = seed;
  options.threads = 6;
  options.keys = workload == "ring" ? 60 : 20;
  options.duration = faults + kQuiet;
  // So that the history stays one that a checker can search, however fast the machine is.
  options.operations_max =
      2'000 * static_cast<std::uint64_t>(options.duration / std::chrono::seconds(1));
  return options;
}

client::ClientOptions impatient() {
  client::ClientOptions options;
  options.connect_timeout = base::Millis(500);
  options.call_timeout = base::Millis(1'500);
  return options;
}

/// Nothing may be wrong, and nothing left open, with one exception: a single write carries no
/// token, so its outcome may stay unknown for ever, and then the replay of commit versions cannot
/// judge what a refused compare-and-swap did not record. The search for an order can, and must.
void expect_correct(const std::vector<history::Event>& events, const base::Clock& clock) {
  const auto report = history::check_history(events, clock);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  EXPECT_NE(report->verdict(), Verdict::kBad) << report->to_string();
  if (report->verdict() != Verdict::kUnknown) return;
  const auto operations = history::operations_of(events);
  ASSERT_TRUE(operations.ok());
  ASSERT_EQ(operations->front().workload, "register") << report->to_string();
  for (const std::string& reason : report->undecided) {
    EXPECT_TRUE(reason.starts_with("a write with an unknown outcome may explain")) << reason;
  }
  history::LinearizabilityLimits limits;
  limits.clock = &clock;
  const history::Report order = history::check_linearizability(*operations, limits);
  EXPECT_EQ(order.verdict(), Verdict::kOk) << order.to_string();
}

/// Every alteration to something stale must be found: a checker that cannot fail proves nothing.
void expect_alterations_are_found(const std::vector<history::Event>& events,
                                  const base::Clock& clock) {
  const auto altered = made_stale(events, kAlterations);
  ASSERT_TRUE(altered.ok()) << altered.status().to_string();
  EXPECT_FALSE(altered->empty()) << "no read that could be made stale";
  for (const auto& history : *altered) {
    const auto report = history::check_history(history, clock);
    ASSERT_TRUE(report.ok()) << report.status().to_string();
    EXPECT_EQ(report->verdict(), Verdict::kBad) << "a stale read passed";
  }
}

class HistoryUnderFaults : public testing::TestWithParam<std::string_view> {};

TEST_P(HistoryUnderFaults, IsOneThatACorrectStoreCanHave) {
  const auto seed = static_cast<std::uint64_t>(number_from("SYNOD_HISTORY_SEED", 1));
  const std::chrono::seconds faults(number_from("SYNOD_HISTORY_SECONDS", 15));
  auto network = Network::create();
  ASSERT_TRUE(network.ok()) << network.status().to_string();
  group::ProcessGroup group(options_in(**network, "history_faults"));
  const base::Status started = group.start();
  ASSERT_TRUE(started.ok()) << started.to_string();

  const base::SystemClock clock;
  std::ofstream file(group.directory() / "history.jsonl");
  history::Recorder recorder(clock, &file);
  const history::WorkloadOptions options = options_of(GetParam(), seed, faults);
  base::Status ran;
  std::thread workload([&] {
    ran = run_workload(options, history::thrift_clients(group.endpoints(), impatient()), clock,
                       recorder);
  });
  Nemesis nemesis(group, **network, recorder, seed);
  const base::Status struck = nemesis.run(faults);
  workload.join();
  EXPECT_TRUE(struck.ok()) << struck.to_string();
  EXPECT_TRUE(ran.ok()) << ran.to_string();

  const auto events = recorder.finish();
  ASSERT_TRUE(events.ok()) << events.status().to_string();
  const HistorySummary summary = history::summarize(*history::operations_of(*events));
  const base::Nanos begun = clock.boot_time();
  expect_correct(*events, clock);
  std::printf("seed %llu: %s; checked in %lld ms;", static_cast<unsigned long long>(seed),
              summary.to_string().c_str(),
              static_cast<long long>((clock.boot_time() - begun).count() / 1'000'000));
  for (const auto& [name, count] : nemesis.struck()) std::printf(" %d x %s,", count, name.c_str());
  std::printf("\n");
  EXPECT_GE(summary.applied, kAppliedMin);
  EXPECT_FALSE(nemesis.struck().empty());
  const base::Status equal = group.wait_for_equal_replicas(kEqualWithin);
  EXPECT_TRUE(equal.ok()) << equal.to_string();
  expect_alterations_are_found(*events, clock);
  if (HasFailure()) ADD_FAILURE() << "seed " << seed << ", see " << group.directory();
}

INSTANTIATE_TEST_SUITE_P(Workloads, HistoryUnderFaults, testing::ValuesIn(history::kWorkloads),
                         [](const testing::TestParamInfo<std::string_view>& workload) {
                           std::string name(workload.param);
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace synod::partition
