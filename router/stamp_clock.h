// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"
#include "core/types.h"

namespace synod::router {

/// The one source of operation stamps of a writer: starts at max(state's clock, wall clock), then
/// advances with boot time, so that no step of the wall clock moves a stamp.
///
/// Invariants
///   ST1  Stamps never decrease, also across restarts (through the state's clock).
///   ST2  While the wall clock is behind, stamps run at half speed until the two meet; while it is
///        ahead they are left behind: only a restart follows a step forward.
///
/// Threads: confined to the commit dispatcher.
class StampClock {
 public:
  StampClock(const base::Clock& clock, core::TimeMs state_clock);
  [[nodiscard]] core::TimeMs now();
  /// How far stamps run ahead of the wall clock; 0 if they do not.
  [[nodiscard]] std::int64_t ahead_ms() const { return ahead_ms_; }

 private:
  const base::Clock& clock_;
  base::Nanos stamp_;  ///< Unix time as stamped.
  base::Nanos boot_;   ///< Boot time when stamp_ was taken.
  std::int64_t ahead_ms_ = 0;
};

}  // namespace synod::router
