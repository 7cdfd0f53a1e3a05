// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/kv_service.h"

#include <string>
#include <utility>

#include "server/thrift/unified_thrift_handler.h"

namespace synod::server {

std::shared_ptr<const ThriftService> make_kv_service(const KvServiceOptions& options,
                                                     router::RequestRouter& router,
                                                     base::Dispatcher& timers) {
  using Service = UnifiedThriftHandler;
  auto faults = options.fault_injection_seed.has_value()
                    ? std::make_shared<FaultInjector>(*options.fault_injection_seed)
                    : nullptr;
  const auto make_handler = [&](std::uint64_t range_bytes_max) -> std::shared_ptr<Service> {
    return std::make_shared<UnifiedThriftHandler>(
        UnifiedThriftHandler::Options{options.node_id, range_bytes_max}, router, timers, faults);
  };
  const auto unframed = make_handler(options.range_bytes_max);
  const auto framed = make_handler(options.framed_range_bytes_max);

  auto table = std::make_shared<MethodTable>();
  const auto add = [&](std::string name, CallOrder order, auto method) {
    table->add(std::move(name), order, method, unframed, framed);
  };
  add("getReadVersion", CallOrder::kRead, &Service::getReadVersion);
  add("snapshotRead", CallOrder::kRead, &Service::snapshotRead);
  add("atomicCommit", CallOrder::kWrite, &Service::atomicCommit);
  add("get", CallOrder::kRead, &Service::get);
  add("setKey", CallOrder::kWrite, &Service::setKey);
  add("deleteKey", CallOrder::kWrite, &Service::deleteKey);
  add("getRange", CallOrder::kBulkRead, &Service::getRange);
  add("snapshotGet", CallOrder::kRead, &Service::snapshotGet);
  add("snapshotGetRange", CallOrder::kBulkRead, &Service::snapshotGetRange);
  add("addReadConflict", CallOrder::kFree, &Service::addReadConflict);
  add("addReadConflictRange", CallOrder::kFree, &Service::addReadConflictRange);
  add("setReadVersion", CallOrder::kFree, &Service::setReadVersion);
  add("getCommittedVersion", CallOrder::kFree, &Service::getCommittedVersion);
  add("setVersionstampedKey", CallOrder::kWrite, &Service::setVersionstampedKey);
  add("setVersionstampedValue", CallOrder::kWrite, &Service::setVersionstampedValue);
  add("setFaultInjection", CallOrder::kFree, &Service::setFaultInjection);
  add("ping", CallOrder::kFree, &Service::ping);
  add("getClusterHealth", CallOrder::kFree, &Service::getClusterHealth);
  add("getDatabaseStats", CallOrder::kRead, &Service::getDatabaseStats);
  add("getNodeInfo", CallOrder::kFree, &Service::getNodeInfo);
  return table;
}

}  // namespace synod::server
