// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/dispatcher.h"
#include "base/random.h"

namespace synod::base {

class SimDispatcher;

/// The simulated twin of every thread and clock: one virtual time, one seed, one running task.
///
/// Each SimDispatcher it makes stands for one thread of the real process. Which of the ready
/// dispatchers runs next is drawn from the seed, so that a run explores interleavings, and every
/// choice feeds `trace_hash`: the same seed must give the same hash.
///
/// Threads: confined to one thread. Lifetime: outlives its dispatchers' users.
class SimLoop {
 public:
  explicit SimLoop(std::uint64_t seed);
  ~SimLoop();
  SimLoop(const SimLoop&) = delete;
  SimLoop& operator=(const SimLoop&) = delete;

  /// A dispatcher that lives as long as the loop.
  SimDispatcher& add_dispatcher();

  /// Runs one ready task, or moves time to the next timer. False if there is nothing left to do.
  bool step();
  /// Steps until nothing is ready and no timer lies at or before `deadline`; time ends there.
  void run_until(Nanos deadline);
  void run_for(Nanos span) { run_until(now_ + span); }
  /// Steps until `done()` or `steps_max` steps; true if done.
  bool run_until_done(const std::function<bool()>& done, std::uint64_t steps_max = 10'000'000);

  /// Forgets all tasks and timers of a crashed process's dispatcher.
  void drop_tasks(SimDispatcher& dispatcher);

  [[nodiscard]] Nanos now() const { return now_; }
  /// Moves the wall clock against boot time: a step of NTP or an operator.
  void jump_wall_clock(Nanos by) { wall_offset_ += by; }
  [[nodiscard]] const Clock& clock() const;
  [[nodiscard]] Random& random() { return random_; }
  /// Mixes an event into the trace; tests add what they observe.
  void trace(std::string_view event);
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  friend class SimDispatcher;
  class SimClock;
  struct Timer {
    SimDispatcher* owner;
    Dispatcher::Task task;
  };

  Random random_;
  Nanos now_{std::chrono::seconds(1)};
  Nanos wall_offset_{std::chrono::seconds(1'700'000'000)};
  std::uint64_t trace_hash_ = 0xcbf29ce484222325ULL;
  std::uint64_t steps_ = 0;
  std::uint64_t next_timer_ = 1;
  std::unique_ptr<SimClock> clock_;
  std::vector<std::unique_ptr<SimDispatcher>> dispatchers_;
  /// Due time, then creation order: equal times fire in the order they were set.
  std::map<std::pair<Nanos, std::uint64_t>, Timer> timers_;
  std::map<std::uint64_t, Nanos> timer_due_;
  SimDispatcher* current_ = nullptr;
};

/// One simulated thread of a SimLoop. See SimLoop.
class SimDispatcher final : public Dispatcher {
 public:
  SimDispatcher(SimLoop& loop, std::size_t index) : loop_(loop), index_(index) {}
  void post(Task task) override;
  TimerId run_after(Nanos delay, Task task) override;
  void cancel(TimerId timer) override;
  [[nodiscard]] bool is_current() const override { return loop_.current_ == this; }
  [[nodiscard]] const Clock& clock() const override { return loop_.clock(); }

 private:
  friend class SimLoop;
  SimLoop& loop_;
  const std::size_t index_;
  std::deque<Task> tasks_;
};

}  // namespace synod::base
