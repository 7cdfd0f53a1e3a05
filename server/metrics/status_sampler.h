// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/function.h"
#include "router/store.h"

namespace synod::server {

/// Asks a store for its status and waits a little, for threads that may.
///
/// Owned by ServerMetrics.
///
/// Invariants
///   ST1  At most one question is under way: a store that hangs collects no more of them.
///   ST2  An answer that comes late touches nothing of the sampler.
///
/// Threads: any that is none of the store's.
class StatusSampler {
 public:
  using Fetch = std::function<void(base::Function<void(router::StoreStatus)>)>;
  explicit StatusSampler(Fetch fetch);

  /// None if the store did not answer within `patience`.
  [[nodiscard]] std::optional<router::StoreStatus> sample(base::Nanos patience);

 private:
  struct Shared;
  const Fetch fetch_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace synod::server
