// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace synod::net {

/// Warnings about peers, of which a broken or hostile one can cause any number: at most ten in a
/// burst, then one a second, and how many were left out is said with the next.
///
/// Threads: externally synchronized.
class PeerLog {
 public:
  explicit PeerLog(const base::Clock& clock) : clock_(clock) {}
  void warn(const std::string& text);

 private:
  const base::Clock& clock_;
  base::Nanos last_{0};
  double tokens_ = 10;
  std::uint64_t left_out_ = 0;
};

}  // namespace synod::net
