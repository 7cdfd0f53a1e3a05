// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "client/bench/lane.h"
#include "client/bench/workload.h"

namespace synod::client {

/// Nanoseconds of the monotonic clock.
[[nodiscard]] std::int64_t monotonic_ns();

/// The connections of one thread, whatever the store speaks.
///
/// Threads: externally synchronized.
class Engine {
 public:
  /// A connection with something under way that hears nothing for so long is lost.
  static constexpr std::int64_t kSilenceNs = 30'000'000'000;

  virtual ~Engine() = default;
  /// How many keys one loading request may carry.
  [[nodiscard]] virtual std::uint32_t load_batch() const = 0;
  /// Until the lane has finished and everything is answered, or every connection is lost. Uses the
  /// first `connections` of those that are left, each with `depth` operations under way at most.
  virtual void run(Lane& lane, std::uint32_t connections, std::uint32_t depth) = 0;
};

/// Opens `connections` of a workload, the first of which is number `first` in the turn of the
/// endpoints. kClosed: nobody answers.
[[nodiscard]] base::Result<std::unique_ptr<Engine>> open_engine(const Workload& workload,
                                                                std::uint32_t first,
                                                                std::uint32_t connections);
[[nodiscard]] base::Result<std::unique_ptr<Engine>> open_socket_engine(const Workload& workload,
                                                                       std::uint32_t first,
                                                                       std::uint32_t connections);
/// kUnsupported: this build has no gRPC.
[[nodiscard]] base::Result<std::unique_ptr<Engine>> open_etcd_engine(const Workload& workload,
                                                                     std::uint32_t first,
                                                                     std::uint32_t connections);

}  // namespace synod::client
