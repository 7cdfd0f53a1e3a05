// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/connection.h"
#include "server/thrift/thrift_session.h"

namespace synod::server {

/// A dispatcher that runs what was posted when the test says so, and pretends to be any thread.
class FakeDispatcher final : public base::Dispatcher {
 public:
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  base::TimerId run_after(base::Nanos /*delay*/, Task task) override {
    timers_.push_back(std::move(task));
    return base::TimerId(timers_.size());
  }
  void cancel(base::TimerId /*timer*/) override {}
  [[nodiscard]] bool is_current() const override { return current; }
  [[nodiscard]] const base::Clock& clock() const override { return clock_; }

  void run_posted() {
    while (!tasks_.empty()) {
      auto tasks = std::exchange(tasks_, {});
      for (Task& task : tasks) task();
    }
  }
  void fire_timers() {
    for (Task& task : std::exchange(timers_, {})) task();
  }
  [[nodiscard]] std::size_t posted() const { return tasks_.size(); }

  bool current = true;

 private:
  base::SystemClock clock_;
  std::vector<Task> tasks_;
  std::vector<Task> timers_;
};

/// A connection in memory. `feed` is the client writing, `take_output` the client reading.
class FakeConnection final : public net::Connection {
 public:
  explicit FakeConnection(FakeDispatcher& dispatcher) : dispatcher_(dispatcher) {}

  void send(base::Bytes bytes) override {
    if (!closed) output_ += bytes;
  }
  void pause_reading() override { paused = true; }
  void resume_reading() override {
    paused = false;
    dispatcher_.post([this] { deliver(); });
  }
  [[nodiscard]] bool reading_paused() const override { return paused || closed; }
  void close_after_flush() override { closed = true; }
  void close() override { closed = true; }
  [[nodiscard]] base::Dispatcher& dispatcher() override { return dispatcher_; }
  [[nodiscard]] net::ConnectionId id() const override { return net::ConnectionId(1); }
  [[nodiscard]] const std::string& peer() const override { return peer_; }

  void feed(base::BytesView bytes) {
    unread_ += bytes;
    deliver();
  }
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
  [[nodiscard]] std::size_t unread_bytes() const { return unread_.size(); }

  net::ConnectionHandler* handler = nullptr;
  bool paused = false;
  bool closed = false;

 private:
  void deliver() {
    if (reading_paused() || unread_.empty() || handler == nullptr) return;
    unread_.erase(0, handler->on_bytes(unread_));
  }

  FakeDispatcher& dispatcher_;
  const std::string peer_ = "test";
  std::string unread_;
  std::string output_;
};

}  // namespace synod::server
