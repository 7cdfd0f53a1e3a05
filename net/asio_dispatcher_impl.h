// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "net/asio_dispatcher.h"

namespace synod::net {

/// What AsioDispatcher hides: included by the sources of this folder only.
struct AsioDispatcher::Impl {
  struct Timer {
    boost::asio::steady_timer wait;
    Task task;
  };

  void run_batch();
  void fire(std::uint64_t id);

  /// Declared first, destroyed last: the timers below refer to it.
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{io.get_executor()};
  std::mutex mutex;  ///< Guards everything below.
  std::vector<Task> queue;
  bool batch_scheduled = false;
  std::uint64_t next_timer = 1;
  std::unordered_map<std::uint64_t, Timer> timers;
};

}  // namespace synod::net
