// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace synod::base {

/// A queue in one run of memory. Unlike std::deque it owns next to nothing while it is empty, and
/// nothing at all until something was in it.
///
/// Threads: externally synchronized.
template <class T>
class Fifo {
 public:
  void push_back(T item) { items_.push_back(std::move(item)); }
  /// REQUIRES: not empty.
  [[nodiscard]] T& front() { return items_[first_]; }
  [[nodiscard]] T& back() { return items_.back(); }
  /// Counted from the front.
  [[nodiscard]] T& operator[](std::size_t index) { return items_[first_ + index]; }
  [[nodiscard]] std::size_t size() const { return items_.size() - first_; }
  [[nodiscard]] bool empty() const { return items_.size() == first_; }

  /// REQUIRES: not empty.
  T take_front() {
    T item = std::move(items_[first_++]);
    if (empty()) {
      clear();
    } else if (first_ >= kCompactAt && first_ * 2 >= items_.size()) {
      // Each item is moved at most once for one that left before it.
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    return item;
  }
  void clear() {
    first_ = 0;
    items_.clear();
    if (items_.capacity() > kKeep) items_.shrink_to_fit();
  }

 private:
  static constexpr std::size_t kKeep = 4;  ///< Items for which an empty queue has room.
  static constexpr std::size_t kCompactAt = 32;

  std::vector<T> items_;
  std::size_t first_ = 0;
};

}  // namespace synod::base
