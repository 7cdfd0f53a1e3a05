// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scheduler.h"

#include <algorithm>
#include <utility>

namespace synod::sim {

std::uint64_t Scheduler::at(Nanos time, Task task) {
  std::uint32_t place = 0;
  if (free_.empty()) {
    place = static_cast<std::uint32_t>(places_.size());
    places_.emplace_back();
  } else {
    place = free_.back();
    free_.pop_back();
  }
  const std::uint64_t id = next_id_++ << 24U | place;
  places_[place] = Place{std::move(task), id};
  heap_.push_back(Event{std::max(time, now_), id, place});
  std::push_heap(heap_.begin(), heap_.end());
  return id;
}

void Scheduler::cancel(std::uint64_t id) {
  const auto place = static_cast<std::uint32_t>(id & 0xFFFFFFU);
  if (place < places_.size() && places_[place].id == id) places_[place].task = nullptr;
}

bool Scheduler::step() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end());
  const Event event = heap_.back();
  heap_.pop_back();
  Task task = std::move(places_[event.place].task);
  places_[event.place] = Place();
  free_.push_back(event.place);
  now_ = event.time;
  if (!task) return true;
  trace(static_cast<std::uint64_t>(now_.count()));
  task();
  return true;
}

Nanos NodeClock::boot_time() const {
  const auto passed = static_cast<double>((scheduler_.now() - since_).count());
  return base_ + Nanos(static_cast<std::int64_t>(passed * rate_));
}

Nanos NodeClock::wall_time() const { return boot_time() + std::chrono::seconds(1'700'000'000); }

void NodeClock::set_rate(double rate) {
  base_ = boot_time();
  since_ = scheduler_.now();
  rate_ = rate;
}

void Strand::post(Task task) {
  tasks_.push_back(std::move(task));
  if (scheduled_ == 0 && !is_running_) schedule();
}

void Strand::schedule() {
  const auto spread = static_cast<std::uint64_t>((high_ - low_).count()) + 1;
  const Nanos took = low_ + Nanos(static_cast<std::int64_t>(scheduler_.random().below(spread)));
  const Nanos time = std::max(scheduler_.now() + took, held_until_);
  scheduled_ = scheduler_.at(time, [this] { run(); });
}

void Strand::run() {
  scheduled_ = 0;
  if (scheduler_.now() < held_until_) {
    scheduled_ = scheduler_.at(held_until_, [this] { run(); });
    return;
  }
  const std::uint64_t epoch = epoch_;
  Task task = std::move(tasks_.front());
  tasks_.pop_front();
  is_running_ = true;
  task();
  is_running_ = false;
  if (epoch == epoch_ && !tasks_.empty()) schedule();
  after_task_();
}

base::TimerId Strand::run_after(Nanos delay, Task task) {
  const Nanos span(static_cast<std::int64_t>(static_cast<double>(delay.count()) / clock_.rate()));
  return base::TimerId(
      scheduler_.after(span, [this, epoch = epoch_, task = std::move(task)]() mutable {
        if (epoch != epoch_) return;
        ++timers_fired_;
        post(std::move(task));
      }));
}

void Strand::drop() {
  ++epoch_;
  tasks_.clear();
  if (scheduled_ != 0) scheduler_.cancel(std::exchange(scheduled_, 0));
  held_until_ = Nanos();
}

}  // namespace synod::sim
