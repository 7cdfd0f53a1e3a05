// SPDX-License-Identifier: Apache-2.0
//
// Bytes as a broken or hostile replica might send them: as they are, and with length and checksums
// made right, because hardly any mutation survives a checksum. What decodes must encode to the very
// same bytes: there is one encoding of each message.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/crc32c.h"
#include "consensus/wire/codec.h"

namespace synod::consensus {
namespace {

void check_scan(base::BytesView stream) {
  constexpr std::uint32_t kSmall = 4096;
  const FrameScan scan = scan_frame(stream, kSmall);
  if (scan.state == FrameScan::State::kComplete) {
    SYNOD_ASSERT(scan.bytes <= stream.size() && scan.bytes <= kSmall, "a frame is there and small");
    const FrameScan part = scan_frame(stream.substr(0, scan.bytes - 1), kSmall);
    SYNOD_ASSERT(part.state == FrameScan::State::kNeedMore && part.bytes == 1, "one is missing");
  } else if (scan.state == FrameScan::State::kRefused) {
    SYNOD_ASSERT(!scan.refusal.ok(), "a refusal says why");
  } else {
    SYNOD_ASSERT(scan.bytes > 0 && stream.size() + scan.bytes <= kSmall, "a wait has an end");
  }
}

void check_decode(base::BytesView frame) {
  if (frame.size() < kFrameHeaderBytes) return;
  const ClusterId cluster(base::load_le64(frame.data() + 16));
  const base::Result<Envelope> envelope = decode_frame(cluster, frame);
  if (!envelope.ok()) return;
  SYNOD_ASSERT(encode_frame(cluster, *envelope) == frame, "one encoding of each message");
}

std::string repaired(std::string frame) {
  FrameHeader header;
  header.type = static_cast<std::uint16_t>(base::load_le32(frame.data() + 4) >> 16U);
  header.body_bytes = static_cast<std::uint32_t>(frame.size() - kFrameHeaderBytes);
  header.cluster = ClusterId(base::load_le64(frame.data() + 16) | 1U);
  header.process = ProcessId(base::load_le64(frame.data() + 24));
  header.from.incarnation = Incarnation(base::load_le64(frame.data() + 32));
  header.from.id = ReplicaId(base::load_le32(frame.data() + 40) | 1U);
  header.to = ReplicaId(base::load_le32(frame.data() + 44) | 1U);
  header.config = ConfigId(base::load_le32(frame.data() + 48));
  header.body_crc = base::crc32c(base::BytesView(frame).substr(kFrameHeaderBytes));
  store_header(header, frame.data());
  return frame;
}

}  // namespace
}  // namespace synod::consensus

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace synod::consensus;
  const synod::base::BytesView input(reinterpret_cast<const char*>(data), size);
  check_scan(input);
  check_decode(input);
  if (size >= kFrameHeaderBytes) {
    const std::string frame = repaired(std::string(input));
    check_scan(frame);
    check_decode(frame);
  }
  return 0;
}
