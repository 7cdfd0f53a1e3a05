// SPDX-License-Identifier: Apache-2.0
#include "net/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <system_error>

#include "base/assert.h"
#include "base/logging.h"
#include "net/event_loop_watch.h"

namespace synod::net {
namespace {

constexpr std::size_t kEventsPerTurn = 256;
constexpr std::uint32_t kInput = EPOLLIN | EPOLLPRI | EPOLLRDHUP;
constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;

thread_local const EventLoop* running_loop = nullptr;

}  // namespace

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // each write is an edge: nobody has to read the counter
  if (epoll_ < 0 || wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    base::fail_stop("net", "no event loop: " + std::generic_category().message(errno));
  }
}

EventLoop::~EventLoop() {
  while (drop_all()) {
  }
  ::close(wake_);
  ::close(epoll_);
}

bool EventLoop::drop_all() {
  // What a dropped task owned may post, or close a descriptor, while it is destroyed.
  std::vector<Task> tasks = std::exchange(step_end_, {});
  std::map<TimerKey, Task> timers;
  {
    const std::lock_guard lock(mutex_);
    for (Task& task : queue_) tasks.push_back(std::move(task));
    queue_.clear();
    timers.swap(timers_);
    due_.clear();
    for (const auto& [key, watch] : watches_) {
      tasks.push_back(std::exchange(watch->on_readable, nullptr));
      tasks.push_back(std::exchange(watch->on_writable, nullptr));
    }
    watches_.clear();
  }
  return !tasks.empty() || !timers.empty();
}

// ---- tasks and timers

void EventLoop::post(Task task) {
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(task));
    if (asleep_ && !is_current()) {
      asleep_ = false;
      must_wake = true;
    }
  }
  if (must_wake) wake();
}

base::TimerId EventLoop::run_after(base::Nanos delay, Task task) {
  const base::Nanos due = clock_.boot_time() + std::max(delay, base::Nanos(0));
  std::uint64_t id = 0;
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    id = next_timer_++;
    const auto timer = timers_.emplace(TimerKey(due, id), std::move(task)).first;
    due_.emplace(id, due);
    if (timer == timers_.begin() && asleep_ && !is_current()) {
      asleep_ = false;
      must_wake = true;
    }
  }
  if (must_wake) wake();
  return base::TimerId(id);
}

void EventLoop::cancel(base::TimerId timer) {
  Task task;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  const auto due = due_.find(timer.value());
  if (due == due_.end()) return;
  auto node = timers_.extract(TimerKey(due->second, timer.value()));
  task = std::move(node.mapped());
  due_.erase(due);
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_, &one, sizeof one);
  SYNOD_ASSERT(written == sizeof one || errno == EAGAIN, "a loop outlives those who wake it");
}

bool EventLoop::is_current() const { return running_loop == this; }

void EventLoop::stop() {
  post([this] { stopping_ = true; });
}

// ---- the loop

void EventLoop::run() {
  SYNOD_ASSERT(running_loop == nullptr, "a thread runs one loop");
  running_loop = this;
  stopping_ = false;
  while (!stopping_) turn();
  running_loop = nullptr;
}

void EventLoop::turn() {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count =
      ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), prepare_sleep());
  SYNOD_ASSERT(count >= 0 || errno == EINTR, "an epoll instance that was made can be asked");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto* const watch = static_cast<Watch*>(event.data.ptr);
    if (watch != nullptr) serve(*watch, event.events);  // EL2: closed ones are still there
  }
  end_step();
  run_tasks();
  fire_timers();
}

int EventLoop::prepare_sleep() {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty()) return 0;
  asleep_ = true;
  if (timers_.empty()) return -1;
  const base::Nanos left = timers_.begin()->first.first - clock_.boot_time();
  if (left <= base::Nanos(0)) return 0;
  // Rounded up, so that it does not wake for nothing just before (D2).
  const auto millis = std::chrono::ceil<base::Millis>(left).count();
  return static_cast<int>(std::min<std::int64_t>(millis, std::numeric_limits<int>::max()));
}

void EventLoop::serve(Watch& watch, std::uint32_t events) {
  if (watch.is_closed) return;
  if ((events & (kBroken | EPOLLRDHUP)) != 0) watch.is_hung_up = true;
  if ((events & (kBroken | kInput)) != 0) {
    if (Task ready = std::exchange(watch.on_readable, nullptr)) {
      ready();
    } else {
      watch.has_missed = true;
    }
  }
  if (watch.is_closed || (events & (kBroken | EPOLLOUT)) == 0) return;
  if (Task ready = std::exchange(watch.on_writable, nullptr)) ready();
}

void EventLoop::run_tasks() {
  {
    const std::lock_guard lock(mutex_);
    asleep_ = false;
    batch_.swap(queue_);
  }
  for (Task& task : batch_) {
    task();
    task = nullptr;  // what it owned goes before the next task runs
    end_step();      // EL3
  }
  batch_.clear();
}

void EventLoop::fire_timers() {
  std::unique_lock lock(mutex_);
  if (timers_.empty()) return;
  const base::Nanos now = clock_.boot_time();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto timer = timers_.extract(timers_.begin());
    due_.erase(timer.key().second);
    lock.unlock();
    timer.mapped()();
    timer.mapped() = nullptr;
    end_step();  // EL3
    lock.lock();
  }
}

void EventLoop::end_step() {
  while (!step_end_.empty()) {
    ending_.swap(step_end_);
    for (Task& task : ending_) {
      task();
      task = nullptr;
    }
    ending_.clear();
  }
}

// ---- descriptors

base::Status EventLoop::add(const std::shared_ptr<Watch>& watch) {
  watch->interest = kInput | EPOLLET;
  epoll_event event{};
  event.events = watch->interest;
  event.data.ptr = watch.get();
  const std::lock_guard lock(mutex_);  // an event may come at once: the watch is kept before that
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, watch->fd, &event) != 0) {
    return {base::StatusCode::kIoError, std::generic_category().message(errno)};
  }
  watches_.emplace(watch.get(), watch);
  return {};
}

void EventLoop::rearm(Watch& watch) {
  epoll_event event{};
  event.events = watch.interest;
  event.data.ptr = &watch;
  SYNOD_ASSERT(::epoll_ctl(epoll_, EPOLL_CTL_MOD, watch.fd, &event) == 0,
               "EL1: an open descriptor is registered");
}

void EventLoop::remove(const std::shared_ptr<Watch>& watch) {
  watch->is_closed = true;
  {
    const std::lock_guard lock(mutex_);
    if (watches_.erase(watch.get()) == 0) return;  // the loop is being destroyed
  }
  // EL2: this turn may still hold an event of it, and the caller may stand in one of its tasks.
  post([kept = watch] {});
}

}  // namespace synod::net
