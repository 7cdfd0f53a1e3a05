// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "net/event_loop.h"

namespace synod::net {

/// What the loop knows of one descriptor: for the sources of EventLoop and WatchedFd only.
struct EventLoop::Watch {
  int fd = -1;
  std::uint32_t interest = 0;
  bool is_closed = false;
  bool has_missed = false;  ///< Input came when nobody waited for it.
  bool is_hung_up = false;  ///< No edge tells of the end of the stream a second time.
  Task on_readable;
  Task on_writable;
};

}  // namespace synod::net
