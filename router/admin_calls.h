// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/function.h"

namespace synod::router {

/// The questions of operators that are under way: each is answered once, and when the store stops
/// all that wait are answered then.
///
/// Owned by Replicated. Invariant: the completion handed to track() is called exactly once, by the
/// function it answers with, or by end_all(), whoever comes first.
///
/// Threads: any. Completions run on the thread that calls.
class AdminCalls {
 public:
  /// `at_end`: the answer if the store stops first.
  template <class Value>
  [[nodiscard]] base::Function<void(Value)> track(base::Function<void(Value)> done, Value at_end) {
    auto call = std::make_shared<Call<Value>>(std::move(done), std::move(at_end));
    bool is_late = false;
    {
      const std::lock_guard lock(mutex_);
      is_late = has_ended_;
      call->number = next_++;
      if (!is_late) calls_.emplace(call->number, call);
    }
    if (is_late) call->end();
    return [this, call](Value value) {
      forget(call->number);
      call->answer(std::move(value));
    };
  }

  /// From here on every call ends at once.
  void end_all() {
    std::map<std::uint64_t, std::shared_ptr<Waiting>> calls;
    {
      const std::lock_guard lock(mutex_);
      has_ended_ = true;
      calls.swap(calls_);
    }
    for (auto& [number, call] : calls) call->end();
  }

 private:
  struct Waiting {
    virtual ~Waiting() = default;
    virtual void end() = 0;
    std::uint64_t number = 0;
  };
  template <class Value>
  struct Call final : Waiting {
    Call(base::Function<void(Value)> completion, Value last)
        : done(std::move(completion)), at_end(std::move(last)) {}
    void end() override { answer(std::move(at_end)); }
    void answer(Value value) {
      base::Function<void(Value)> once;
      {
        const std::lock_guard lock(mutex);
        once = std::exchange(done, nullptr);
      }
      if (once) once(std::move(value));
    }
    std::mutex mutex;
    base::Function<void(Value)> done;  ///< Null: answered. Guarded by mutex.
    Value at_end;
  };

  void forget(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    calls_.erase(number);
  }

  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Waiting>> calls_;  ///< Guarded by mutex_.
  std::uint64_t next_ = 0;
  bool has_ended_ = false;
};

}  // namespace synod::router
