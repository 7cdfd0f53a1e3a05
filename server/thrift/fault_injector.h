// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/random.h"

namespace synod::server {

/// Failures that commits are to suffer on purpose: one at a time, for all connections of a server.
///
/// Exists only where the configuration asks for it. Threads: thread-safe.
class FaultInjector {
 public:
  struct Fault {
    std::string type;
    double probability = 0;
    base::Nanos delay{0};
  };

  explicit FaultInjector(std::uint64_t seed) : random_(seed) {}

  void set(Fault fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    fault_.reset();
  }
  /// The fault if it strikes this time.
  [[nodiscard]] std::optional<Fault> draw() {
    const std::lock_guard lock(mutex_);
    if (!fault_.has_value() || !random_.chance(fault_->probability)) return std::nullopt;
    return fault_;
  }

 private:
  std::mutex mutex_;
  base::Random random_;
  std::optional<Fault> fault_;
};

}  // namespace synod::server
