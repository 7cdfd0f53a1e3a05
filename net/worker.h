// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <thread>

#include "net/event_loop.h"

namespace synod::net {

/// A named thread that runs one dispatcher: network workers, and any other executor that is a row
/// of the thread table (commit, persistence, ...).
///
/// Threads: start, stop and join are called by the owner, never on the worker itself.
/// Lifetime: tasks posted before `stop` run before the thread ends; what comes later is dropped
/// with the worker. The destructor stops and joins.
class Worker {
 public:
  /// `name` shows in ps and gdb; Linux keeps its first 15 bytes.
  explicit Worker(std::string name) : name_(std::move(name)) {}
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// REQUIRES: not started. Tasks may have been posted before; they run first.
  void start();
  /// Asks the thread to end after what was posted so far; a no-op if it does not run.
  void stop();
  void join();

  [[nodiscard]] EventLoop& dispatcher() { return dispatcher_; }
  /// The dispatcher of the worker whose thread calls; null on any other thread.
  [[nodiscard]] static EventLoop* current();
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  const std::string name_;
  EventLoop dispatcher_;
  std::thread thread_;
};

}  // namespace synod::net
