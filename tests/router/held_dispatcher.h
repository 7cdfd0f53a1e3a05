// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "base/dispatcher.h"

namespace synod::router {

/// A thread that can be made to stand in the middle of long work: what is posted waits until it is
/// let go on, or for a while. Confined to the loop of `inner`.
class HeldDispatcher final : public base::Dispatcher {
 public:
  explicit HeldDispatcher(base::Dispatcher& inner) : inner_(inner) {}

  void hold(bool is_held) {
    is_held_ = is_held;
    if (is_held) return;
    for (Task& task : std::exchange(waiting_, {})) inner_.post(std::move(task));
  }
  void drop_tasks() { waiting_.clear(); }
  /// Whatever is posted takes so long to begin.
  void set_delay(base::Nanos delay) { delay_ = delay; }

  void post(Task task) override {
    if (is_held_) return waiting_.push_back(std::move(task));
    if (delay_ == base::Nanos(0)) return inner_.post(std::move(task));
    inner_.run_after(delay_, std::move(task));
  }
  base::TimerId run_after(base::Nanos delay, Task task) override {
    return inner_.run_after(delay, std::move(task));
  }
  void cancel(base::TimerId timer) override { inner_.cancel(timer); }
  [[nodiscard]] bool is_current() const override { return inner_.is_current(); }
  [[nodiscard]] const base::Clock& clock() const override { return inner_.clock(); }

 private:
  base::Dispatcher& inner_;
  bool is_held_ = false;
  base::Nanos delay_{0};
  std::vector<Task> waiting_;
};

}  // namespace synod::router
