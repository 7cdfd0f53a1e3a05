// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace synod::router {

/// Who wants to know how operations get through the log. Threads: that of the caller, which is the
/// one that did it; must not wait.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  /// One frame with so many operations is durable.
  virtual void on_durable(std::size_t operations) = 0;
  /// A group of so many was executed in this time.
  virtual void on_applied(std::size_t operations, base::Nanos duration) = 0;
  /// One operation was answered so long after its submission.
  virtual void on_committed(base::Nanos latency) = 0;
  /// So many did not get into the log, or nobody knows whether they did.
  virtual void on_failed(std::size_t operations) = 0;
};

}  // namespace synod::router
