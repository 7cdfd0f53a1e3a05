// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "net/event_loop.h"
#include "net/socket.h"

namespace synod::net {

/// A descriptor in the care of an EventLoop.
///
/// Invariants
///   WF1  The task of a wait runs once, on the loop and never inside a call to this class, or not
///        at all after `close`; it is destroyed on the loop or with it, never inside `close`.
///
/// Threads: confined to the loop, but for `open`. Lifetime: its loop outlives it.
class WatchedFd {
 public:
  using Task = base::Dispatcher::Task;
  /// What the caller knows when it begins to wait for input.
  enum class Input : std::uint8_t {
    kUnknown,  ///< Perhaps something is there already.
    kDrained,  ///< The last read came back short or empty: the wait costs no system call.
  };

  explicit WatchedFd(EventLoop& loop) : loop_(loop) {}
  ~WatchedFd() { close(); }
  WatchedFd(const WatchedFd&) = delete;
  WatchedFd& operator=(const WatchedFd&) = delete;

  /// Takes the descriptor. Fails, and closes it, when the loop cannot watch one more.
  base::Status open(UniqueFd fd);
  [[nodiscard]] int get() const { return fd_.get(); }

  /// REQUIRES: nobody waits for input.
  void wait_readable(Task ready, Input input = Input::kUnknown);
  /// REQUIRES: nobody waits for room.
  void wait_writable(Task ready);
  void close();

 private:
  EventLoop& loop_;
  UniqueFd fd_;
  std::shared_ptr<EventLoop::Watch> watch_;
};

}  // namespace synod::net
