// SPDX-License-Identifier: Apache-2.0
#include "consensus/wire/codec.h"

#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "base/crc32c.h"
#include "consensus/wire/body.h"
#include "consensus/wire/fields.h"

namespace synod::consensus {
namespace {

base::Status corrupt(const char* what) {
  return base::Status(base::StatusCode::kCorruption, std::string("replica frame: ") + what);
}

/// True if the slots first, first + 1, ... of so many elements exist.
bool is_range(Slot first, std::size_t count) {
  if (count == 0) return true;
  return first != kNoSlot && first != kOpenEnd && count <= kOpenEnd.value() - first.value();
}

// What a shape has to hold beyond its fields; null: it does.

const char* check(const Chain& chain) {
  if (chain.configurations.empty()) return "a chain without configurations";
  const Configuration* last = nullptr;
  for (const Configuration& each : chain.configurations) {
    if (each.voters.empty()) return "a configuration without voters";
    if (last != nullptr && (each.id <= last->id || each.first <= last->first)) {
      return "a chain out of order";
    }
    last = &each;
  }
  return nullptr;
}
const char* check(const Promise& message) {
  if (message.covers_after > message.covers_to) return "a promise covers less than nothing";
  Slot last = message.covers_after;
  for (const ReportedSlot& each : message.slots) {
    if (each.slot <= last || each.slot > message.covers_to) return "a promise out of order";
    last = each.slot;
  }
  return nullptr;
}
const char* check(const Entries& message) {
  return is_range(message.low, message.entries.size()) ? nullptr : "entries beyond the last slot";
}
const char* check(const Accept& message) {
  return is_range(message.first, message.entries.size()) ? nullptr : "entries beyond the last slot";
}
const char* check(const SnapshotOffer& message) { return check(message.manifest.chain); }
const char* check(const Introduction& message) {
  return message.record ? check(message.record->chain) : nullptr;
}
template <class Kind>
const char* check(const Kind&) {
  return nullptr;
}

template <class Kind>
base::Result<Message> read_body(base::BytesView body) {
  Kind message;
  BodyReader reader(body);
  fields(reader, message);
  const char* complaint = reader.complaint();
  if (complaint == nullptr && reader.left() != 0) complaint = "bytes follow the message";
  if (complaint == nullptr) complaint = check(message);
  if (complaint != nullptr) return corrupt(complaint);
  return Message(std::move(message));
}

/// Tries the alternatives of the variant until one has the type.
template <std::size_t At = 0>
base::Result<Message> read_message(std::uint16_t type, base::BytesView body) {
  if constexpr (At == std::variant_size_v<Message>) {
    return base::Status(base::StatusCode::kUnsupported,
                        "replica frame: message type " + std::to_string(type));
  } else {
    using Kind = std::variant_alternative_t<At, Message>;
    if (kMessageType<Kind> == type) return read_body<Kind>(body);
    return read_message<At + 1>(type, body);
  }
}

}  // namespace

base::Bytes encode_frame(ClusterId cluster, const Envelope& envelope) {
  const bool is_introduction = std::holds_alternative<Introduction>(envelope.message);
  SYNOD_ASSERT(cluster != ClusterId() || is_introduction, "only Introductions cross clusters");
  FrameHeader header;
  header.cluster = cluster;
  header.process = envelope.process;
  header.from = envelope.from;
  header.to = envelope.to;
  header.config = envelope.config;
  base::Bytes frame;
  const auto write = [&](const auto& message) {
    BodySizer sizer;
    fields(sizer, message);
    SYNOD_ASSERT(sizer.bytes() <= UINT32_MAX - kFrameHeaderBytes, "a frame's length has 32 bits");
    frame.resize(kFrameHeaderBytes + sizer.bytes());
    BodyWriter writer(frame.data() + kFrameHeaderBytes);
    fields(writer, message);
    SYNOD_ASSERT(writer.at() == frame.data() + frame.size(), "what was counted was written");
    header.type = kMessageType<std::decay_t<decltype(message)>>;
    header.body_bytes = static_cast<std::uint32_t>(sizer.bytes());
  };
  std::visit(write, envelope.message);
  header.body_crc = base::crc32c(base::BytesView(frame).substr(kFrameHeaderBytes));
  store_header(header, frame.data());
  return frame;
}

base::Result<Envelope> decode_frame(ClusterId cluster, base::BytesView frame) {
  if (frame.size() < kFrameHeaderBytes) return corrupt("shorter than a header");
  SYNOD_ASSIGN_OR_RETURN(const FrameHeader header, load_header(frame));
  const base::BytesView body = frame.substr(kFrameHeaderBytes);
  if (body.size() != header.body_bytes) return corrupt("not the length it says");
  if (header.type != kMessageType<Introduction> &&
      (header.cluster != cluster || cluster == ClusterId())) {
    return base::Status(base::StatusCode::kInvalidArgument,
                        "replica frame: of cluster " + std::to_string(header.cluster.value()) +
                            ", this is " + std::to_string(cluster.value()));
  }
  if (base::crc32c(body) != header.body_crc) return corrupt("the body does not match its checksum");
  SYNOD_ASSIGN_OR_RETURN(Message message, read_message(header.type, body));
  return Envelope{header.from, header.process, header.to, header.config, std::move(message)};
}

}  // namespace synod::consensus
