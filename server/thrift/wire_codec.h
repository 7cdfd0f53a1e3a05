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

/// How a call is told from others of its connection.
struct CallHeader {
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
  /// What the last call begun asks for.
  [[nodiscard]] const std::string& method() const { return method_; }
  /// The scanner believes a frame's length; what is inside must be walked like any message, as
  /// libthrift makes enumerators of any type byte it meets.
  [[nodiscard]] bool is_well_formed(base::BytesView message);
  /// Where the arguments are read after begin_call.
  [[nodiscard]] apache::thrift::protocol::TProtocol& input() { return *input_; }

  [[nodiscard]] base::Bytes encode_reply(const std::string& method, std::int32_t sequence,
                                         const ReplyBody& body);
  [[nodiscard]] base::Bytes encode_exception(
      const std::string& method, std::int32_t sequence,
      apache::thrift::TApplicationException::TApplicationExceptionType type,
      const std::string& text);

 private:
  void begin(const std::string& method, std::int32_t sequence,
             apache::thrift::protocol::TMessageType type);
  [[nodiscard]] base::Bytes end();

  const WireFormat format_;
  MessageScanner walk_;  ///< Of what frames hold.
  const std::shared_ptr<SpanReader> reader_;
  const std::shared_ptr<BytesWriter> writer_;
  std::unique_ptr<apache::thrift::protocol::TProtocol> input_;
  std::unique_ptr<apache::thrift::protocol::TProtocol> output_;
  std::string method_;
  std::size_t expected_bytes_ = 0;  ///< Of the next reply: as many as the last one had.
};

}  // namespace synod::server
