// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/status.h"
#include "consensus/protocol/types.h"

// Frames between replicas. A frame is a header of 64 bytes and a body, all little-endian:
//
//    0  magic       u32   "SYNW" as it stands in the stream
//    4  version     u16   of the whole format, bodies included
//    6  type        u16   of the message, see message_type() in fields.h
//    8  frame_bytes u32   header and body
//   12  body_bytes  u32   frame_bytes - 64
//   16  cluster     u64   0: the sender belongs to none yet
//   24  process     u64   of the sender
//   32  incarnation u64   of the sender
//   40  from        u32   replica ids
//   44  to          u32
//   48  config      u32   the sender's configuration; 0: none
//   52  reserved    u32   0
//   56  body_crc    u32   CRC-32C of the body
//   60  header_crc  u32   CRC-32C of the bytes 0 to 59
//
// Magic and version keep their place for ever; everything else may change with the version. A build
// reads every version in [kVersionMin, kVersionMax] and writes kVersionWritten. A release that
// changes the format writes the old version still and reads both; the next one writes the new: so
// replicas one release apart always understand each other.
namespace synod::consensus {

inline constexpr std::uint32_t kFrameMagic = 0x574E5953;
inline constexpr std::uint16_t kVersionMin = 1;
inline constexpr std::uint16_t kVersionMax = 1;
inline constexpr std::uint16_t kVersionWritten = 1;
inline constexpr std::size_t kFrameHeaderBytes = 64;
inline constexpr std::uint32_t kFrameBytesMax = 64U << 20U;  ///< Unless configured otherwise.

struct FrameHeader {
  std::uint16_t type = 0;
  std::uint32_t body_bytes = 0;
  ClusterId cluster;
  ProcessId process;
  Member from;
  ReplicaId to;
  ConfigId config;
  std::uint32_t body_crc = 0;
};

/// Writes kFrameHeaderBytes.
void store_header(const FrameHeader& header, char* out);
/// REQUIRES: at least kFrameHeaderBytes. Says nothing about a limit or the body.
[[nodiscard]] base::Result<FrameHeader> load_header(base::BytesView in);

/// What stands at the beginning of a stream of frames.
struct FrameScan {
  enum class State : std::uint8_t {
    kNeedMore,  ///< `bytes` more are missing, at least.
    kComplete,  ///< The first `bytes` are one frame; decode_frame() checks its body.
    kRefused,   ///< Not a frame, or too large. Where the next begins is unknown: close the stream.
  };
  State state = State::kNeedMore;
  std::size_t bytes = 0;
  base::Status refusal;
};

/// Looks at the header only, so it costs the same however much has arrived; a frame longer than
/// `frame_bytes_max` is refused when its header is there, before anybody makes room for it.
[[nodiscard]] FrameScan scan_frame(base::BytesView stream,
                                   std::uint32_t frame_bytes_max = kFrameBytesMax);

}  // namespace synod::consensus
