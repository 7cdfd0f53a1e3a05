// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.h"
#include "base/dispatcher.h"
#include "base/function.h"
#include "base/random.h"

namespace synod::sim {

using base::Nanos;

/// Virtual time and everything that will happen in it, in one thread, from one seed.
///
/// Like base::SimLoop, but made for many short lives: strands of several processes with clocks of
/// their own, which may be slow, stand still or be gone.
///
/// Invariants: events run in the order of their time, equal times in the order they were made; the
/// same seed and the same calls give the same trace hash.
class Scheduler {
 public:
  using Task = base::Function<void()>;

  explicit Scheduler(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] Nanos now() const { return now_; }
  [[nodiscard]] base::Random& random() { return random_; }

  std::uint64_t at(Nanos time, Task task);
  std::uint64_t after(Nanos delay, Task task) { return at(now_ + delay, std::move(task)); }
  void cancel(std::uint64_t id);
  /// False if nothing is left.
  bool step();

  void trace(std::uint64_t value) {
    trace_hash_ = (trace_hash_ ^ value) * 0x9E3779B97F4A7C15ULL;
    trace_hash_ ^= trace_hash_ >> 29U;
  }
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }

 private:
  struct Event {
    Nanos time;
    std::uint64_t id;
    std::uint32_t place;
    bool operator<(const Event& other) const {  // The heap's top is the greatest.
      return time != other.time ? time > other.time : id > other.id;
    }
  };
  struct Place {
    Task task;
    std::uint64_t id = 0;
  };

  base::Random random_;
  Nanos now_{std::chrono::seconds(1)};
  std::uint64_t next_id_ = 1;
  std::uint64_t trace_hash_ = 0xcbf29ce484222325ULL;
  std::vector<Event> heap_;
  std::vector<Place> places_;
  std::vector<std::uint32_t> free_;
};

/// The clock of one machine: its own rate, and jumps.
class NodeClock final : public base::Clock {
 public:
  explicit NodeClock(const Scheduler& scheduler) : scheduler_(scheduler) {}
  [[nodiscard]] Nanos boot_time() const override;
  [[nodiscard]] Nanos wall_time() const override;
  void set_rate(double rate);
  [[nodiscard]] double rate() const { return rate_; }
  /// Suspension: boot time goes on while the process saw nothing.
  void jump(Nanos forward) { base_ += forward; }

 private:
  const Scheduler& scheduler_;
  double rate_ = 1;
  Nanos since_{};
  Nanos base_{std::chrono::seconds(1)};
};

/// One thread of one simulated process.
///
/// Each task waits a little before it runs; for a strand that does I/O this is the time the I/O
/// takes, so that what arrives meanwhile is there when it is over.
class Strand final : public base::Dispatcher {
 public:
  Strand(Scheduler& scheduler, NodeClock& clock, base::Function<void()> after_task)
      : scheduler_(scheduler), clock_(clock), after_task_(std::move(after_task)) {}

  void post(Task task) override;
  base::TimerId run_after(Nanos delay, Task task) override;
  void cancel(base::TimerId timer) override { scheduler_.cancel(timer.value()); }
  [[nodiscard]] bool is_current() const override { return is_running_; }
  [[nodiscard]] const base::Clock& clock() const override { return clock_; }

  /// How long a task takes: between these.
  void set_latency(Nanos low, Nanos high) {
    low_ = low;
    high_ = high;
  }
  /// Nothing runs before: a pause, or a disk that hangs.
  void hold_until(Nanos time) { held_until_ = std::max(held_until_, time); }
  [[nodiscard]] std::uint64_t timers_fired() const { return timers_fired_; }
  /// The process is gone, with all tasks and timers.
  void drop();

 private:
  void schedule();
  void run();

  Scheduler& scheduler_;
  NodeClock& clock_;
  base::Function<void()> after_task_;
  std::deque<Task> tasks_;
  std::uint64_t epoch_ = 1;
  std::uint64_t scheduled_ = 0;  ///< 0: not.
  Nanos held_until_{};
  Nanos low_{};
  Nanos high_{std::chrono::microseconds(10)};
  bool is_running_ = false;
  std::uint64_t timers_fired_ = 0;
};

}  // namespace synod::sim
