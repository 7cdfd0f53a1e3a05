// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/dispatcher.h"
#include "router/request_router.h"
#include "server/thrift/thrift_service.h"

namespace synod::server {

struct KvServiceOptions {
  std::int32_t node_id = 0;
  /// Bytes of one range reply. Framed clients refuse frames above 16,384,000 bytes by default.
  std::uint64_t range_bytes_max = 64U << 20;
  std::uint64_t framed_range_bytes_max = 15U << 20;
  /// Present: setFaultInjection works, with random choices from this seed.
  std::optional<std::uint64_t> fault_injection_seed;
};

/// The public service TransactionalKV over a router, for sessions to call.
/// Lifetime: `router` and `timers` outlive the service and the calls under way.
[[nodiscard]] std::shared_ptr<const ThriftService> make_kv_service(const KvServiceOptions& options,
                                                                   router::RequestRouter& router,
                                                                   base::Dispatcher& timers);

}  // namespace synod::server
