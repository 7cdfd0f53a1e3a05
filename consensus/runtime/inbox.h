// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "base/dispatcher.h"
#include "base/function.h"

namespace synod::consensus {

/// A queue in front of a dispatcher that hands over everything that waits in one call: what
/// arrives while one batch is worked on becomes the next batch.
///
/// Invariants: items are handed over once each, in the order of push(); at most one task of this
/// inbox waits on the dispatcher.
///
/// Threads: push(), push_quietly() and set_attentive() from any thread; `handle` runs on the
/// dispatcher, which is stopped before the inbox is destroyed.
template <class Item>
class Inbox {
 public:
  Inbox(base::Dispatcher& dispatcher, base::Function<void(std::vector<Item>&)> handle)
      : dispatcher_(dispatcher), handle_(std::move(handle)) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  void push(Item item) { push(std::move(item), true); }
  /// For what nobody waits for: handed over with what is pushed next, or at once while attentive.
  void push_quietly(Item item) { push(std::move(item), false); }

  /// While true, what is pushed quietly is handed over like everything else, also what already is
  /// here.
  void set_attentive(bool is_attentive) {
    bool wakes = false;
    {
      const std::lock_guard lock(mutex_);
      is_attentive_ = is_attentive;
      if (is_attentive && !items_.empty()) wakes = !std::exchange(is_awake_, true);
    }
    if (wakes) dispatcher_.post([this] { run(); });
  }

 private:
  void push(Item item, bool is_urgent) {
    bool wakes = false;
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(std::move(item));
      if (is_urgent || is_attentive_) wakes = !std::exchange(is_awake_, true);
    }
    if (wakes) dispatcher_.post([this] { run(); });
  }

  void run() {
    {
      const std::lock_guard lock(mutex_);
      is_awake_ = false;
      batch_.swap(items_);
    }
    handle_(batch_);
    batch_.clear();
  }

  base::Dispatcher& dispatcher_;
  base::Function<void(std::vector<Item>&)> handle_;
  std::vector<Item> batch_;  ///< Of the running call; kept for its memory.
  std::mutex mutex_;
  std::vector<Item> items_;
  bool is_awake_ = false;
  bool is_attentive_ = false;
};

}  // namespace synod::consensus
