// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/thrift_server.h"

#include <utility>

namespace synod::server {

ThriftServer::ThriftServer(const net::ServerLimits& limits,
                           std::shared_ptr<const ThriftService> service,
                           std::vector<net::Worker*> workers)
    : shared_(std::make_shared<Shared>()),
      server_(limits, std::move(workers), session_factory(shared_)) {
  shared_->limits = limits;
  shared_->service = std::move(service);
}

net::HandlerFactory ThriftServer::session_factory(const std::shared_ptr<Shared>& shared) {
  return [shared](net::Connection& connection) -> std::shared_ptr<net::ConnectionHandler> {
    return std::make_shared<ThriftSession>(connection, *shared->service, shared->limits,
                                           shared->counters);
  };
}

}  // namespace synod::server
