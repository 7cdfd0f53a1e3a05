// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrift/protocol/TProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <memory>
#include <string>

#include "TransactionalKV.h"
#include "base/bytes.h"
#include "tests/suite/test_cluster.h"

namespace synod::suite {

/// How a client may speak.
enum class Dialect : std::uint8_t { kBinary, kFramedBinary, kCompact, kFramedCompact };
inline constexpr Dialect kDialects[] = {Dialect::kBinary, Dialect::kFramedBinary, Dialect::kCompact,
                                        Dialect::kFramedCompact};
[[nodiscard]] const char* dialect_name(Dialect dialect);
[[nodiscard]] bool is_framed(Dialect dialect);
[[nodiscard]] std::shared_ptr<apache::thrift::protocol::TProtocol> protocol_over(
    Dialect dialect, std::shared_ptr<apache::thrift::transport::TTransport> transport);

/// One connection with the generated client on it; its exceptions fail the test that sees them.
class Peer {
 public:
  explicit Peer(const NodeEndpoint& endpoint, Dialect dialect = Dialect::kBinary);
  api::TransactionalKVClient* operator->() { return client_.get(); }

 private:
  std::unique_ptr<api::TransactionalKVClient> client_;
};

/// CALL `method` as it travels in `dialect`; `arguments` is one of the generated *_args structs.
template <class Arguments>
[[nodiscard]] std::string encode_call(Dialect dialect, const std::string& method,
                                      std::int32_t sequence, const Arguments& arguments) {
  auto buffer = std::make_shared<apache::thrift::transport::TMemoryBuffer>();
  const auto protocol = protocol_over(dialect, buffer);
  protocol->writeMessageBegin(method, apache::thrift::protocol::T_CALL, sequence);
  arguments.write(protocol.get());
  protocol->writeMessageEnd();
  std::string message = buffer->getBufferAsString();
  if (!is_framed(dialect)) return message;
  std::string framed;
  base::append_be32(framed, static_cast<std::uint32_t>(message.size()));
  return framed + message;
}

}  // namespace synod::suite
