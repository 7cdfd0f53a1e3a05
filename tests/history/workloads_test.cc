// SPDX-License-Identifier: Apache-2.0
// The workloads on a store in memory: correct, and with one fault at a time.
#include "tests/history/workloads.h"

#include <gtest/gtest.h>

#include "tests/history/memory_store.h"

namespace synod::history {
namespace {

struct Life {
  std::string history;  // without its times
  Report report;
  HistorySummary summary;
};

Life live(const std::string& workload, Fault fault, std::uint64_t seed, double unknown = 0.02) {
  const base::SystemClock clock;
  MemoryStore store(seed, fault, 0.1);
  Recorder recorder(clock);
  WorkloadOptions options;
  options.workload = workload;
  options.seed = seed;
  options.threads = 4;
  options.keys = 12;
  options.duration = std::chrono::seconds(60);
  options.operations_max = 700;
  Turnstile turnstile(static_cast<std::size_t>(options.threads), seed);
  const auto connect =
      [&](std::optional<std::size_t> thread) -> base::Result<std::unique_ptr<Client>> {
    Turnstile* const turns = thread.has_value() ? &turnstile : nullptr;
    return std::unique_ptr<Client>(
        std::make_unique<MemoryClient>(store, unknown, turns, thread.value_or(0)));
  };
  const base::Status status = run_workload(options, connect, clock, recorder);
  EXPECT_TRUE(status.ok() || fault != Fault::kNone) << status.to_string();
  const auto events = recorder.finish();
  EXPECT_TRUE(events.ok());
  Life made;
  for (Event event : *events) {
    event.time = 0;
    made.history += to_json(event) + "\n";
  }
  made.summary = summarize(*operations_of(*events));
  auto report = check_history(*events, clock);
  EXPECT_TRUE(report.ok()) << report.status().to_string();
  made.report = std::move(report).value();
  return made;
}

TEST(Workloads, PassOnACorrectStore) {
  for (const std::string_view workload : kWorkloads) {
    SCOPED_TRACE(std::string(workload));
    const Life made = live(std::string(workload), Fault::kNone, 7, 0.0);
    EXPECT_EQ(made.report.verdict(), Verdict::kOk) << made.report.to_string();
    // A run where hardly anything succeeds tests nothing.
    EXPECT_GE(made.summary.applied * 2, made.summary.total()) << made.summary.to_string();
  }
}

TEST(Workloads, AreTheSameEveryTimeOnThreadsThatTakeTurns) {
  for (const std::string_view workload : kWorkloads) {
    const std::string name(workload);
    EXPECT_TRUE(live(name, Fault::kNone, 9).history == live(name, Fault::kNone, 9).history) << name;
  }
}

TEST(Workloads, PassOnACorrectStoreThatLosesAnswers) {
  for (const std::string_view workload : kWorkloads) {
    SCOPED_TRACE(std::string(workload));
    const Life made = live(std::string(workload), Fault::kNone, 8, 0.05);
    EXPECT_NE(made.report.verdict(), Verdict::kBad) << made.report.to_string();
  }
}

/// The fault is found by the workload's own checker, the certificate left aside.
void expect_finds(const std::string& workload, Fault fault,
                  const std::vector<std::string>& one_of_these) {
  SCOPED_TRACE(workload);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Life made = live(workload, fault, seed);
    for (const std::string& anomaly : one_of_these) {
      if (made.report.has(anomaly)) return;
    }
    if (seed == 5) {
      ADD_FAILURE() << "not found in five runs; the last one: " << made.report.to_string();
    }
  }
}

TEST(Workloads, FindStaleReads) {
  expect_finds("register", Fault::kStaleReads, {"stale-read", "resurrected-key", "lost-write"});
  expect_finds("list-append", Fault::kStaleReads, {"G-single-realtime", "G2-realtime"});
  expect_finds("bank", Fault::kStaleReads, {"stale-read-version"});
  expect_finds("set", Fault::kStaleReads, {"lost-element"});
  expect_finds("counter", Fault::kStaleReads, {"counter-too-low"});
}

TEST(Workloads, FindMissingConflictChecks) {
  // A list rewritten from a stale read drops elements: it is a register with a history.
  expect_finds("list-append", Fault::kNoConflictCheck, {"incompatible-order", "lost-append"});
  expect_finds("bank", Fault::kNoConflictCheck, {"wrong-total"});
  expect_finds("ring", Fault::kNoConflictCheck, {"broken-ring"});
  expect_finds("register", Fault::kNoConflictCheck, {"stale-commit"});
}

TEST(Workloads, FindMissingRangeChecks) {
  expect_finds("list-append", Fault::kNoRangeConflict, {"stale-range-commit"});
}

TEST(Workloads, FindLostWrites) {
  expect_finds("register", Fault::kLostWrites, {"stale-read", "lost-write", "resurrected-key"});
  expect_finds("list-append", Fault::kLostWrites, {"lost-append"});
  expect_finds("set", Fault::kLostWrites, {"lost-element"});
  expect_finds("counter", Fault::kLostWrites, {"counter-too-low"});
}

TEST(Workloads, FindTornCommits) {
  expect_finds("bank", Fault::kTornCommits, {"wrong-total", "missing-account"});
  expect_finds("ring", Fault::kTornCommits, {"broken-ring", "missing-link"});
  expect_finds("list-append", Fault::kTornCommits,
               {"lost-append", "G-single", "G-single-realtime"});
}

TEST(Workloads, FindRefusedCommitsThatWereApplied) {
  expect_finds("list-append", Fault::kAppliesRefused, {"G1a"});
  expect_finds("bank", Fault::kAppliesRefused, {"wrong-total", "failed-write-visible"});
}

TEST(Workloads, FindWhatIsAppliedTwice) {
  expect_finds("counter", Fault::kAppliesTwice, {"counter-too-high"});
}

TEST(Workloads, FindReadsThatMixVersions) {
  expect_finds("bank", Fault::kReadsLatest, {"wrong-read", "wrong-range"});
  expect_finds("list-append", Fault::kReadsLatest, {"wrong-read", "wrong-range"});
}

TEST(Workloads, RejectAnUnknownName) {
  const base::SystemClock clock;
  Recorder recorder(clock);
  WorkloadOptions options;
  options.workload = "tap-dance";
  const auto connect = [](std::optional<std::size_t>) -> base::Result<std::unique_ptr<Client>> {
    return base::Status(base::StatusCode::kClosed, "never called");
  };
  EXPECT_EQ(run_workload(options, connect, clock, recorder).code(),
            base::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace synod::history
