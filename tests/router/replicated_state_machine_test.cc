// SPDX-License-Identifier: Apache-2.0
#include "router/replicated_state_machine.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/router/machine_rig.h"

namespace synod::router {
namespace {

using storage::CrashPolicy;

void policy(DecidedLog& log) {
  core::KvOperation operation;
  operation.kind = core::OperationKind::kPolicy;
  operation.policy = core::Policy();
  log.operation(std::move(operation));
}

TEST(ReplicatedStateMachine, TellsEveryKindOfDeliveryInItsPlace) {
  DecidedLog log;
  log.barrier(1, 1);
  log.set("early", "no policy yet");
  policy(log);
  log.set("a", "1");
  log.fill();
  log.barrier(4, 2);
  log.set("a", "2", true);
  log.hash_mark();
  log.learner(5, true);
  log.stop_sign();
  base::SimLoop loop(1);
  MachineRig rig(loop, 1, log);
  ASSERT_TRUE(rig.open().ok());
  EXPECT_EQ(rig.applied(), 0U);
  rig.apply_until(10);
  EXPECT_EQ(rig.heard(),
            (std::vector<std::string>{"fence 1.1.1 at 1", "executed 1 at 2 INVALID_OPERATION",
                                      "executed 2 at 3 ", "executed 3 at 4 ", "fence 1.4.2 at 6",
                                      "fenced 4 at 7", "mark 5 at 8"}));
  EXPECT_TRUE(rig.agrees_with_log());
  EXPECT_EQ(rig.machine().label().chain.configurations.size(), 2U);
  EXPECT_EQ(rig.machine().image()->database->key_count(), 1U);
}

TEST(ReplicatedStateMachine, ACommandThatDoesNotDecodeEndsIt) {
  DecidedLog log;
  log.barrier(1, 1);
  log.raw_command("damaged");
  base::SimLoop loop(2);
  MachineRig rig(loop, 2, log);
  ASSERT_TRUE(rig.open().ok());
  rig.apply_until(2);
  EXPECT_FALSE(rig.failure().ok());
}

TEST(ReplicatedStateMachine, BeginsWithTheFirstChainAndRefusesAnEmptyStateWithoutOne) {
  DecidedLog log;
  log.barrier(1, 1);
  base::SimLoop loop(3);
  MachineRig rig(loop, 3, log);
  EXPECT_EQ(rig.open("image-0").code(), base::StatusCode::kCorruption);
  ASSERT_TRUE(rig.open().ok());
  EXPECT_TRUE(rig.agrees_with_log());
  // The label row is durable before anything else happens.
  rig.power_cut(CrashPolicy::kLost);
  rig.options().first_chain.reset();
  ASSERT_TRUE(rig.open().ok());
  EXPECT_TRUE(rig.agrees_with_log());
}

TEST(ReplicatedStateMachine, FlushedSlotsSurviveAndAreNamedDurable) {
  DecidedLog log;
  log.random_entries(4, 60);
  base::SimLoop loop(4);
  MachineRig rig(loop, 4, log);
  ASSERT_TRUE(rig.open().ok());
  for (const std::uint64_t slot : {2U, 3U, 20U, 41U}) {
    rig.apply_until(slot);
    ASSERT_TRUE(rig.flush().ok());
    EXPECT_GE(rig.machine().durable_applied().value(), slot);
    rig.power_cut(CrashPolicy::kLost);
    ASSERT_TRUE(rig.open().ok());
    EXPECT_EQ(rig.applied(), slot);
    EXPECT_TRUE(rig.agrees_with_log());
  }
}

TEST(ReplicatedStateMachine, AfterACrashAnywhereTheStateIsThatOfOneSlot) {
  DecidedLog log;
  log.random_entries(5, 40);
  for (const auto cut : {CrashPolicy::kLost, CrashPolicy::kTorn, CrashPolicy::kReordered}) {
    for (std::uint64_t point = 1;; ++point) {
      base::SimLoop loop(point);
      MachineRig rig(loop, point, log);
      ASSERT_TRUE(rig.open().ok());
      const std::uint64_t first = rig.files().io_count() + point;
      rig.files().set_fail_at(first, storage::FaultRepeat::kForEver);
      for (std::uint64_t slot = 1; slot + 4 <= log.size(); slot += 4) {
        (void)rig.apply(slot, slot + 3);
        loop.run_for(std::chrono::milliseconds(1));
        if (slot % 12 == 1) {
          rig.machine().take_snapshot([](auto) {});
          loop.run_for(std::chrono::milliseconds(1));
        }
      }
      const bool is_reached = rig.files().io_count() >= first;
      const std::uint64_t durable = rig.machine().durable_applied().value();
      rig.power_cut(cut);
      ASSERT_TRUE(rig.open().ok()) << "point " << point;
      ASSERT_GE(rig.applied(), durable) << "point " << point;
      ASSERT_TRUE(rig.agrees_with_log()) << "point " << point;
      for (const auto& name : rig.list("/data/snap")) {
        ASSERT_TRUE(rig.files().exists(base::concat("/data/snap/", name, "/manifest")));
      }
      rig.apply_until(log.size());
      ASSERT_TRUE(rig.agrees_with_log()) << "point " << point;
      if (!is_reached) break;
    }
  }
}

TEST(ReplicatedStateMachine, HoldsBatchesWhileTheBackendIsBehindAndKeepsTheirOrder) {
  DecidedLog log;
  log.random_entries(6, 80);
  base::SimLoop loop(6);
  MachineRig rig(loop, 6, log);
  rig.options().backlog_bytes_max = 250;
  ASSERT_TRUE(rig.open().ok());
  rig.refuse_writes(true);
  const auto first = rig.apply(1, 30);
  const auto second = rig.apply(31, 50);
  const auto third = rig.apply(51, log.size());
  rig.settle();
  EXPECT_FALSE(*first || *second || *third);
  EXPECT_LT(rig.applied(), 30U);
  EXPECT_TRUE(rig.agrees_with_log());
  rig.refuse_writes(false);
  rig.settle();
  EXPECT_TRUE(*first && *second && *third);
  EXPECT_EQ(rig.applied(), log.size());
  EXPECT_TRUE(rig.agrees_with_log());
}

TEST(ReplicatedStateMachine, AFlushWaitsForSpaceInsteadOfFailing) {
  DecidedLog log;
  log.random_entries(7, 20);
  base::SimLoop loop(7);
  MachineRig rig(loop, 7, log);
  ASSERT_TRUE(rig.open().ok());
  rig.refuse_writes(true);
  rig.apply_until(20);
  bool is_flushed = false;
  rig.machine().flush([&](const base::Status& status) { is_flushed = status.ok(); });
  rig.settle();
  EXPECT_FALSE(is_flushed);
  rig.refuse_writes(false);
  rig.settle();
  EXPECT_TRUE(is_flushed);
  EXPECT_EQ(rig.machine().durable_applied().value(), 20U);
}

}  // namespace
}  // namespace synod::router
