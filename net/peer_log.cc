// SPDX-License-Identifier: Apache-2.0
#include "net/peer_log.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/logging.h"
#include "base/text.h"

namespace synod::net {

void PeerLog::warn(const std::string& text) {
  constexpr double kBurst = 10;
  const base::Nanos now = clock_.boot_time();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  tokens_ = std::min(kBurst, tokens_ + seconds);
  if (tokens_ < 1) {
    ++left_out_;
    return;
  }
  tokens_ -= 1;
  const std::uint64_t left_out = std::exchange(left_out_, 0);
  if (left_out == 0) {
    base::log_warning("net", text);
  } else {
    base::log_warning("net", base::concat(text, " (", left_out, " lines left out before)"));
  }
}

}  // namespace synod::net
