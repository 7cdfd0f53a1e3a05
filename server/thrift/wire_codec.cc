// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/wire_codec.h"

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>

#include <algorithm>

namespace synod::server {
namespace {

using apache::thrift::TApplicationException;
using apache::thrift::TConfiguration;
using apache::thrift::protocol::TBinaryProtocolT;
using apache::thrift::protocol::TCompactProtocolT;
using apache::thrift::protocol::TMessageType;
using apache::thrift::protocol::TProtocol;

constexpr std::size_t kFrameHeader = 4;
constexpr std::size_t kReplyReserveMin = 128;
constexpr std::size_t kReplyReserveMax = 2048;

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

/// The type of a message as it stands on the wire; 0, which is none, if the message is too short.
int message_type(base::BytesView message, WireFormat::Protocol protocol) {
  if (protocol == WireFormat::Protocol::kBinary) {
    return message.size() < 4 ? 0 : static_cast<unsigned char>(message[3]);
  }
  return message.size() < 2 ? 0 : static_cast<unsigned char>(message[1]) >> 5;
}

}  // namespace

WireCodec::WireCodec(const WireFormat& format, const net::ServerLimits& limits)
    : format_(format),
      walk_({limits.message_bytes_max, limits.depth_max}),
      reader_(std::make_shared<SpanReader>(make_configuration(limits))),
      writer_(std::make_shared<BytesWriter>()),
      input_(make_protocol(format, reader_, limits)),
      output_(make_protocol(format, writer_, limits)),
      expected_bytes_(kReplyReserveMin) {}

CallHeader WireCodec::begin_call(base::BytesView message) {
  if (format_.framed) message.remove_prefix(kFrameHeader);
  // Looked at before libthrift makes an enumerator of whatever the byte holds.
  const int word = message_type(message, format_.protocol);
  if (word != TMessageType::T_CALL && word != TMessageType::T_ONEWAY) {
    throw TApplicationException(TApplicationException::INVALID_MESSAGE_TYPE,
                                "a client sends calls only");
  }
  reader_->reset(message);
  CallHeader call;
  TMessageType type{};
  input_->readMessageBegin(method_, type, call.sequence);
  call.oneway = type == TMessageType::T_ONEWAY;
  return call;
}

bool WireCodec::is_well_formed(base::BytesView message) {
  if (!format_.framed) return true;
  walk_.reset();
  return walk_.scan(message.substr(kFrameHeader)) == MessageScanner::State::kComplete;
}

void WireCodec::begin(const std::string& method, std::int32_t sequence, TMessageType type) {
  writer_->bytes().reserve(expected_bytes_);
  if (format_.framed) writer_->bytes().assign(kFrameHeader, '\0');
  output_->writeMessageBegin(method, type, sequence);
}

base::Bytes WireCodec::end() {
  output_->writeMessageEnd();
  base::Bytes out = writer_->take();
  expected_bytes_ = std::clamp(out.size(), kReplyReserveMin, kReplyReserveMax);
  if (format_.framed) {
    base::store_be32(out.data(), static_cast<std::uint32_t>(out.size() - kFrameHeader));
  }
  return out;
}

base::Bytes WireCodec::encode_reply(const std::string& method, std::int32_t sequence,
                                    const ReplyBody& body) {
  begin(method, sequence, TMessageType::T_REPLY);
  body.write(*output_);
  return end();
}

base::Bytes WireCodec::encode_exception(const std::string& method, std::int32_t sequence,
                                        TApplicationException::TApplicationExceptionType type,
                                        const std::string& text) {
  begin(method, sequence, TMessageType::T_EXCEPTION);
  TApplicationException(type, text).write(output_.get());
  return end();
}

}  // namespace synod::server
