// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace synod::base {

/// Who goes first when work queues up. Never changes what an operation does.
enum class Priority : std::uint8_t { kCritical, kHigh, kNormal, kLow };
inline constexpr std::size_t kPriorityCount = 4;

/// A bounded queue from many producers to one consumer, most urgent first.
///
/// Invariants
///   CH1  size() <= capacity; a push beyond it is refused and changes nothing.
///   CH2  Items of one priority leave in the order they came.
///   CH3  Every kLowShare-th pop starts with one of the less urgent priorities, each in its turn:
///        whatever the others do, the head of every queue leaves within 3 * kLowShare pops.
///
/// Threads: `push` and `size` from any thread, `pop` from one. What was pushed is taken over all at
/// once, so that producers meet the consumer once for a burst and not for each item. It does not
/// wake anybody: the producer posts to the consumer's Dispatcher when `push` says the queue was
/// empty.
template <class T>
class BoundedChannel {
 public:
  enum class Push : std::uint8_t { kRefused, kQueued, kQueuedFirst };
  static constexpr std::uint32_t kLowShare = 16;
  static constexpr std::size_t kKeep = 1024;  ///< Items for which an empty queue has room.

  explicit BoundedChannel(std::size_t capacity) : capacity_(capacity) {}

  /// kQueuedFirst means the queue was empty before: wake the consumer. On kRefused `item` is
  /// untouched.
  [[nodiscard]] Push push(T& item, Priority priority = Priority::kNormal) {
    const std::lock_guard lock(mutex_);
    if (size_.load(std::memory_order_relaxed) >= capacity_) return Push::kRefused;
    pushed_[static_cast<std::size_t>(priority)].push_back(std::move(item));
    // Released behind the item: who counts it finds it.
    return size_.fetch_add(1, std::memory_order_acq_rel) == 0 ? Push::kQueuedFirst : Push::kQueued;
  }

  [[nodiscard]] std::optional<T> pop() {
    if (size_.load(std::memory_order_acquire) > taken_) take_over();
    if (taken_ == 0) return std::nullopt;
    const std::size_t start = ++pops_ % kLowShare == 0 ? next_turn() : 0;
    for (std::size_t i = 0; i < kPriorityCount; ++i) {
      Lane& lane = lanes_[(start + i) % kPriorityCount];
      if (lane.next == lane.items.size()) continue;
      std::optional<T> item(std::move(lane.items[lane.next++]));
      --taken_;
      size_.fetch_sub(1, std::memory_order_acq_rel);
      return item;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  /// kLow, kNormal, kHigh, kLow, …
  std::size_t next_turn() {
    turn_ = turn_ > 1 ? turn_ - 1 : kPriorityCount - 1;
    return turn_;
  }

  /// Items from `next` on. One run of memory: a deque would allocate where the producer stands what
  /// it frees where the consumer stands, every few items.
  struct Lane {
    std::vector<T> items;
    std::size_t next = 0;

    void append(std::vector<T>& pushed) {
      if (next == items.size()) {
        items.clear();
        next = 0;
        items.swap(pushed);
        trim(pushed);
        return;
      }
      if (next * 2 >= items.size()) {
        // Each item is moved at most once for one that left before it.
        items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(next));
        next = 0;
      }
      std::move(pushed.begin(), pushed.end(), std::back_inserter(items));
      pushed.clear();
      trim(pushed);
    }
    /// After a burst its room is given back.
    static void trim(std::vector<T>& empty) {
      if (empty.capacity() > kKeep) empty = std::vector<T>();
    }
  };

  void take_over() {
    {
      // What was taken over last time goes back as room; nothing is moved or freed in here.
      const std::lock_guard lock(mutex_);
      pushed_.swap(spare_);
    }
    for (std::size_t i = 0; i < kPriorityCount; ++i) {
      taken_ += spare_[i].size();
      if (!spare_[i].empty()) lanes_[i].append(spare_[i]);
    }
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::array<std::vector<T>, kPriorityCount> pushed_;  ///< Guarded by mutex_.
  std::atomic<std::size_t> size_{0};                   ///< Of pushed_ and lanes_.

  // The consumer's alone.
  std::array<std::vector<T>, kPriorityCount> spare_;  ///< Empty but in take_over().
  std::array<Lane, kPriorityCount> lanes_;
  std::size_t taken_ = 0;  ///< Of lanes_.
  std::size_t turn_ = 0;
  std::uint32_t pops_ = 0;
};

}  // namespace synod::base
