// SPDX-License-Identifier: Apache-2.0
#include "base/sim_loop.h"

#include <utility>

#include "base/assert.h"

namespace synod::base {

class SimLoop::SimClock final : public Clock {
 public:
  explicit SimClock(const SimLoop& loop) : loop_(loop) {}
  [[nodiscard]] Nanos boot_time() const override { return loop_.now_; }
  [[nodiscard]] Nanos wall_time() const override { return loop_.now_ + loop_.wall_offset_; }

 private:
  const SimLoop& loop_;
};

SimLoop::SimLoop(std::uint64_t seed) : random_(seed), clock_(std::make_unique<SimClock>(*this)) {}

// Tasks own things whose destructors may still cancel timers or post: let go of them while every
// member stands.
SimLoop::~SimLoop() {
  for (const auto& dispatcher : dispatchers_) drop_tasks(*dispatcher);
}

const Clock& SimLoop::clock() const { return *clock_; }

SimDispatcher& SimLoop::add_dispatcher() {
  dispatchers_.push_back(std::make_unique<SimDispatcher>(*this, dispatchers_.size()));
  return *dispatchers_.back();
}

void SimLoop::trace(std::string_view event) {
  for (const char c : event) {
    trace_hash_ = (trace_hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
}

bool SimLoop::step() {
  SYNOD_ASSERT(current_ == nullptr, "D1: a task must not run the loop it runs on");
  std::vector<SimDispatcher*> ready;
  for (const auto& dispatcher : dispatchers_) {
    if (!dispatcher->tasks_.empty()) ready.push_back(dispatcher.get());
  }
  Dispatcher::Task task;
  SimDispatcher* owner = nullptr;
  if (!ready.empty()) {
    owner = ready[ready.size() == 1 ? 0 : random_.below(ready.size())];
    task = std::move(owner->tasks_.front());
    owner->tasks_.pop_front();
  } else if (!timers_.empty()) {
    auto first = timers_.begin();
    if (first->first.first > now_) now_ = first->first.first;
    owner = first->second.owner;
    task = std::move(first->second.task);
    timer_due_.erase(first->first.second);
    timers_.erase(first);
  } else {
    return false;
  }
  ++steps_;
  const std::uint64_t event[2] = {owner->index_, static_cast<std::uint64_t>(now_.count())};
  trace({reinterpret_cast<const char*>(event), sizeof event});
  current_ = owner;
  task();
  current_ = nullptr;
  return true;
}

void SimLoop::run_until(Nanos deadline) {
  for (;;) {
    bool ready = false;
    for (const auto& dispatcher : dispatchers_) ready = ready || !dispatcher->tasks_.empty();
    if (!ready && (timers_.empty() || timers_.begin()->first.first > deadline)) break;
    step();
  }
  if (now_ < deadline) now_ = deadline;
}

bool SimLoop::run_until_done(const std::function<bool()>& done, std::uint64_t steps_max) {
  for (std::uint64_t i = 0; i < steps_max; ++i) {
    if (done()) return true;
    if (!step()) return done();
  }
  return done();
}

void SimLoop::drop_tasks(SimDispatcher& dispatcher) {
  const std::deque<Dispatcher::Task> tasks = std::exchange(dispatcher.tasks_, {});
  std::vector<Timer> dropped;
  for (auto it = timers_.begin(); it != timers_.end();) {
    if (it->second.owner == &dispatcher) {
      timer_due_.erase(it->first.second);
      dropped.push_back(std::move(it->second));
      it = timers_.erase(it);
    } else {
      ++it;
    }
  }
}

void SimDispatcher::post(Task task) { tasks_.push_back(std::move(task)); }

TimerId SimDispatcher::run_after(Nanos delay, Task task) {
  const std::uint64_t id = loop_.next_timer_++;
  const Nanos due = loop_.now_ + (delay > Nanos(0) ? delay : Nanos(0));
  loop_.timers_.emplace(std::make_pair(due, id), SimLoop::Timer{this, std::move(task)});
  loop_.timer_due_.emplace(id, due);
  return TimerId(id);
}

void SimDispatcher::cancel(TimerId timer) {
  const auto found = loop_.timer_due_.find(timer.value());
  if (found == loop_.timer_due_.end()) return;
  // Destroyed last: what the task owned may cancel timers of its own.
  const auto dropped = loop_.timers_.extract({found->second, timer.value()});
  loop_.timer_due_.erase(found);
}

}  // namespace synod::base
