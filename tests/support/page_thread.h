// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/table/page_keeper.h"

namespace synod::tests {

/// Attends a PageKeeper, as the persistence thread does in a server.
class PageThread {
 public:
  explicit PageThread(core::PageKeeper& pages) : pages_(pages), thread_([this] { run(); }) {
    pages_.attend([this] {
      const std::lock_guard lock(mutex_);
      is_due_ = true;
      due_.notify_one();
    });
  }
  ~PageThread() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
      due_.notify_one();
    }
    thread_.join();
    pages_.leave();
  }
  PageThread(const PageThread&) = delete;
  PageThread& operator=(const PageThread&) = delete;

 private:
  void run() {
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        due_.wait(lock, [this] { return is_due_ || is_over_; });
        if (is_over_) return;
        is_due_ = false;
      }
      while (pages_.work()) {
      }
    }
  }

  core::PageKeeper& pages_;
  std::mutex mutex_;
  std::condition_variable due_;
  bool is_due_ = false;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace synod::tests
