// SPDX-License-Identifier: Apache-2.0
// The moving failure point: a script of transactions in which each I/O fails in turn, once or for
// ever, followed by a power cut that loses, tears or reorders what was not synced; and the same
// with a second fault during recovery.
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "tests/router/sim_server.h"

namespace synod::router {
namespace {

using storage::CrashPolicy;
using storage::FaultRepeat;

constexpr int kTransactions = 64;
constexpr CrashPolicy kPolicies[] = {CrashPolicy::kLost, CrashPolicy::kTorn,
                                     CrashPolicy::kReordered};

/// Transaction i writes two rows and counts itself: any half of it would show.
core::KvOperation transaction(int i) {
  core::Step count;
  count.kind = core::StepKind::kIncrement;
  count.key = "count";
  count.number = 1;
  const std::string value(static_cast<std::size_t>(20 + 37 * (i % 5)),
                          static_cast<char>('a' + i % 26));
  return operation_of({set_step(base::concat("a", i), value), count,
                       set_step(base::concat("b", i), value),
                       set_step(base::concat("short", i), "gone soon", 40)});
}

struct Submitted {
  int number;
  std::size_t position;
};

/// Submits the script in bursts while the process lives.
std::vector<Submitted> run_script(SimServer& server) {
  std::vector<Submitted> submitted;
  for (int i = 0; i < kTransactions && server.is_open() && !server.died(); ++i) {
    submitted.push_back({i, server.submit(transaction(i))});
    if (i % 2 == 1) server.settle(std::chrono::milliseconds(300));
  }
  server.settle();
  return submitted;
}

/// What must hold of the recovered store, whatever failed.
void check(SimServer& server, const std::vector<Submitted>& submitted, const std::string& where) {
  int present = 0;
  for (const auto& [number, position] : submitted) {
    const auto a = server.get(base::concat("a", number));
    const auto b = server.get(base::concat("b", number));
    ASSERT_EQ(a, b) << where << ": transaction " << number << " is half there";
    if (a) ++present;
    const auto& outcome = server.outcomes()[position];
    if (!outcome) continue;
    ASSERT_EQ(outcome->ok(), a.has_value())
        << where << ": transaction " << number << " was answered '" << outcome->message << "'";
  }
  const auto count = server.get("count");
  ASSERT_EQ(count.value_or("0"), std::to_string(present)) << where;
  const base::Status verified = server.store().database().verify_tables();
  ASSERT_TRUE(verified.ok()) << where << ": " << verified.to_string();
}

/// A store that recovered must also go on.
void check_progress(SimServer& server, const std::string& where) {
  const std::size_t position = server.submit(operation_of({set_step("after", "recovery")}));
  server.settle();
  ASSERT_TRUE(server.outcomes()[position].has_value()) << where;
  ASSERT_TRUE(server.outcomes()[position]->ok()) << where;
}

std::uint64_t ios_of_script() {
  SimServer server(1);
  EXPECT_TRUE(server.open().ok());
  (void)run_script(server);
  EXPECT_TRUE(server.store().close().ok());
  return server.files().io_count();
}

struct Counts {
  int points = 0;
  int deaths = 0;
};

void fail_at(std::uint64_t io, FaultRepeat repeat, base::StatusCode code, CrashPolicy policy,
             std::uint64_t recovery_io, Counts& counts) {
  const std::string where = base::concat(
      "io ", io, repeat == FaultRepeat::kOnce ? " once" : " for ever", " code ",
      static_cast<int>(code), " policy ", static_cast<int>(policy), " recovery io ", recovery_io);
  SimServer server(1);
  server.files().set_fail_at(io, repeat, code);
  std::vector<Submitted> submitted;
  if (server.open().ok()) submitted = run_script(server);
  if (server.died()) ++counts.deaths;
  ++counts.points;
  server.power_cut(policy);
  if (recovery_io > 0) {
    server.files().set_fail_at(server.files().io_count() + recovery_io, FaultRepeat::kOnce);
    const base::Status first = server.open();
    if (first.ok()) check(server, submitted, where + " (first recovery)");
    server.power_cut(policy);
  }
  const base::Status opened = server.open();
  ASSERT_TRUE(opened.ok()) << where << ": " << opened.to_string();
  check(server, submitted, where);
  check_progress(server, where);
}

TEST(StandaloneCrash, EveryFailingIoLosesNothingAcknowledged) {
  const std::uint64_t ios = ios_of_script();
  ASSERT_GT(ios, 100U);
  Counts counts;
  for (std::uint64_t io = 1; io <= ios; ++io) {
    for (const CrashPolicy policy : kPolicies) {
      for (const FaultRepeat repeat : {FaultRepeat::kOnce, FaultRepeat::kForEver}) {
        for (const auto code : {base::StatusCode::kIoError, base::StatusCode::kNoSpace}) {
          fail_at(io, repeat, code, policy, 0, counts);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  RecordProperty("points", counts.points);
  std::printf("[  POINTS  ] %d failing points, %d ended the process\n", counts.points,
              counts.deaths);
  EXPECT_GE(counts.points, 1'500);
  EXPECT_GT(counts.deaths, 100);
}

TEST(StandaloneCrash, AFaultDuringRecoveryChangesNothing) {
  const std::uint64_t ios = ios_of_script();
  Counts counts;
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t io = 1 + static_cast<std::uint64_t>(i) * 7 % ios;
    const std::uint64_t recovery_io = 1 + static_cast<std::uint64_t>(i) * 13 % 60;
    fail_at(io, i % 2 == 0 ? FaultRepeat::kOnce : FaultRepeat::kForEver, base::StatusCode::kIoError,
            kPolicies[i % 3], recovery_io, counts);
    if (HasFatalFailure()) return;
  }
  std::printf("[  POINTS  ] %d double faults\n", counts.points);
  EXPECT_GE(counts.points, 200);
}

TEST(StandaloneCrash, AKilledProcessLosesNothingAcknowledged) {
  for (std::uint64_t steps = 1; steps < 400; steps += 3) {
    SimServer server(steps);
    ASSERT_TRUE(server.open().ok());
    std::vector<Submitted> submitted;
    for (int i = 0; i < kTransactions; ++i) submitted.push_back({i, server.submit(transaction(i))});
    for (std::uint64_t i = 0; i < steps; ++i) server.loop().step();
    server.files().kill();
    server.stop_process();
    server.files().restart();
    ASSERT_TRUE(server.open().ok());
    check(server, submitted, base::concat("killed after ", steps, " steps"));
    if (HasFatalFailure()) return;
    check_progress(server, "after a kill");
  }
}

}  // namespace
}  // namespace synod::router
