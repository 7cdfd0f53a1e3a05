// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/wire_codec.h"

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>

namespace synod::server {
namespace {

using apache::thrift::TApplicationException;
using apache::thrift::TConfiguration;
using apache::thrift::protocol::TBinaryProtocolT;
using apache::thrift::protocol::TCompactProtocolT;
using apache::thrift::protocol::TMessageType;
using apache::thrift::protocol::TProtocol;

constexpr std::size_t kFrameHeader = 4;

std::shared_ptr<TConfiguration> make_configuration(const net::ServerLimits& limits) {
  const auto bytes = static_cast<int>(limits.message_bytes_max);
  return std::make_shared<TConfiguration>(bytes, bytes, static_cast<int>(limits.depth_max));
}

template <class Transport>
std::unique_ptr<TProtocol> make_protocol(const WireFormat& format,
                                         const std::shared_ptr<Transport>& transport,
                                         const net::ServerLimits& limits) {
  const auto strings = static_cast<std::int32_t>(limits.message_bytes_max);
  const auto containers = static_cast<std::int32_t>(limits.container_elements_max);
  if (format.protocol == WireFormat::Protocol::kBinary) {
    constexpr bool kStrict = true;
    return std::make_unique<TBinaryProtocolT<Transport>>(transport, strings, containers, kStrict,
                                                         kStrict);
  }
  return std::make_unique<TCompactProtocolT<Transport>>(transport, strings, containers);
}

}  // namespace

WireCodec::WireCodec(const WireFormat& format, const net::ServerLimits& limits)
    : format_(format),
      reader_(std::make_shared<SpanReader>(make_configuration(limits))),
      writer_(std::make_shared<BytesWriter>()),
      input_(make_protocol(format, reader_, limits)),
      output_(make_protocol(format, writer_, limits)) {}

CallHeader WireCodec::begin_call(base::BytesView message) {
  if (format_.framed) message.remove_prefix(kFrameHeader);
  reader_->reset(message);
  CallHeader call;
  TMessageType type{};
  input_->readMessageBegin(call.method, type, call.sequence);
  if (type != TMessageType::T_CALL && type != TMessageType::T_ONEWAY) {
    throw TApplicationException(TApplicationException::INVALID_MESSAGE_TYPE,
                                "a client sends calls only");
  }
  call.oneway = type == TMessageType::T_ONEWAY;
  return call;
}

void WireCodec::begin(const CallHeader& call, TMessageType type) {
  if (format_.framed) writer_->bytes().assign(kFrameHeader, '\0');
  output_->writeMessageBegin(call.method, type, call.sequence);
}

base::Bytes WireCodec::end() {
  output_->writeMessageEnd();
  base::Bytes out = writer_->take();
  if (format_.framed) {
    base::store_be32(out.data(), static_cast<std::uint32_t>(out.size() - kFrameHeader));
  }
  return out;
}

base::Bytes WireCodec::encode_reply(const CallHeader& call, const ReplyBody& body) {
  begin(call, TMessageType::T_REPLY);
  body.write(*output_);
  return end();
}

base::Bytes WireCodec::encode_exception(const CallHeader& call,
                                        TApplicationException::TApplicationExceptionType type,
                                        const std::string& text) {
  begin(call, TMessageType::T_EXCEPTION);
  TApplicationException(type, text).write(output_.get());
  return end();
}

}  // namespace synod::server
