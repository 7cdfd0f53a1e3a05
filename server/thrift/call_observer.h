// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace synod::server {

/// Who wants to know of each call a front has answered. Threads: any; must not wait.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  /// `method` is a small number of this name alone. `code` is empty after success. `duration`
  /// runs from the arrival of the call to its reply.
  virtual void on_call(std::uint32_t method, std::string_view name, std::string_view code,
                       base::Nanos duration) = 0;
};

}  // namespace synod::server
