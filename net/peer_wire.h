// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "net/peer_transport.h"

// What nodes say to each other below their messages, all little-endian. A connection carries frames
// of one class in one direction. The one who dialed says hello, the other one answers with a hello
// of its own, which says whether the connection stands; only then frames follow.
//
//   Hello
//    0  magic     u32   "SYNP" as it stands in the stream
//    4  version   u16   1
//    6  class     u8    PeerClass
//    7  verdict   u8    HelloVerdict
//    8  cluster   u64   0: the sender belongs to none yet
//   16  sender    u32   node ids
//   20  receiver  u32   whom the one who dials wants; in an answer: the one who dialed
//   24  endpoint  u32   bytes of the endpoint, at most 255
//   28  endpoint        "host:port" where others reach the sender; empty: it does not say
//    .. crc       u32   CRC-32C of all before it
//
//   Frame
//    0  length    u32   bytes of the payload; the highest bit marks a probe
//    4  crc       u32   CRC-32C of the length as it stands, then the payload
//    8  payload
//
// A probe's payload is a number of 8 bytes. It goes from the one who dialed; the other one sends it
// back as it came. Magic and version keep their place for ever.
namespace synod::net {

inline constexpr std::uint32_t kHelloMagic = 0x504E5953;
inline constexpr std::uint16_t kHelloVersion = 1;
inline constexpr std::size_t kHelloHeaderBytes = 28;
inline constexpr std::size_t kPeerFrameHeaderBytes = 8;
inline constexpr std::uint32_t kProbeBit = 1U << 31U;
inline constexpr std::size_t kProbeBytes = 8;

/// What an answer says; a hello of the one who dials says kDial.
enum class HelloVerdict : std::uint8_t {
  kDial,
  kAccepted,
  kWrongReceiver,  ///< "This is not the node you wanted"; the sender's id says which it is.
  kWrongCluster,   ///< Both belong to one, and not to the same.
  kWrongIdentity,  ///< The certificate does not name the node that the hello names.
  kNoRoom,         ///< Too many unknown peers.
};
inline constexpr std::uint8_t kHelloVerdictCount = 6;

struct Hello {
  PeerClass peer_class = PeerClass::kConsensus;
  HelloVerdict verdict = HelloVerdict::kDial;
  std::uint64_t cluster = 0;
  PeerId sender;
  PeerId receiver;
  std::string endpoint;
  bool operator==(const Hello&) const = default;
};

/// REQUIRES: an endpoint of at most kPeerEndpointBytesMax bytes.
[[nodiscard]] base::Bytes encode_hello(const Hello& hello);

/// What stands at the beginning of a stream that must begin with a hello.
struct HelloScan {
  enum class State : std::uint8_t { kNeedMore, kComplete, kRefused };
  State state = State::kNeedMore;
  std::size_t bytes = 0;  ///< Of the complete hello.
  Hello hello;
  base::Status refusal;
};
/// Refuses as soon as it can: garbage is never waited for.
[[nodiscard]] HelloScan scan_hello(base::BytesView stream);

/// Writes kPeerFrameHeaderBytes for this payload.
void store_frame_header(base::BytesView payload, bool is_probe, char* out);

/// Cuts the stream of one connection into frames.
///
/// Invariants
///   FR1  Only frames whose checksum is right are handed out, in order.
///   FR2  Memory follows the bytes that arrived, not a length that was claimed; and it is bounded
///   by
///        the longest frame.
///
/// Threads: externally synchronized. Failure: after a refusal the stream is worth nothing.
class FrameReader {
 public:
  /// False: the reader is to stop, the connection is gone.
  using Sink = std::function<bool(bool is_probe, base::Bytes payload)>;

  /// Frames longer than `frame_bytes_max` are refused when their header is there.
  explicit FrameReader(std::uint32_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}
  /// Takes all of `fresh` and hands the frames that are complete to `sink`.
  base::Status feed(base::BytesView fresh, const Sink& sink);

 private:
  /// True when a header is complete and good.
  [[nodiscard]] base::Result<bool> take_header(base::BytesView& fresh);
  void take_payload(base::BytesView& fresh);

  const std::uint32_t frame_bytes_max_;
  base::Bytes header_;
  base::Bytes payload_;
  std::size_t payload_bytes_ = 0;  ///< Claimed.
  bool is_probe_ = false;
};

}  // namespace synod::net
