// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/dispatcher.h"

namespace synod::net {

/// The Dispatcher of the real process: a queue and timers on an event loop.
///
/// Owned by a Worker (or by whoever calls `run`). A burst of posts from another thread wakes the
/// loop once; between two batches of tasks the loop serves its sockets.
///
/// Threads: as base::Dispatcher. `run` by one thread at a time.
/// Failure: a task that throws ends the process; folders keep their exceptions inside.
class AsioDispatcher final : public base::Dispatcher {
 public:
  /// The event loop behind it, for this folder only.
  struct Impl;

  AsioDispatcher();
  ~AsioDispatcher() override;
  AsioDispatcher(const AsioDispatcher&) = delete;
  AsioDispatcher& operator=(const AsioDispatcher&) = delete;

  void post(Task task) override;
  base::TimerId run_after(base::Nanos delay, Task task) override;
  void cancel(base::TimerId timer) override;
  [[nodiscard]] bool is_current() const override;
  [[nodiscard]] const base::Clock& clock() const override { return clock_; }

  /// Runs tasks on the calling thread until `stop`.
  void run();
  /// Ends `run` after the tasks posted before it. Later tasks and waiting timers are dropped when
  /// the dispatcher is destroyed.
  void stop();

  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  base::SystemClock clock_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace synod::net
