// SPDX-License-Identifier: Apache-2.0
#include "net/asio_dispatcher.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "net/asio_dispatcher_impl.h"

namespace synod::net {

AsioDispatcher::AsioDispatcher() : impl_(std::make_unique<Impl>()) {}

AsioDispatcher::~AsioDispatcher() {
  // What a dropped task owned may post while it is destroyed; the queue is still there for it.
  std::vector<Task> queue;
  std::unordered_map<std::uint64_t, Impl::Timer> timers;
  {
    const std::lock_guard lock(impl_->mutex);
    queue.swap(impl_->queue);
    timers.swap(impl_->timers);
  }
}

void AsioDispatcher::post(Task task) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->queue.push_back(std::move(task));
    if (std::exchange(impl_->batch_scheduled, true)) return;
  }
  boost::asio::post(impl_->io, [impl = impl_.get()] { impl->run_batch(); });
}

void AsioDispatcher::Impl::run_batch() {
  std::vector<Task> batch;
  {
    const std::lock_guard lock(mutex);
    batch.swap(queue);
    batch_scheduled = false;
  }
  for (Task& task : batch) {
    task();
    task = nullptr;  // what it owned goes before the next task runs
  }
}

base::TimerId AsioDispatcher::run_after(base::Nanos delay, Task task) {
  const std::lock_guard lock(impl_->mutex);
  const std::uint64_t id = impl_->next_timer++;
  const auto [timer, inserted] = impl_->timers.try_emplace(
      id, Impl::Timer{boost::asio::steady_timer(impl_->io, delay), std::move(task)});
  timer->second.wait.async_wait([impl = impl_.get(), id](const boost::system::error_code& error) {
    if (!error) impl->fire(id);
  });
  return base::TimerId(id);
}

void AsioDispatcher::Impl::fire(std::uint64_t id) {
  Task task;
  {
    const std::lock_guard lock(mutex);
    const auto timer = timers.find(id);
    if (timer == timers.end()) return;  // cancelled after it became due (D2)
    task = std::move(timer->second.task);
    timers.erase(timer);
  }
  task();
}

void AsioDispatcher::cancel(base::TimerId timer) {
  Task task;  // destroyed outside the lock
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->timers.find(timer.value());
  if (found == impl_->timers.end()) return;
  task = std::move(found->second.task);
  impl_->timers.erase(found);
}

bool AsioDispatcher::is_current() const {
  return impl_->io.get_executor().running_in_this_thread();
}

void AsioDispatcher::run() {
  impl_->io.restart();
  impl_->io.run();
}

void AsioDispatcher::stop() {
  post([impl = impl_.get()] { impl->io.stop(); });
}

}  // namespace synod::net
