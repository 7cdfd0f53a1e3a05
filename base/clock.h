// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace synod::base {

using Nanos = std::chrono::nanoseconds;
using Micros = std::chrono::microseconds;
using Millis = std::chrono::milliseconds;

/// The seam through which time enters. Thread-safe.
///
/// `boot_time` never goes back and advances while the machine is suspended (CLOCK_BOOTTIME);
/// `wall_time` is Unix time and may jump in either direction.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Nanos boot_time() const = 0;
  [[nodiscard]] virtual Nanos wall_time() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Nanos boot_time() const override;
  [[nodiscard]] Nanos wall_time() const override;
};

}  // namespace synod::base
