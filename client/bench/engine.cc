// SPDX-License-Identifier: Apache-2.0
#include "client/bench/engine.h"

#include <chrono>

namespace synod::client {

std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

base::Result<std::unique_ptr<Engine>> open_engine(const Workload& workload, std::uint32_t first,
                                                  std::uint32_t connections) {
  if (workload.target != Target::kEtcd) return open_socket_engine(workload, first, connections);
#ifdef SYNOD_BENCH_ETCD
  return open_etcd_engine(workload, first, connections);
#else
  return base::Status(base::StatusCode::kUnsupported, "built without gRPC, which etcd needs");
#endif
}

}  // namespace synod::client
