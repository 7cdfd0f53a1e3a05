// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/function.h"
#include "base/strong_id.h"

namespace synod::base {

using TimerId = StrongId<struct TimerIdTag, std::uint64_t>;

/// The seam through which work is ordered: a queue of tasks and timers, run one at a time.
///
/// Invariants
///   D1  Tasks run one at a time, in the order they were posted.
///   D2  A timer never runs before its delay has passed, and not after a successful cancel.
///
/// Threads: `post`, `run_after` and `cancel` may be called from any thread; tasks run on the
/// dispatcher's own. Owners stop a dispatcher before they destroy what its tasks refer to.
class Dispatcher {
 public:
  using Task = Function<void()>;

  virtual ~Dispatcher() = default;
  virtual void post(Task task) = 0;
  virtual TimerId run_after(Nanos delay, Task task) = 0;
  /// Drops the timer if it has not started; a no-op otherwise. D2 holds for calls made on the
  /// dispatcher itself; a call from elsewhere may race with the start.
  virtual void cancel(TimerId timer) = 0;
  /// True on the thread that runs this dispatcher's tasks.
  [[nodiscard]] virtual bool is_current() const = 0;
  [[nodiscard]] virtual const Clock& clock() const = 0;
};

}  // namespace synod::base
