// SPDX-License-Identifier: Apache-2.0
//
// What a stranger may send to the port of the peers: a hello, then frames, cut into any pieces. As
// it is, and with the checksums made right, because hardly any mutation survives one.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/crc32c.h"
#include "net/peer_address.h"
#include "net/peer_wire.h"

namespace synod::net {
namespace {

constexpr std::uint32_t kFrameBytesMax = 4096;

void check_hello(base::BytesView stream) {
  const HelloScan scan = scan_hello(stream);
  if (scan.state == HelloScan::State::kNeedMore) {
    const std::size_t longest = kHelloHeaderBytes + kPeerEndpointBytesMax + 4;
    SYNOD_ASSERT(stream.size() < longest, "a wait for a hello has an end");
  } else if (scan.state == HelloScan::State::kRefused) {
    SYNOD_ASSERT(!scan.refusal.ok(), "a refusal says why");
  } else {
    const base::BytesView hello = stream.substr(0, scan.bytes);
    SYNOD_ASSERT(encode_hello(scan.hello) == hello, "one encoding of each hello");
    SYNOD_ASSERT(scan_hello(hello.substr(0, hello.size() - 1)).state == HelloScan::State::kNeedMore,
                 "a byte less is not enough");
    const auto address = parse_peer_address(scan.hello.endpoint);
    if (address.ok()) {
      const auto again = parse_peer_address(format_peer_address(*address));
      SYNOD_ASSERT(again.ok() && *again == *address, "an address reads what it writes");
    }
  }
}

/// The frames of the stream when it comes in pieces of one size, and how it ended.
std::vector<std::string> read_frames(base::BytesView stream, std::size_t piece) {
  FrameReader reader(kFrameBytesMax);
  std::vector<std::string> out;
  base::Status status;
  for (std::size_t at = 0; at < stream.size() && status.ok(); at += piece) {
    status = reader.feed(stream.substr(at, piece), [&](bool is_probe, base::Bytes payload) {
      SYNOD_ASSERT(payload.size() <= kFrameBytesMax, "a frame is within its bound");
      SYNOD_ASSERT(!is_probe || payload.size() == kProbeBytes, "a probe is a number");
      out.push_back(std::move(payload));
      return true;
    });
  }
  out.push_back(status.to_string());
  return out;
}

void check_frames(base::BytesView stream) {
  const auto whole = read_frames(stream, std::max<std::size_t>(stream.size(), 1));
  SYNOD_ASSERT(whole == read_frames(stream, 1), "pieces do not matter");
  SYNOD_ASSERT(whole == read_frames(stream, 7), "pieces do not matter");
}

std::string with_good_hello(std::string stream) {
  stream.resize(std::max(stream.size(), kHelloHeaderBytes + 4));
  base::store_le32(stream.data(), kHelloMagic);
  stream[4] = static_cast<char>(kHelloVersion);
  stream[5] = 0;
  const std::size_t room = std::min(stream.size() - kHelloHeaderBytes - 4, kPeerEndpointBytesMax);
  base::store_le32(stream.data() + 24, static_cast<std::uint32_t>(room));
  const std::size_t covered = kHelloHeaderBytes + room;
  const std::uint32_t crc = base::crc32c(base::BytesView(stream).substr(0, covered));
  base::store_le32(stream.data() + covered, crc);
  return stream;
}

/// Frames of the lengths that stand in the input, with checksums that are right.
std::string with_good_frames(base::BytesView input) {
  std::string out;
  while (input.size() > 1) {
    const bool is_probe = (static_cast<unsigned char>(input[0]) & 1U) != 0;
    const std::size_t wanted = is_probe ? kProbeBytes : static_cast<unsigned char>(input[0]);
    const base::BytesView payload = input.substr(1, wanted);
    const std::size_t begin = out.size();
    out.resize(begin + kPeerFrameHeaderBytes);
    store_frame_header(payload, is_probe, out.data() + begin);
    out.append(payload);
    input.remove_prefix(1 + payload.size());
  }
  return out;
}

}  // namespace
}  // namespace synod::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace synod::net;
  const synod::base::BytesView input(reinterpret_cast<const char*>(data), size);
  check_hello(input);
  check_hello(with_good_hello(std::string(input)));
  check_frames(input);
  check_frames(with_good_frames(input));
  return 0;
}
