// SPDX-License-Identifier: Apache-2.0
#include "net/peer_wire.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "net/peer_address.h"

namespace synod::net {
namespace {

constexpr std::size_t kCrcBytes = 4;
/// A payload of unknown worth gets room in steps that double, beginning here.
constexpr std::size_t kFirstRoom = 64U << 10U;

HelloScan refuse(std::string why) {
  HelloScan scan;
  scan.state = HelloScan::State::kRefused;
  scan.refusal = base::Status(base::StatusCode::kCorruption, std::move(why));
  return scan;
}

bool agrees(base::BytesView stream, base::BytesView wanted) {
  const std::size_t size = std::min(stream.size(), wanted.size());
  return stream.substr(0, size) == wanted.substr(0, size);
}

std::uint32_t frame_crc(base::BytesView length, base::BytesView payload) {
  return base::crc32c(payload, base::crc32c(length));
}

}  // namespace

base::Bytes encode_hello(const Hello& hello) {
  SYNOD_ASSERT(hello.endpoint.size() <= kPeerEndpointBytesMax, "the endpoint fits into a hello");
  base::Bytes out;
  base::append_le32(out, kHelloMagic);
  out.push_back(static_cast<char>(kHelloVersion & 0xFFU));
  out.push_back(static_cast<char>(kHelloVersion >> 8U));
  out.push_back(static_cast<char>(hello.peer_class));
  out.push_back(static_cast<char>(hello.verdict));
  base::append_le64(out, hello.cluster);
  base::append_le32(out, hello.sender.value());
  base::append_le32(out, hello.receiver.value());
  base::append_le32(out, static_cast<std::uint32_t>(hello.endpoint.size()));
  out += hello.endpoint;
  base::append_le32(out, base::crc32c(out));
  return out;
}

HelloScan scan_hello(base::BytesView stream) {
  base::Bytes magic;
  base::append_le32(magic, kHelloMagic);
  if (!agrees(stream, magic)) return refuse("it does not begin like a node");
  const base::Bytes version{static_cast<char>(kHelloVersion & 0xFFU),
                            static_cast<char>(kHelloVersion >> 8U)};
  if (stream.size() >= 6 && !agrees(stream.substr(4), version)) {
    return refuse("it speaks another version of the connection between nodes");
  }
  if (stream.size() < kHelloHeaderBytes) return {};
  const std::size_t endpoint_bytes = base::load_le32(stream.data() + 24);
  if (endpoint_bytes > kPeerEndpointBytesMax) return refuse("the endpoint is too long");
  const std::size_t bytes = kHelloHeaderBytes + endpoint_bytes + kCrcBytes;
  if (stream.size() < bytes) return {};
  const base::BytesView covered = stream.substr(0, bytes - kCrcBytes);
  if (base::load_le32(stream.data() + covered.size()) != base::crc32c(covered)) {
    return refuse("the checksum of the hello is wrong");
  }
  const auto peer_class = static_cast<std::uint8_t>(stream[6]);
  const auto verdict = static_cast<std::uint8_t>(stream[7]);
  if (peer_class >= kPeerClassCount) return refuse("there is no such class");
  if (verdict >= kHelloVerdictCount) return refuse("there is no such verdict");
  HelloScan scan;
  scan.state = HelloScan::State::kComplete;
  scan.bytes = bytes;
  scan.hello = {
      static_cast<PeerClass>(peer_class),          static_cast<HelloVerdict>(verdict),
      base::load_le64(stream.data() + 8),          PeerId(base::load_le32(stream.data() + 16)),
      PeerId(base::load_le32(stream.data() + 20)), std::string(covered.substr(kHelloHeaderBytes))};
  if (scan.hello.sender == PeerId()) return refuse("the sender has no id");
  return scan;
}

void store_frame_header(base::BytesView payload, bool is_probe, char* out) {
  SYNOD_ASSERT(payload.size() < kProbeBit, "a frame's length has 31 bits");
  const std::uint32_t mark = is_probe ? kProbeBit : 0U;
  base::store_le32(out, static_cast<std::uint32_t>(payload.size()) | mark);
  base::store_le32(out + 4, frame_crc(base::BytesView(out, 4), payload));
}

base::Result<bool> FrameReader::take_header(base::BytesView& fresh) {
  if (header_.size() == kPeerFrameHeaderBytes) return true;
  const std::size_t part = std::min(kPeerFrameHeaderBytes - header_.size(), fresh.size());
  header_.append(fresh.substr(0, part));
  fresh.remove_prefix(part);
  if (header_.size() < kPeerFrameHeaderBytes) return false;
  const std::uint32_t length = base::load_le32(header_.data());
  is_probe_ = (length & kProbeBit) != 0;
  payload_bytes_ = length & ~kProbeBit;
  if (is_probe_ && payload_bytes_ != kProbeBytes) {
    return base::Status(base::StatusCode::kCorruption,
                        base::concat("a probe of ", payload_bytes_, " bytes"));
  }
  if (!is_probe_ && payload_bytes_ > frame_bytes_max_) {
    return base::Status(base::StatusCode::kLimitExceeded,
                        base::concat("a frame of ", payload_bytes_, " bytes; at most ",
                                     frame_bytes_max_, " are allowed"));
  }
  return true;
}

void FrameReader::take_payload(base::BytesView& fresh) {
  const std::size_t part = std::min(payload_bytes_ - payload_.size(), fresh.size());
  const std::size_t wanted = payload_.size() + part;
  if (payload_.capacity() < wanted) {
    // FR2: twice what is really there, never more than the frame.
    payload_.reserve(std::min(payload_bytes_, std::max(2 * wanted, kFirstRoom)));
  }
  payload_.append(fresh.substr(0, part));
  fresh.remove_prefix(part);
}

base::Status FrameReader::feed(base::BytesView fresh, const Sink& sink) {
  while (true) {
    SYNOD_ASSIGN_OR_RETURN(const bool has_header, take_header(fresh));
    if (!has_header) return {};
    take_payload(fresh);
    if (payload_.size() < payload_bytes_) return {};
    const base::BytesView header(header_);
    if (base::load_le32(header.data() + 4) != frame_crc(header.substr(0, 4), payload_)) {
      return {base::StatusCode::kCorruption, "the checksum of a frame is wrong"};
    }
    header_.clear();
    if (!sink(is_probe_, std::exchange(payload_, base::Bytes()))) return {};
  }
}

}  // namespace synod::net
