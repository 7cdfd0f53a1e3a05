// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/peer.h"

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TSocket.h>

#include "base/bytes.h"
#include "client/cpp/connection.h"

namespace synod::suite {

using namespace apache::thrift;  // NOLINT(google-build-using-namespace)

namespace {
constexpr int kTimeoutMs = 60'000;
}

std::vector<NamedFactory>& cluster_factories() {
  static std::vector<NamedFactory> factories;
  return factories;
}

const char* dialect_name(Dialect dialect) {
  switch (dialect) {
    case Dialect::kBinary:
      return "binary";
    case Dialect::kFramedBinary:
      return "framed binary";
    case Dialect::kCompact:
      return "compact";
    case Dialect::kFramedCompact:
      return "framed compact";
  }
  return "unknown";
}

bool is_framed(Dialect dialect) {
  return dialect == Dialect::kFramedBinary || dialect == Dialect::kFramedCompact;
}

std::shared_ptr<protocol::TProtocol> protocol_over(
    Dialect dialect, std::shared_ptr<transport::TTransport> transport) {
  if (dialect == Dialect::kCompact || dialect == Dialect::kFramedCompact) {
    return std::make_shared<protocol::TCompactProtocol>(std::move(transport));
  }
  auto made = std::make_shared<protocol::TBinaryProtocol>(std::move(transport));
  made->setStrict(true, true);
  return made;
}

Peer::Peer(const NodeEndpoint& endpoint, Dialect dialect) {
  const auto limits = client::MessageTransport::unlimited();
  auto socket = std::make_shared<transport::TSocket>(endpoint.host, endpoint.port, limits);
  socket->setConnTimeout(kTimeoutMs);
  socket->setRecvTimeout(kTimeoutMs);
  socket->setSendTimeout(kTimeoutMs);
  socket->setNoDelay(true);
  std::shared_ptr<transport::TTransport> wrapped;
  if (is_framed(dialect)) {
    wrapped = std::make_shared<transport::TFramedTransport>(socket, limits);
  } else {
    wrapped = std::make_shared<client::MessageTransport>(socket);
  }
  wrapped->open();
  client_ = std::make_unique<api::TransactionalKVClient>(protocol_over(dialect, wrapped));
}

}  // namespace synod::suite
