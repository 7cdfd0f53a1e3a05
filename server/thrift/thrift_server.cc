// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/thrift_server.h"

#include <utility>

#include "base/assert.h"

namespace synod::server {

ThriftServer::ThriftServer(const net::ServerLimits& limits,
                           std::shared_ptr<const ThriftService> service,
                           std::vector<net::Worker*> workers, CallObserver* observer)
    : ThriftServer(
          limits, [service = std::move(service)]() -> const ThriftService& { return *service; },
          std::move(workers), observer) {}

ThriftServer::ThriftServer(const net::ServerLimits& limits, ServiceChoice choose,
                           std::vector<net::Worker*> workers, CallObserver* observer)
    : shared_(std::make_shared<Shared>()),
      server_(limits, std::move(workers), session_factory(shared_)) {
  SYNOD_ASSERT(limits.message_bytes_max <= (1U << 30),
               "libthrift counts bytes in 32 bits; configuration allows less");
  shared_->limits = limits;
  shared_->choose = std::move(choose);
  shared_->observer = observer;
}

net::HandlerFactory ThriftServer::session_factory(const std::shared_ptr<Shared>& shared) {
  return [shared](net::Connection& connection) -> std::shared_ptr<net::ConnectionHandler> {
    return std::make_shared<ThriftSession>(connection, shared->choose(), shared->limits,
                                           shared->counters, shared->observer);
  };
}

}  // namespace synod::server
