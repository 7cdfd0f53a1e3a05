// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrift/TApplicationException.h>
#include <thrift/protocol/TProtocol.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "net/limits.h"
#include "server/thrift/message_scanner.h"
#include "server/thrift/thrift_service.h"
#include "server/thrift/wire_transport.h"

namespace synod::server {

/// Whose call a message is.
struct CallHeader {
  std::string method;
  std::int32_t sequence = 0;
  bool oneway = false;
};

/// Reads calls and writes replies in one wire format.
///
/// Threads: externally synchronized. Failure: reading throws what libthrift throws; after that the
/// codec is not used again, as its protocol stands somewhere inside the broken message.
class WireCodec {
 public:
  WireCodec(const WireFormat& format, const net::ServerLimits& limits);

  /// `message` is one scanned message, frame header included. Throws TException for a header that
  /// is none or that no client sends.
  [[nodiscard]] CallHeader begin_call(base::BytesView message);
  /// Where the arguments are read after begin_call.
  [[nodiscard]] apache::thrift::protocol::TProtocol& input() { return *input_; }

  [[nodiscard]] base::Bytes encode_reply(const CallHeader& call, const ReplyBody& body);
  [[nodiscard]] base::Bytes encode_exception(
      const CallHeader& call, apache::thrift::TApplicationException::TApplicationExceptionType type,
      const std::string& text);

 private:
  void begin(const CallHeader& call, apache::thrift::protocol::TMessageType type);
  [[nodiscard]] base::Bytes end();

  const WireFormat format_;
  const std::shared_ptr<SpanReader> reader_;
  const std::shared_ptr<BytesWriter> writer_;
  std::unique_ptr<apache::thrift::protocol::TProtocol> input_;
  std::unique_ptr<apache::thrift::protocol::TProtocol> output_;
};

}  // namespace synod::server
