// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/status.h"
#include "client/bench/workload.h"

namespace synod::client {

/// One connection to a store under load, whatever it speaks.
///
/// Threads: externally synchronized. Failure: a Status means that the connection is of no use any
/// more; what the store refuses is part of the reply.
class Target {
 public:
  struct ReadReply {
    bool is_refused = false;
    std::optional<base::Bytes> value;
  };

  virtual ~Target() = default;
  virtual base::Result<ReadReply> read(const base::Bytes& key) = 0;
  /// False: the store refused.
  virtual base::Result<bool> write(const base::Bytes& key, const base::Bytes& value) = 0;
  /// Writes the keys from `first` to below `end`, with the values of tag 0, before the run.
  virtual base::Status load(std::uint64_t first, std::uint64_t end, std::uint32_t value_size) = 0;
};

/// The connection number `index` of a workload: endpoints are taken in turn.
[[nodiscard]] base::Result<std::unique_ptr<Target>> open_target(const Workload& workload,
                                                                std::size_t index);
[[nodiscard]] base::Result<std::unique_ptr<Target>> open_thrift_target(
    const BenchEndpoint& endpoint);
[[nodiscard]] base::Result<std::unique_ptr<Target>> open_etcd_target(const BenchEndpoint& endpoint);

}  // namespace synod::client
