// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/random.h"

namespace synod::history {

/// Lets one of several threads run at a time, and at every turn() a seeded choice decides which one
/// goes on: threads that interleave a lot, and every time alike.
///
/// Threads: thread-safe; each number belongs to one thread.
class Turnstile {
 public:
  Turnstile(std::size_t threads, std::uint64_t seed) : states_(threads), random_(seed) {}

  /// Waits for this thread's turn; nobody goes before all threads came here once.
  void turn(std::size_t thread);
  /// The thread takes no turns any more.
  void leave(std::size_t thread);

 private:
  enum class State { kAbsent, kWaiting, kRunning, kGone };
  void choose();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<State> states_;  // guarded by mutex_
  base::Random random_;        // guarded by mutex_
};

}  // namespace synod::history
