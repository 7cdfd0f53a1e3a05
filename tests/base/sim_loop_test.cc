// SPDX-License-Identifier: Apache-2.0
#include "base/sim_loop.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace synod::base {
namespace {

using std::chrono::milliseconds;

TEST(SimLoop, TasksOfOneDispatcherRunInOrder) {
  SimLoop loop(1);
  SimDispatcher& dispatcher = loop.add_dispatcher();
  std::vector<int> ran;
  for (int i = 0; i < 10; ++i) dispatcher.post([&ran, i] { ran.push_back(i); });
  while (loop.step()) {
  }
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(loop.steps(), 10U);
}

TEST(SimLoop, TimeMovesOnlyToTheNextTimer) {
  SimLoop loop(1);
  SimDispatcher& dispatcher = loop.add_dispatcher();
  const Nanos start = loop.now();
  std::vector<Nanos> fired;
  dispatcher.run_after(milliseconds(20), [&] { fired.push_back(loop.now() - start); });
  dispatcher.run_after(milliseconds(5), [&] { fired.push_back(loop.now() - start); });
  dispatcher.run_after(milliseconds(-3), [&] { fired.push_back(loop.now() - start); });
  dispatcher.post([&] { EXPECT_EQ(loop.now(), start); });
  while (loop.step()) {
  }
  EXPECT_EQ(fired, (std::vector<Nanos>{Nanos(0), milliseconds(5), milliseconds(20)}));
}

TEST(SimLoop, EqualTimesFireInTheOrderTheyWereSet) {
  SimLoop loop(1);
  SimDispatcher& a = loop.add_dispatcher();
  SimDispatcher& b = loop.add_dispatcher();
  std::string order;
  a.run_after(milliseconds(5), [&] { order += 'a'; });
  b.run_after(milliseconds(5), [&] { order += 'b'; });
  a.run_after(milliseconds(5), [&] { order += 'c'; });
  loop.run_for(milliseconds(5));
  EXPECT_EQ(order, "abc");
}

TEST(SimLoop, ACancelledTimerNeverRuns) {
  SimLoop loop(1);
  SimDispatcher& dispatcher = loop.add_dispatcher();
  bool ran = false;
  const TimerId timer = dispatcher.run_after(milliseconds(5), [&] { ran = true; });
  dispatcher.run_after(milliseconds(1), [&] { dispatcher.cancel(timer); });
  loop.run_for(milliseconds(100));
  EXPECT_FALSE(ran);
  dispatcher.cancel(timer);          // again: a no-op
  dispatcher.cancel(TimerId(9999));  // never set: a no-op
}

TEST(SimLoop, CancellingAFiredTimerIsANoOp) {
  SimLoop loop(1);
  SimDispatcher& dispatcher = loop.add_dispatcher();
  int ran = 0;
  const TimerId first = dispatcher.run_after(milliseconds(1), [&] { ++ran; });
  loop.run_for(milliseconds(2));
  dispatcher.run_after(milliseconds(1), [&] { ++ran; });
  dispatcher.cancel(first);
  loop.run_for(milliseconds(2));
  EXPECT_EQ(ran, 2);
}

TEST(SimLoop, RunUntilStopsAtItsDeadline) {
  SimLoop loop(1);
  SimDispatcher& dispatcher = loop.add_dispatcher();
  int ran = 0;
  dispatcher.run_after(milliseconds(10), [&] { ++ran; });
  dispatcher.run_after(milliseconds(11), [&] { ++ran; });
  const Nanos start = loop.now();
  loop.run_until(start + milliseconds(10));
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(loop.now(), start + milliseconds(10));
  EXPECT_TRUE(loop.run_until_done([&] { return ran == 2; }));
  EXPECT_FALSE(loop.run_until_done([] { return false; }));
}

TEST(SimLoop, OnlyTheRunningDispatcherIsCurrent) {
  SimLoop loop(1);
  SimDispatcher& a = loop.add_dispatcher();
  SimDispatcher& b = loop.add_dispatcher();
  EXPECT_FALSE(a.is_current());
  a.post([&] {
    EXPECT_TRUE(a.is_current());
    EXPECT_FALSE(b.is_current());
  });
  loop.step();
  EXPECT_FALSE(a.is_current());
}

TEST(SimLoop, TheWallClockJumpsAndBootTimeDoesNot) {
  SimLoop loop(1);
  const Nanos boot = loop.clock().boot_time();
  const Nanos wall = loop.clock().wall_time();
  loop.jump_wall_clock(std::chrono::hours(-1));
  EXPECT_EQ(loop.clock().boot_time(), boot);
  EXPECT_EQ(loop.clock().wall_time(), wall - std::chrono::hours(1));
}

TEST(SimLoop, DropTasksForgetsExactlyOneDispatcher) {
  SimLoop loop(1);
  SimDispatcher& crashed = loop.add_dispatcher();
  SimDispatcher& alive = loop.add_dispatcher();
  int wrong = 0;
  int right = 0;
  crashed.post([&] { ++wrong; });
  const TimerId timer = crashed.run_after(milliseconds(1), [&] { ++wrong; });
  alive.post([&] { ++right; });
  alive.run_after(milliseconds(1), [&] { ++right; });
  loop.drop_tasks(crashed);
  crashed.cancel(timer);
  loop.run_for(milliseconds(10));
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(right, 2);
}

/// Cancels a timer when the task that owns it is dropped, as owners of timers do.
struct CancelsOnDeath {
  SimDispatcher& dispatcher;
  TimerId timer;
  ~CancelsOnDeath() { dispatcher.cancel(timer); }
};

TEST(SimLoop, DroppedTasksMayStillCancelTimers) {
  auto loop = std::make_unique<SimLoop>(1);
  SimDispatcher& dispatcher = loop->add_dispatcher();
  for (int round = 0; round < 3; ++round) {
    const TimerId inner = dispatcher.run_after(milliseconds(50), [] {});
    auto owner = std::make_unique<CancelsOnDeath>(dispatcher, inner);
    const TimerId outer = dispatcher.run_after(milliseconds(5), [kept = std::move(owner)] {});
    if (round == 0) dispatcher.cancel(outer);
    if (round == 1) loop->drop_tasks(dispatcher);
  }
  loop.reset();  // round 2: the loop dies with the timer set
}

/// A run in which three dispatchers keep posting to each other; returns what it looked like.
std::uint64_t busy_run(std::uint64_t seed, std::string& order) {
  SimLoop loop(seed);
  std::vector<SimDispatcher*> dispatchers;
  for (int i = 0; i < 3; ++i) dispatchers.push_back(&loop.add_dispatcher());
  std::function<void(std::size_t, int)> work = [&](std::size_t self, int left) {
    order += static_cast<char>('a' + self);
    if (left == 0) return;
    const std::size_t next = loop.random().below(3);
    dispatchers[next]->post([&work, next, left] { work(next, left - 1); });
    dispatchers[self]->run_after(milliseconds(loop.random().below(10)), [&order] { order += '.'; });
  };
  for (std::size_t i = 0; i < 3; ++i) dispatchers[i]->post([&work, i] { work(i, 50); });
  while (loop.step()) {
  }
  return loop.trace_hash();
}

TEST(SimLoop, SameSeedSameTrace) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::string first;
    std::string second;
    ASSERT_EQ(busy_run(seed, first), busy_run(seed, second));
    ASSERT_EQ(first, second);
  }
}

TEST(SimLoop, OtherSeedsExploreOtherInterleavings) {
  std::string first;
  std::string second;
  EXPECT_NE(busy_run(1, first), busy_run(2, second));
  EXPECT_NE(first, second);
}

TEST(SimLoop, WhatTestsTraceChangesTheHash) {
  SimLoop a(1);
  SimLoop b(1);
  EXPECT_EQ(a.trace_hash(), b.trace_hash());
  b.trace("read 7");
  EXPECT_NE(a.trace_hash(), b.trace_hash());
}

TEST(SimLoopDeathTest, ATaskMustNotRunItsOwnLoop) {
  SimLoop loop(1);
  SimDispatcher& dispatcher = loop.add_dispatcher();
  dispatcher.post([&loop] { loop.step(); });
  EXPECT_DEATH(loop.step(), "D1");
}

}  // namespace
}  // namespace synod::base
