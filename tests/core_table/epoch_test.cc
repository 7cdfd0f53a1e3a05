// SPDX-License-Identifier: Apache-2.0
#include "core/table/epoch.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace synod::core {
namespace {

void count_destruction(void* counter) { ++*static_cast<int*>(counter); }

TEST(EpochManager, DestroysWhatNoReaderCanHold) {
  EpochManager epochs;
  int destroyed = 0;
  epochs.retire(&destroyed, count_destruction);
  EXPECT_EQ(epochs.retired_count(), 1U);
  EXPECT_EQ(destroyed, 0);
  epochs.collect();
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(epochs.retired_count(), 0U);
}

TEST(EpochManager, KeepsWhatAnEarlierReaderMayHold) {
  EpochManager epochs;
  int destroyed = 0;
  {
    const EpochManager::Guard guard = epochs.enter();
    epochs.retire(&destroyed, count_destruction);
    for (int i = 0; i < 5; ++i) epochs.collect();
    EXPECT_EQ(destroyed, 0);
  }
  epochs.collect();
  EXPECT_EQ(destroyed, 1);
}

TEST(EpochManager, IsNotHeldUpByAReaderThatCameAfterTheAdvance) {
  EpochManager epochs;
  int first = 0;
  int second = 0;
  auto early = std::make_unique<EpochManager::Guard>(epochs.enter());
  epochs.retire(&first, count_destruction);
  epochs.collect();
  const EpochManager::Guard late = epochs.enter();
  epochs.retire(&second, count_destruction);
  early.reset();
  epochs.collect();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(EpochManager, LetsGuardsNestAndMove) {
  EpochManager epochs;
  int destroyed = 0;
  auto outer = std::make_unique<EpochManager::Guard>(epochs.enter());
  auto inner = std::make_unique<EpochManager::Guard>(epochs.enter());
  epochs.retire(&destroyed, count_destruction);
  EpochManager::Guard moved = std::move(*outer);
  outer.reset();
  inner.reset();
  epochs.collect();
  EXPECT_EQ(destroyed, 0);
  inner = std::make_unique<EpochManager::Guard>(epochs.enter());
  moved = std::move(*inner);
  inner.reset();
  epochs.collect();
  EXPECT_EQ(destroyed, 1) << "the assigned-over guard has left its epoch";
}

TEST(EpochManager, DestroysAtMostTheAskedNumberInOrder) {
  EpochManager epochs;
  std::array<int, 3> destroyed{};
  for (int& counter : destroyed) epochs.retire(&counter, count_destruction);
  epochs.collect(2);
  EXPECT_EQ(destroyed, (std::array<int, 3>{1, 1, 0}));
  epochs.collect(2);
  EXPECT_EQ(destroyed, (std::array<int, 3>{1, 1, 1}));
}

struct Chain {
  EpochManager* epochs;
  int* destroyed;
  int links;
};

void destroy_link(void* object) {
  std::unique_ptr<Chain> chain(static_cast<Chain*>(object));
  ++*chain->destroyed;
  if (--chain->links > 0) chain->epochs->retire(chain.release(), destroy_link);
}

TEST(EpochManager, DestroysEverythingInItsDestructorEvenWhatRetiresMore) {
  int destroyed = 0;
  {
    EpochManager epochs;
    epochs.retire(new Chain{&epochs, &destroyed, 4}, destroy_link);
  }
  EXPECT_EQ(destroyed, 4);
}

TEST(EpochManager, AdmitsAReaderOnceAnOtherLeavesTheLastSlot) {
  EpochManager epochs;
  std::vector<EpochManager::Guard> guards;
  for (int i = 0; i < 256; ++i) guards.push_back(epochs.enter());
  std::thread reader([&epochs] { const EpochManager::Guard guard = epochs.enter(); });
  guards.pop_back();
  reader.join();
}

TEST(EpochManagerDeathTest, DiesOfAGuardThatOutlivesIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto epochs = std::make_unique<EpochManager>();
        const EpochManager::Guard guard = epochs->enter();
        epochs.reset();
      },
      "guards end before");
}

TEST(EpochManager, NeverFreesWhatConcurrentReadersFollow) {
  constexpr int kSwaps = 50'000;
  EpochManager epochs;
  std::atomic<std::uint64_t*> shared{new std::uint64_t(7)};
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done.load(std::memory_order_acquire)) {
        const EpochManager::Guard guard = epochs.enter();
        EXPECT_EQ(*shared.load(std::memory_order_acquire) % 7, 0U);
      }
    });
  }
  for (std::uint64_t i = 0; i < kSwaps; ++i) {
    std::uint64_t* old = shared.load(std::memory_order_relaxed);
    shared.store(new std::uint64_t(7 * i), std::memory_order_release);
    epochs.retire(old, [](void* object) {
      auto* number = static_cast<std::uint64_t*>(object);
      *number = 1;
      delete number;
    });
    epochs.collect();
  }
  done.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
  delete shared.load();
}

}  // namespace
}  // namespace synod::core
