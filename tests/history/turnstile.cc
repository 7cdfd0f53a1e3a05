// SPDX-License-Identifier: Apache-2.0
#include "tests/history/turnstile.h"

namespace synod::history {

void Turnstile::choose() {
  std::vector<std::size_t> waiting;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i] == State::kAbsent || states_[i] == State::kRunning) return;
    if (states_[i] == State::kWaiting) waiting.push_back(i);
  }
  if (waiting.empty()) return;
  states_[waiting[random_.below(waiting.size())]] = State::kRunning;
  changed_.notify_all();
}

void Turnstile::turn(std::size_t thread) {
  std::unique_lock lock(mutex_);
  states_[thread] = State::kWaiting;
  choose();
  changed_.wait(lock, [&] { return states_[thread] == State::kRunning; });
}

void Turnstile::leave(std::size_t thread) {
  const std::lock_guard lock(mutex_);
  states_[thread] = State::kGone;
  choose();
}

}  // namespace synod::history
