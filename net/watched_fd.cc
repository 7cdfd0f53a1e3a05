// SPDX-License-Identifier: Apache-2.0
#include "net/watched_fd.h"

#include <sys/epoll.h>

#include <utility>

#include "base/assert.h"
#include "net/event_loop_watch.h"

namespace synod::net {

base::Status WatchedFd::open(UniqueFd fd) {
  auto watch = std::make_shared<EventLoop::Watch>();
  watch->fd = fd.get();
  SYNOD_RETURN_IF_ERROR(loop_.add(watch));
  fd_ = std::move(fd);
  watch_ = std::move(watch);
  return {};
}

void WatchedFd::wait_readable(Task ready, Input input) {
  EventLoop::Watch& watch = *watch_;
  SYNOD_ASSERT(!watch.on_readable, "one waits for input");
  watch.on_readable = std::move(ready);
  if (input == Input::kDrained && !watch.has_missed && !watch.is_hung_up) return;
  watch.has_missed = false;
  loop_.rearm(watch);
}

void WatchedFd::wait_writable(Task ready) {
  EventLoop::Watch& watch = *watch_;
  SYNOD_ASSERT(!watch.on_writable, "one waits for room");
  watch.on_writable = std::move(ready);
  watch.interest |= EPOLLOUT;
  loop_.rearm(watch);
}

void WatchedFd::close() {
  if (watch_ == nullptr) return;
  loop_.remove(watch_);
  watch_.reset();
  fd_.reset();  // the kernel forgets it together with its registration
}

}  // namespace synod::net
