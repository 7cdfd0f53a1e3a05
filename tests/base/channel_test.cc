// SPDX-License-Identifier: Apache-2.0
#include "base/channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace synod::base {
namespace {

using Channel = BoundedChannel<int>;

Channel::Push push(Channel& channel, int item, Priority priority = Priority::kNormal) {
  return channel.push(item, priority);
}

TEST(BoundedChannel, TellsTheProducerWhenToWakeTheConsumer) {
  Channel channel(3);
  EXPECT_EQ(push(channel, 1), Channel::Push::kQueuedFirst);
  EXPECT_EQ(push(channel, 2), Channel::Push::kQueued);
  EXPECT_EQ(channel.pop(), 1);
  EXPECT_EQ(channel.pop(), 2);
  EXPECT_EQ(channel.pop(), std::nullopt);
  EXPECT_EQ(push(channel, 3), Channel::Push::kQueuedFirst);
}

// CH1
TEST(BoundedChannel, RefusesBeyondItsCapacityAndLeavesTheItemAlone) {
  BoundedChannel<std::unique_ptr<std::string>> channel(1);
  auto first = std::make_unique<std::string>("first");
  auto second = std::make_unique<std::string>("second");
  using Push = BoundedChannel<std::unique_ptr<std::string>>::Push;
  EXPECT_EQ(channel.push(first), Push::kQueuedFirst);
  EXPECT_EQ(channel.push(second, Priority::kCritical), Push::kRefused);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, "second");
  EXPECT_EQ(channel.size(), 1U);
  EXPECT_EQ(channel.capacity(), 1U);
}

// CH2
TEST(BoundedChannel, MostUrgentFirstAndInOrderWithinAPriority) {
  Channel channel(8);
  push(channel, 30, Priority::kLow);
  push(channel, 20, Priority::kNormal);
  push(channel, 0, Priority::kCritical);
  push(channel, 10, Priority::kHigh);
  push(channel, 1, Priority::kCritical);
  push(channel, 31, Priority::kLow);
  std::vector<int> order;
  while (const auto item = channel.pop()) order.push_back(*item);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 10, 20, 30, 31}));
}

// CH3
TEST(BoundedChannel, NoPriorityStarvesHoweverFullTheOthersAre) {
  for (const Priority starving : {Priority::kHigh, Priority::kNormal, Priority::kLow}) {
    Channel channel(100);
    push(channel, 99, starving);
    std::uint32_t pops = 0;
    for (bool found = false; !found; ++pops) {
      ASSERT_LE(pops, 3 * Channel::kLowShare);
      for (int other = 0; other < 4; ++other) {
        if (static_cast<Priority>(other) != starving) {
          push(channel, other, static_cast<Priority>(other));
        }
      }
      found = channel.pop() == 99;
    }
  }
}

TEST(BoundedChannel, UrgentWorkKeepsMostOfTheShare) {
  Channel channel(2000);
  for (int i = 0; i < 1000; ++i) push(channel, 0, Priority::kCritical);
  for (int i = 0; i < 1000; ++i) push(channel, 1, Priority::kLow);
  int urgent = 0;
  for (int i = 0; i < 960; ++i) urgent += channel.pop() == 0 ? 1 : 0;
  EXPECT_GE(urgent, 900);
}

// CH2, with a backlog that is never empty: what was taken over before stays in front.
TEST(BoundedChannel, KeepsTheOrderOfWhatCameInSeveralBursts) {
  Channel channel(10'000);
  int pushed = 0;
  int popped = 0;
  for (int burst = 1; burst <= 60; ++burst) {
    for (int i = 0; i < burst; ++i) push(channel, pushed++);
    for (int i = 0; i < burst - 1; ++i) ASSERT_EQ(channel.pop(), popped++);
    ASSERT_EQ(channel.size(), static_cast<std::size_t>(pushed - popped));
  }
  while (popped < pushed) ASSERT_EQ(channel.pop(), popped++);
  EXPECT_EQ(channel.pop(), std::nullopt);
}

TEST(BoundedChannel, ManyProducersLoseAndDuplicateNothing) {
  constexpr int kProducers = 4;
  constexpr int kEach = 5000;
  Channel channel(64);
  std::atomic<int> running{kProducers};
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&channel, &running, p] {
      for (int i = 0; i < kEach; ++i) {
        const auto priority = static_cast<Priority>(p);
        while (push(channel, p * kEach + i, priority) == Channel::Push::kRefused) {
          std::this_thread::yield();
        }
      }
      --running;
    });
  }
  std::vector<int> last(kProducers, -1);
  int received = 0;
  while (received < kProducers * kEach) {
    const auto item = channel.pop();
    if (!item) {
      std::this_thread::yield();
      continue;
    }
    ++received;
    const auto producer = static_cast<std::size_t>(*item / kEach);
    ASSERT_EQ(*item % kEach, last[producer] + 1);  // CH2
    last[producer] = *item % kEach;
  }
  for (auto& producer : producers) producer.join();
  EXPECT_EQ(running.load(), 0);
  EXPECT_EQ(channel.pop(), std::nullopt);
}

}  // namespace
}  // namespace synod::base
