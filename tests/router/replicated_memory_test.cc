// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/text.h"
#include "router/replicated_state_machine.h"
#include "tests/router/sim_group.h"

namespace synod::router {
namespace {

constexpr int kKeys = 200;

std::string key(int i) { return base::concat("k", 1000 + i); }
std::string value(int i) { return base::concat(i, std::string(2'000, 'v')); }

/// Three replicas whose tables have room for a small part of their values.
class SmallReplicas : public testing::Test {
 protected:
  SmallReplicas() : group(170) {
    for (std::size_t node = 0; node < 3; ++node) {
      ReplicatedOptions& options = group.options(node);
      options.database.memory_bytes_max = 80U << 10;
      options.database.snapshot_window = base::Millis(200);
      options.runtime.state.flush_every_slots = 20;
      options.runtime.state.snapshot_every_slots = 40;
      options.runtime.keep_slots = 10;
    }
  }
  void SetUp() override {
    ASSERT_TRUE(group.form());
    for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(group.execute(0, write(key(i), value(i))).ok());
    ASSERT_TRUE(group.converge());
    group.run_for(std::chrono::seconds(1));
    for (std::size_t node = 0; node < 3; ++node) {
      ASSERT_GT(group.status(node)->memory.spilled_values, kKeys / 2U) << node;
    }
    leader = *group.leader();
    follower = leader == 0 ? 1 : 0;
  }
  /// Begins a local read; the answer comes into `reply`.
  void begin_read(std::size_t node, int i, std::optional<core::PointReadReply>& reply) {
    core::PointReadRequest request;
    request.key = key(i);
    RequestContext context;
    context.read_level = ReadLevel::kLocal;
    group.store(node).router().read(
        request, context, [&reply](core::PointReadReply answer) { reply = std::move(answer); });
  }

  SimGroup group;
  std::size_t leader = 0;
  std::size_t follower = 0;
};

TEST_F(SmallReplicas, EveryValueIsReadBackAtEveryNode) {
  for (std::size_t node = 0; node < 3; ++node) {
    for (int i = 0; i < kKeys; i += 3) ASSERT_EQ(group.get(node, key(i)), value(i));
    EXPECT_GT(group.store(node).router().counters().cache_misses, kKeys / 6) << node;
  }
  const auto report = group.verify(leader, true);
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->status.ok()) << report->status.to_string();
}

TEST_F(SmallReplicas, WhatIsReadComesBackWithoutAWrite) {
  // What was on its way back and has no room waits no longer.
  group.run_for(std::chrono::seconds(6));
  const auto before = group.status(follower);
  const consensus::Slot applied = group.store(follower).machine().applied();
  std::optional<core::PointReadReply> reply;
  begin_read(follower, 0, reply);
  ASSERT_TRUE(group.run_until([&] { return reply.has_value(); }));
  group.run_for(std::chrono::seconds(1));
  const auto after = group.status(follower);
  EXPECT_EQ(group.store(follower).machine().applied(), applied) << "somebody wrote";
  EXPECT_GT(after->memory.values_warmed, before->memory.values_warmed);
}

TEST_F(SmallReplicas, AReadThatWaitsForTheDiskOutlivesItsImage) {
  group.hold_reader(follower, true);
  std::optional<core::PointReadReply> reply;
  begin_read(follower, 0, reply);
  ASSERT_FALSE(reply.has_value()) << "the value is on disk";
  group.isolate(follower);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(group.execute(leader, increment("n")).ok());
  ASSERT_GT(group.status(leader)->group->log_base, 300U);
  const std::string before = group.store(follower).machine().image()->directory;
  group.heal();
  ASSERT_TRUE(group.run_until([&] {
    return group.store(follower).machine().image()->directory != before;
  })) << "no other image took its place";
  EXPECT_FALSE(reply.has_value());
  group.hold_reader(follower, false);
  ASSERT_TRUE(group.run_until([&] { return reply.has_value(); }));
  EXPECT_EQ(reply->code, core::OutcomeCode::kOk);
  EXPECT_EQ(reply->value, value(0));
  ASSERT_TRUE(group.converge());
  EXPECT_EQ(group.get(follower, key(1)), value(1));
}

TEST_F(SmallReplicas, OperationsThatNeedTheDiskAreWarmedWhereTheyAreSubmitted) {
  for (int i = 0; i < kKeys; i += 5) {
    core::KvOperation operation;
    core::Step step;
    step.kind = core::StepKind::kAppend;
    step.key = key(i);
    step.value = "-tail";
    operation.steps.push_back(step);
    ASSERT_TRUE(group.execute(leader, operation).ok());
  }
  ASSERT_TRUE(group.converge());
  const auto at_leader = group.status(leader);
  EXPECT_GT(at_leader->waits.operations_warmed, 20U);
  // What comes back finds no room now and then: the tables are full.
  EXPECT_LT(at_leader->memory.apply_fetches, at_leader->waits.operations_warmed / 2);
  for (std::size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(group.get(node, key(5)), value(5) + "-tail");
  }
}

TEST_F(SmallReplicas, AStopAnswersAReadThatWaitsForTheDisk) {
  group.hold_reader(follower, true);
  std::optional<core::PointReadReply> reply;
  begin_read(follower, 0, reply);
  ASSERT_FALSE(reply.has_value());
  ASSERT_TRUE(group.shut_down(follower).ok());
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->code, core::OutcomeCode::kBusy);
}

}  // namespace
}  // namespace synod::router
