// SPDX-License-Identifier: Apache-2.0
#include "router/cold_reads.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/router/sim_server.h"

namespace synod::router {
namespace {

using Verdict = ColdReads::Verdict;

/// A pool of two threads for three jobs that wait.
class ColdReadsPool : public testing::Test {
 protected:
  ColdReadsPool()
      : loop(3), first(loop.add_dispatcher()), second(loop.add_dispatcher()), held(first) {}

  bool push(ColdReads& pool, const std::string& name,
            std::optional<base::Nanos> deadline = std::nullopt) {
    ColdReads::Job job{deadline, [this, name](Verdict verdict) {
                         heard.push_back(base::concat(name, ":", static_cast<int>(verdict)));
                       }};
    const bool is_taken = pool.push(job);
    EXPECT_EQ(is_taken, !job.run) << "a job that was not taken stays with its caller";
    return is_taken;
  }

  base::SimLoop loop;
  base::SimDispatcher& first;
  base::SimDispatcher& second;
  HeldDispatcher held;
  std::vector<std::string> heard;
};

TEST_F(ColdReadsPool, RunsWhatWaitsInTheOrderItCame) {
  ColdReads pool({&first}, 3);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(push(pool, name));
  EXPECT_TRUE(heard.empty());
  loop.run_for(base::Millis(1));
  EXPECT_EQ(heard, (std::vector<std::string>{"a:0", "b:0", "c:0"}));
}

TEST_F(ColdReadsPool, RefusesWhatIsTooMuchAndTakesItLater) {
  ColdReads pool({&held}, 3);
  held.hold(true);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(push(pool, name));
  EXPECT_FALSE(push(pool, "d"));
  StorageWaits waits;
  pool.add_to(waits);
  EXPECT_EQ(waits.jobs_waiting, 3U);
  EXPECT_EQ(waits.jobs_refused, 1U);
  held.hold(false);
  loop.run_for(base::Millis(1));
  EXPECT_EQ(heard.size(), 3U);
  EXPECT_TRUE(push(pool, "e"));
  loop.run_for(base::Millis(1));
  EXPECT_EQ(heard.back(), "e:0");
}

TEST_F(ColdReadsPool, AThreadThatStandsStillHoldsUpOneJobAtMost) {
  ColdReads pool({&held, &second}, 100);
  held.hold(true);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(push(pool, std::to_string(i)));
  loop.run_for(base::Millis(1));
  EXPECT_EQ(heard.size(), 20U) << "whoever is free takes the next";
}

TEST_F(ColdReadsPool, TellsWhoComesTooLate) {
  ColdReads pool({&held}, 3);
  held.hold(true);
  EXPECT_TRUE(push(pool, "late", loop.now() + base::Millis(5)));
  EXPECT_TRUE(push(pool, "patient", loop.now() + base::Millis(500)));
  loop.run_for(base::Millis(50));
  held.hold(false);
  loop.run_for(base::Millis(1));
  EXPECT_EQ(heard, (std::vector<std::string>{"late:1", "patient:0"}));
}

TEST_F(ColdReadsPool, EndsWhatWaitsWhenItIsClosed) {
  ColdReads pool({&held}, 3);
  held.hold(true);
  EXPECT_TRUE(push(pool, "a"));
  EXPECT_TRUE(push(pool, "b"));
  pool.close();
  EXPECT_EQ(heard, (std::vector<std::string>{"a:2", "b:2"}));
  EXPECT_FALSE(push(pool, "c"));
  held.hold(false);
  loop.run_for(base::Millis(1));
  EXPECT_EQ(heard.size(), 2U);
}

/// A server whose tables have room for a tenth of their values.
class SmallMemory : public testing::Test {
 protected:
  static constexpr int kKeys = 400;

  explicit SmallMemory(std::uint64_t seed = 21) : server(seed) {
    server.options().database.memory_bytes_max = 160U << 10;
    server.options().database.snapshot_window = base::Millis(200);
    server.options().pipeline.backlog_bytes_max = 64U << 10;
  }
  void SetUp() override {
    ASSERT_TRUE(server.open().ok());
    for (int i = 0; i < kKeys; ++i) {
      (void)server.submit(operation_of({set_step(key(i), value(i))}));
      server.settle();
    }
    server.loop().run_for(std::chrono::seconds(1));
    for (const auto& outcome : server.outcomes()) ASSERT_TRUE(outcome && outcome->ok());
    ASSERT_GT(status().memory.spilled_values, kKeys / 2U);
  }

  static std::string key(int i) { return base::concat("k", 1000 + i); }
  static std::string value(int i) { return base::concat(i, std::string(4'000, 'v')); }
  StoreStatus status() {
    StoreStatus status;
    server.store().status([&](StoreStatus now) { status = std::move(now); });
    server.loop().run_for(base::Millis(1));
    return status;
  }
  /// Begins a read; the answer comes into replies[name].
  void read(const std::string& name, const RequestContext& context = {}) {
    core::PointReadRequest request;
    request.key = name;
    server.store().router().read(request, context, [this, name](core::PointReadReply reply) {
      replies[name].push_back(std::move(reply));
    });
  }
  static core::Step append(const std::string& key, const std::string& tail) {
    core::Step step;
    step.kind = core::StepKind::kAppend;
    step.key = key;
    step.value = tail;
    return step;
  }
  void wait() { server.loop().run_for(base::Millis(200)); }

  SimServer server;
  std::map<std::string, std::vector<core::PointReadReply>> replies;
};

TEST_F(SmallMemory, EveryValueIsReadBackWhileWritesGoOn) {
  for (int i = 0; i < kKeys; ++i) {
    read(key(i));
    if (i % 3 == 0) (void)server.submit(operation_of({set_step("other", value(i))}));
    if (i % 7 == 0) server.loop().step();
  }
  server.settle();
  wait();
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_EQ(replies[key(i)].size(), 1U) << key(i);
    ASSERT_EQ(replies[key(i)][0].code, core::OutcomeCode::kOk);
    ASSERT_EQ(replies[key(i)][0].value, value(i));
    ASSERT_FALSE(replies[key(i)][0].is_cold);
  }
  const DatabaseCounters counters = server.store().router().counters();
  EXPECT_GT(counters.cache_misses, kKeys / 2);
  EXPECT_EQ(counters.cache_hits + counters.cache_misses, counters.reads);
}

TEST_F(SmallMemory, ARangeOverWhatIsOnDiskIsComplete) {
  core::RangeReadRequest request;
  request.begin = key(0);
  std::optional<core::RangeReadReply> reply;
  server.store().router().read_range(
      request, {}, [&](core::RangeReadReply answer) { reply = std::move(answer); });
  EXPECT_FALSE(reply.has_value()) << "nobody waits for the disk on the caller's thread";
  wait();
  ASSERT_TRUE(reply && reply->code == core::OutcomeCode::kOk);
  ASSERT_EQ(reply->rows.size(), static_cast<std::size_t>(kKeys));
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_EQ(reply->rows[static_cast<std::size_t>(i)].second, value(i));
  }
}

TEST_F(SmallMemory, WhatIsInMemoryIsReadWhileThePoolStandsStill) {
  (void)server.submit(operation_of({set_step("hot", "1")}));
  server.settle();
  server.hold_readers(true);
  for (int i = 0; i < 50; ++i) read(key(i));
  read("hot");
  ASSERT_EQ(replies["hot"].size(), 1U) << "answered within the call";
  EXPECT_EQ(replies["hot"][0].value, "1");
  server.hold_readers(false);
  wait();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(replies[key(i)].size(), 1U);
}

TEST_F(SmallMemory, AReadBeyondItsDeadlineIsATimeout) {
  server.hold_readers(true);
  RequestContext context;
  context.deadline = server.loop().now() + base::Millis(10);
  read(key(0), context);
  ASSERT_TRUE(replies[key(0)].empty()) << "the value is on disk";
  wait();
  server.hold_readers(false);
  wait();
  ASSERT_EQ(replies[key(0)].size(), 1U);
  EXPECT_EQ(replies[key(0)][0].code, core::OutcomeCode::kTimeout);
}

TEST_F(SmallMemory, TooManyReadsOfTheDiskAreBusy) {
  server.hold_readers(true);
  std::size_t busy = 0;
  for (std::size_t i = 0; i < ColdReads::kWaitingMax + 10; ++i) {
    core::PointReadRequest request;
    request.key = key(0);
    server.store().router().read(request, {}, [&](core::PointReadReply reply) {
      if (reply.code == core::OutcomeCode::kBusy) ++busy;
    });
  }
  EXPECT_EQ(busy, 10U);
  EXPECT_EQ(status().waits.jobs_refused, 10U);
  EXPECT_EQ(status().waits.jobs_waiting, ColdReads::kWaitingMax);
}

TEST_F(SmallMemory, AStopAnswersReadsAndOperationsThatWaitForTheDisk) {
  server.hold_readers(true);
  read(key(0));
  const auto position = server.submit(operation_of({append(key(1), "x")}));
  ASSERT_TRUE(replies[key(0)].empty());
  ASSERT_TRUE(server.store().close().ok());
  ASSERT_EQ(replies[key(0)].size(), 1U);
  EXPECT_EQ(replies[key(0)][0].code, core::OutcomeCode::kBusy);
  ASSERT_TRUE(server.outcomes()[position].has_value());
  EXPECT_EQ(server.outcomes()[position]->code, core::OutcomeCode::kBusy);
}

TEST_F(SmallMemory, WritesOfOneCallerKeepTheirOrderAroundAWarmedOne) {
  server.hold_readers(true);
  const auto first = server.submit(operation_of({append(key(0), "-first")}));
  const auto second = server.submit(operation_of({set_step("plain", "2")}));
  const auto third = server.submit(operation_of({append(key(0), "-third")}));
  wait();
  EXPECT_FALSE(server.outcomes()[second].has_value()) << "it stands behind the first";
  EXPECT_EQ(status().waits.operations_waiting, 3U);
  server.hold_readers(false);
  server.settle();
  const auto version = [&](std::size_t position) { return server.outcomes()[position]->version; };
  ASSERT_TRUE(server.outcomes()[first]->ok());
  EXPECT_LT(version(first), version(second));
  EXPECT_LT(version(second), version(third));
  read(key(0));
  wait();
  EXPECT_EQ(replies[key(0)].at(0).value, value(0) + "-first-third");
  const StoreStatus now = status();
  EXPECT_EQ(now.waits.operations_waiting, 0U);
  EXPECT_GT(now.waits.operations_warmed, 0U);
  EXPECT_EQ(now.memory.apply_fetches, 0U) << "the executing thread waited for the disk";
}

TEST_F(SmallMemory, WritesOfAnotherCallerGoPast) {
  server.hold_readers(true);
  const auto held = server.submit(operation_of({append(key(0), "x")}));
  base::SimDispatcher& worker = server.loop().add_dispatcher();
  RequestContext context;
  context.worker = &worker;
  std::optional<core::Outcome> outcome;
  server.store().router().submit(operation_of({set_step("plain", "2")}), context,
                                 [&](core::Outcome answer) { outcome = std::move(answer); });
  wait();
  EXPECT_TRUE(outcome && outcome->ok());
  EXPECT_FALSE(server.outcomes()[held].has_value());
}

TEST_F(SmallMemory, AWarmedOperationBeyondItsDeadlineIsNotExecuted) {
  server.hold_readers(true);
  RequestContext context;
  context.deadline = server.loop().now() + base::Millis(10);
  std::optional<core::Outcome> outcome;
  server.store().router().submit(operation_of({append(key(0), "x")}), context,
                                 [&](core::Outcome answer) { outcome = std::move(answer); });
  wait();
  server.hold_readers(false);
  wait();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->code, core::OutcomeCode::kTimeout);
  read(key(0));
  wait();
  EXPECT_EQ(replies[key(0)].at(0).value, value(0));
}

TEST_F(SmallMemory, ARestartKeepsWhatIsOnDisk) {
  server.power_cut(storage::CrashPolicy::kLost);
  ASSERT_TRUE(server.open().ok());
  server.loop().run_for(std::chrono::seconds(1));
  for (int i = 0; i < kKeys; ++i) read(key(i));
  wait();
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_EQ(replies[key(i)].size(), 1U);
    ASSERT_EQ(replies[key(i)][0].value, value(i));
  }
  EXPECT_GT(status().memory.spilled_values, kKeys / 2U);
}

}  // namespace
}  // namespace synod::router
