// SPDX-License-Identifier: Apache-2.0
#include "router/forward_codec.h"

#include "base/codec.h"
#include "base/text.h"

namespace synod::router {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kHeadBytes = 10;
constexpr std::size_t kEndpointBytesMax = 512;

enum class Kind : std::uint8_t { kSubmit = 1, kRefused = 2, kExpect = 3, kHash = 4, kNode = 5 };

template <class Archive>
void put(Archive& ar, consensus::Ballot& ballot) {
  std::uint32_t config = ballot.config.value();
  std::uint64_t round = ballot.round.value();
  std::uint32_t owner = ballot.owner.value();
  ar(config, round, owner);
  ballot = {consensus::ConfigId(config), consensus::Round(round), consensus::ReplicaId(owner)};
}

template <class Archive>
void put(Archive& ar, RouterProcess& process) {
  std::uint64_t value = process.value();
  ar(value);
  process = RouterProcess(value);
}

/// Where in the log of one ballot a process stands.
template <class Archive, class Message>
void put_place(Archive& ar, Message& message) {
  put(ar, message.ballot);
  put(ar, message.process);
  ar(message.number);
}

template <class Archive>
void fields(Archive& ar, ForwardSubmit& message) {
  put_place(ar, message);
}

template <class Archive>
void fields(Archive& ar, ForwardRefused& message) {
  put_place(ar, message);
  ar(message.reason);
}

template <class Archive>
void fields(Archive& ar, ForwardExpect& message) {
  put_place(ar, message);
}

template <class Archive>
void fields(Archive& ar, ForwardHash& message) {
  put(ar, message.mark.process);
  ar(message.mark.sequence, message.slot, message.hash.low, message.hash.high);
}

template <class Archive>
void fields(Archive& ar, ForwardNode& message) {
  ar(message.endpoint, message.uptime_s, message.applied, message.is_degraded);
}

template <class Message>
Message read(base::Decoder& decoder) {
  Message message;
  fields(decoder, message);
  return message;
}

ForwardMessage read_message(base::Decoder& decoder, Kind kind) {
  switch (kind) {
    case Kind::kSubmit: {
      auto submit = read<ForwardSubmit>(decoder);
      submit.command = decoder.take(decoder.remaining());
      return submit;
    }
    case Kind::kRefused: {
      const auto refused = read<ForwardRefused>(decoder);
      const auto reason = static_cast<std::uint8_t>(refused.reason);
      if (reason < 1 || reason > 3) base::Decoder::fail("an unknown reason");
      return refused;
    }
    case Kind::kExpect:
      return read<ForwardExpect>(decoder);
    case Kind::kHash:
      return read<ForwardHash>(decoder);
    case Kind::kNode: {
      auto node = read<ForwardNode>(decoder);
      if (node.endpoint.size() > kEndpointBytesMax) base::Decoder::fail("a long endpoint");
      return node;
    }
  }
  base::Decoder::fail("an unknown kind of message");
}

}  // namespace

base::Bytes encode_forward(consensus::ClusterId cluster, const ForwardMessage& message) {
  base::Bytes out;
  out.push_back(static_cast<char>(kFormat));
  out.push_back(static_cast<char>(message.index() + 1));
  base::append_le64(out, cluster.value());
  base::Encoder encoder(out);
  std::visit(
      [&](const auto& each) {
        auto copy = each;
        fields(encoder, copy);
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, ForwardSubmit>) {
          out.append(each.command);
        }
      },
      message);
  return out;
}

base::Result<ForwardMessage> decode_forward(consensus::ClusterId cluster, base::BytesView frame) {
  if (frame.size() < kHeadBytes) {
    return base::Status(base::StatusCode::kCorruption, "a forward frame without a head");
  }
  if (static_cast<std::uint8_t>(frame[0]) != kFormat) {
    return base::Status(base::StatusCode::kUnsupported,
                        base::concat("a forward frame of format ", static_cast<int>(frame[0])));
  }
  if (base::load_le64(frame.data() + 2) != cluster.value()) {
    return base::Status(base::StatusCode::kInvalidArgument, "a forward frame of another cluster");
  }
  try {
    base::Decoder decoder(frame.substr(kHeadBytes));
    ForwardMessage message = read_message(decoder, static_cast<Kind>(frame[1]));
    if (decoder.remaining() != 0) base::Decoder::fail("bytes follow the message");
    return message;
  } catch (const base::DecodeError& error) {
    return base::Status(base::StatusCode::kCorruption, error.what);
  }
}

}  // namespace synod::router
