// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/dispatcher.h"
#include "base/status.h"

namespace synod::net {

class WatchedFd;

/// The Dispatcher of the real process: tasks, timers and descriptors on one epoll instance.
///
/// Owned by a Worker (or by whoever calls `run`). One turn serves the descriptors that are ready,
/// then the tasks posted so far, then the timers that are due. Only a loop that sleeps is woken, by
/// one write for a burst of posts.
///
/// Invariants
///   EL1  A descriptor is registered once, edge-triggered; in a steady exchange of requests and
///        replies no further call of epoll_ctl is made for it.
///   EL2  What a callback refers to outlives the turn in which its descriptor was closed.
///   EL3  What was left for the end of a step (the ready descriptors, a task, a timer) is done
///        before the next step begins: a task that blocks holds up no answer of one before it.
///
/// Threads: as base::Dispatcher; `at_step_end` on the loop only. `run` by one thread at a time.
/// Failure: a task that throws ends the process; folders keep their exceptions inside. Without
/// descriptors for itself it cannot be made and ends the process.
class EventLoop final : public base::Dispatcher {
 public:
  EventLoop();
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void post(Task task) override;
  base::TimerId run_after(base::Nanos delay, Task task) override;
  void cancel(base::TimerId timer) override;
  [[nodiscard]] bool is_current() const override;
  [[nodiscard]] const base::Clock& clock() const override { return clock_; }

  /// Runs the task when what runs now has ended (EL3).
  void at_step_end(Task task) { step_end_.push_back(std::move(task)); }

  /// Runs tasks on the calling thread until `stop`.
  void run();
  /// Ends `run` after the tasks posted before it. Later tasks and waiting timers are dropped when
  /// the loop is destroyed.
  void stop();

 private:
  friend class WatchedFd;
  struct Watch;
  using TimerKey = std::pair<base::Nanos, std::uint64_t>;  ///< When it is due, and its id.

  base::Status add(const std::shared_ptr<Watch>& watch);
  /// Asks the kernel again, as an edge that was not answered does not come back.
  void rearm(Watch& watch);
  void remove(const std::shared_ptr<Watch>& watch);

  void turn();
  /// Milliseconds to sleep: 0 if tasks wait, -1 for ever.
  [[nodiscard]] int prepare_sleep();
  static void serve(Watch& watch, std::uint32_t events);
  void run_tasks();
  void fire_timers();
  void end_step();
  void wake();
  /// True if it dropped something that waited, which may have added to what waits.
  [[nodiscard]] bool drop_all();

  const base::SystemClock clock_;
  int epoll_ = -1;
  int wake_ = -1;
  bool stopping_ = false;       ///< The loop only.
  std::vector<Task> step_end_;  ///< The loop only.
  std::vector<Task> ending_;    ///< The loop only.
  std::vector<Task> batch_;     ///< The loop only.

  std::mutex mutex_;  ///< Guards everything below.
  std::vector<Task> queue_;
  bool asleep_ = false;  ///< Nobody has woken it yet.
  std::uint64_t next_timer_ = 1;
  std::map<TimerKey, Task> timers_;
  std::unordered_map<std::uint64_t, base::Nanos> due_;  ///< Of each timer.
  std::unordered_map<Watch*, std::shared_ptr<Watch>> watches_;
};

}  // namespace synod::net
