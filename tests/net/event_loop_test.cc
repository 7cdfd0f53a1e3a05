// SPDX-License-Identifier: Apache-2.0
#include "net/event_loop.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <future>
#include <thread>
#include <vector>

#include "net/worker.h"

namespace synod::net {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, RunsTasksInPostedOrder) {
  Worker worker("order");
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) worker.dispatcher().post([&seen, i] { seen.push_back(i); });
  worker.start();
  worker.stop();
  worker.join();
  ASSERT_EQ(seen.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(EventLoop, KeepsTheOrderOfEachPostingThread) {
  Worker worker("threads");
  worker.start();
  std::vector<std::pair<int, int>> seen;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        worker.dispatcher().post([&seen, t, i] { seen.emplace_back(t, i); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  worker.stop();
  worker.join();
  ASSERT_EQ(seen.size(), 20000U);
  std::array<int, 4> next{};
  for (const auto& [thread, i] : seen) EXPECT_EQ(i, next[static_cast<std::size_t>(thread)]++);
}

TEST(EventLoop, WhatIsLeftForTheEndRunsBeforeTheNextTask) {
  Worker worker("ends");
  std::vector<int> seen;
  EventLoop& loop = worker.dispatcher();
  loop.post([&] {
    loop.at_step_end([&] { seen.push_back(2); });
    seen.push_back(1);
  });
  loop.post([&] { seen.push_back(3); });  // Of the same batch, and it might block.
  worker.start();
  worker.stop();
  worker.join();
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
}

TEST(EventLoop, KnowsItsOwnThread) {
  Worker worker("current");
  worker.start();
  std::promise<bool> inside;
  worker.dispatcher().post([&] { inside.set_value(worker.dispatcher().is_current()); });
  EXPECT_TRUE(inside.get_future().get());
  EXPECT_FALSE(worker.dispatcher().is_current());
}

TEST(EventLoop, RunsATimerNotBeforeItsDelay) {
  Worker worker("timer");
  worker.start();
  auto& dispatcher = worker.dispatcher();
  const auto begin = dispatcher.clock().boot_time();
  std::promise<base::Nanos> fired;
  dispatcher.run_after(milliseconds(30), [&] { fired.set_value(dispatcher.clock().boot_time()); });
  EXPECT_GE(fired.get_future().get() - begin, milliseconds(30));
}

TEST(EventLoop, NeverRunsACancelledTimer) {
  Worker worker("cancel");
  worker.start();
  auto& dispatcher = worker.dispatcher();
  std::promise<void> done;
  bool ran = false;
  dispatcher.post([&] {
    // Both are due in the same turn; the first cancels the second after it became due.
    auto second = std::make_shared<base::TimerId>();
    dispatcher.run_after(milliseconds(1), [&dispatcher, second] { dispatcher.cancel(*second); });
    *second = dispatcher.run_after(milliseconds(1), [&ran] { ran = true; });
    dispatcher.run_after(milliseconds(20), [&done] { done.set_value(); });
    const auto until = dispatcher.clock().boot_time() + milliseconds(5);
    while (dispatcher.clock().boot_time() < until) {
    }
  });
  done.get_future().wait();
  EXPECT_FALSE(ran);
}

TEST(EventLoop, DropsWhatIsLeftWhenDestroyed) {
  auto owned = std::make_shared<int>(1);
  {
    EventLoop dispatcher;
    dispatcher.post([owned] {});
    dispatcher.run_after(milliseconds(1), [owned] {});
    // A dropped task may post from its destructor.
    struct Poster {
      EventLoop* target;
      std::shared_ptr<int> token;
      ~Poster() {
        if (token != nullptr) target->post([] {});
      }
      Poster(EventLoop* to, std::shared_ptr<int> held) : target(to), token(std::move(held)) {}
      Poster(Poster&&) = default;
      Poster(const Poster&) = delete;
    };
    dispatcher.post([poster = Poster(&dispatcher, owned)] {});
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(Worker, NamesItsThread) {
  Worker worker("a-name-longer-than-linux-keeps");
  worker.start();
  std::promise<std::string> name;
  worker.dispatcher().post([&] {
    std::array<char, 16> buffer{};
    pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
    name.set_value(buffer.data());
  });
  EXPECT_EQ(name.get_future().get(), "a-name-longer-t");
}

TEST(Worker, StartsAgainAfterJoin) {
  Worker worker("again");
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    worker.dispatcher().post([&runs] { ++runs; });
    worker.start();
    worker.stop();
    worker.join();
  }
  EXPECT_EQ(runs, 3);
}

}  // namespace
}  // namespace synod::net
