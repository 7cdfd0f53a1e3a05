// SPDX-License-Identifier: Apache-2.0
#include "net/worker.h"

#include <pthread.h>

#include "base/assert.h"

namespace synod::net {
namespace {

thread_local EventLoop* current_loop = nullptr;

}  // namespace

EventLoop* Worker::current() { return current_loop; }

Worker::~Worker() {
  stop();
  join();
}

void Worker::start() {
  SYNOD_ASSERT(!thread_.joinable(), "a worker starts once between two joins");
  thread_ = std::thread([this] {
    // A name is a convenience: the call fails only for names the substr rules out.
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    current_loop = &dispatcher_;
    dispatcher_.run();
  });
}

void Worker::stop() {
  if (thread_.joinable()) dispatcher_.stop();
}

void Worker::join() {
  if (!thread_.joinable()) return;
  SYNOD_ASSERT(!dispatcher_.is_current(), "a worker cannot join itself");
  thread_.join();
}

}  // namespace synod::net
