// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

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
/// Threads: thread-safe. It does not wake anybody: the producer posts to the consumer's
/// Dispatcher when `push` says the queue was empty.
template <class T>
class BoundedChannel {
 public:
  enum class Push : std::uint8_t { kRefused, kQueued, kQueuedFirst };
  static constexpr std::uint32_t kLowShare = 16;

  explicit BoundedChannel(std::size_t capacity) : capacity_(capacity) {}

  /// kQueuedFirst means the queue was empty before: wake the consumer. On kRefused `item` is
  /// untouched.
  [[nodiscard]] Push push(T& item, Priority priority = Priority::kNormal) {
    const std::lock_guard lock(mutex_);
    if (size_ >= capacity_) return Push::kRefused;
    queues_[static_cast<std::size_t>(priority)].push_back(std::move(item));
    return ++size_ == 1 ? Push::kQueuedFirst : Push::kQueued;
  }

  [[nodiscard]] std::optional<T> pop() {
    const std::lock_guard lock(mutex_);
    if (size_ == 0) return std::nullopt;
    const std::size_t start = ++pops_ % kLowShare == 0 ? next_turn() : 0;
    for (std::size_t i = 0; i < kPriorityCount; ++i) {
      auto& queue = queues_[(start + i) % kPriorityCount];
      if (queue.empty()) continue;
      std::optional<T> item(std::move(queue.front()));
      queue.pop_front();
      --size_;
      return item;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return size_;
  }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  /// kLow, kNormal, kHigh, kLow, …
  std::size_t next_turn() {
    turn_ = turn_ > 1 ? turn_ - 1 : kPriorityCount - 1;
    return turn_;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::array<std::deque<T>, kPriorityCount> queues_;
  std::size_t size_ = 0;
  std::size_t turn_ = 0;
  std::uint32_t pops_ = 0;
};

}  // namespace synod::base
