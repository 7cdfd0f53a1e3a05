// SPDX-License-Identifier: Apache-2.0
#include "client/bench/engine.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace synod::client {

base::Result<std::unique_ptr<Engine>> open_engine(const Workload& workload) {
  switch (workload.protocol) {
    case Protocol::kThrift:
      return open_thrift_engine(workload);
    case Protocol::kEtcd:
      return open_etcd_engine(workload);
  }
  return base::Status(base::StatusCode::kInvalidArgument, "no such protocol");
}

base::Status load_in_parts(const Workload& workload, const LoadPart& load_part) {
  const std::size_t parts = std::min(workload.loaders, workload.connections);
  std::vector<base::Status> results(parts);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < parts; ++i) {
    threads.emplace_back([&, i] {
      results[i] =
          load_part(i, workload.key_count * i / parts, workload.key_count * (i + 1) / parts);
    });
  }
  for (auto& thread : threads) thread.join();
  for (const base::Status& result : results) SYNOD_RETURN_IF_ERROR(result);
  return {};
}

}  // namespace synod::client
