// SPDX-License-Identifier: Apache-2.0
#include "consensus/wire/frame.h"

#include <string>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"

namespace synod::consensus {
namespace {

constexpr std::size_t kHeaderCrcAt = 60;

base::Status refused(base::StatusCode code, const char* what) {
  return base::Status(code, std::string("replica frame: ") + what);
}

/// Magic and version: all that may be believed of a header whose version is not known.
base::Status check_format(base::BytesView in) {
  if (base::load_le32(in.data()) != kFrameMagic) {
    return refused(base::StatusCode::kCorruption, "wrong magic");
  }
  const std::uint32_t version = base::load_le32(in.data() + 4) & 0xFFFFU;
  if (version < kVersionMin || version > kVersionMax) {
    return base::Status(base::StatusCode::kUnsupported,
                        "replica frame: version " + std::to_string(version) + " is not in [" +
                            std::to_string(kVersionMin) + ", " + std::to_string(kVersionMax) + "]");
  }
  return {};
}

FrameScan refuse(base::Status status) {
  return FrameScan{FrameScan::State::kRefused, 0, std::move(status)};
}

}  // namespace

void store_header(const FrameHeader& header, char* out) {
  SYNOD_ASSERT(header.body_bytes <= UINT32_MAX - kFrameHeaderBytes, "a frame's length has 32 bits");
  base::store_le32(out, kFrameMagic);
  base::store_le32(out + 4, static_cast<std::uint32_t>(header.type) << 16U | kVersionWritten);
  base::store_le32(out + 8, header.body_bytes + static_cast<std::uint32_t>(kFrameHeaderBytes));
  base::store_le32(out + 12, header.body_bytes);
  base::store_le64(out + 16, header.cluster.value());
  base::store_le64(out + 24, header.process.value());
  base::store_le64(out + 32, header.from.incarnation.value());
  base::store_le32(out + 40, header.from.id.value());
  base::store_le32(out + 44, header.to.value());
  base::store_le32(out + 48, header.config.value());
  base::store_le32(out + 52, 0);
  base::store_le32(out + 56, header.body_crc);
  base::store_le32(out + kHeaderCrcAt, base::crc32c(base::BytesView(out, kHeaderCrcAt)));
}

base::Result<FrameHeader> load_header(base::BytesView in) {
  SYNOD_ASSERT(in.size() >= kFrameHeaderBytes, "a header is looked at when it is there");
  SYNOD_RETURN_IF_ERROR(check_format(in));
  const char* at = in.data();
  if (base::load_le32(at + kHeaderCrcAt) != base::crc32c(in.substr(0, kHeaderCrcAt))) {
    return refused(base::StatusCode::kCorruption, "the header does not match its checksum");
  }
  FrameHeader header;
  header.type = static_cast<std::uint16_t>(base::load_le32(at + 4) >> 16U);
  header.body_bytes = base::load_le32(at + 12);
  header.cluster = ClusterId(base::load_le64(at + 16));
  header.process = ProcessId(base::load_le64(at + 24));
  header.from.incarnation = Incarnation(base::load_le64(at + 32));
  header.from.id = ReplicaId(base::load_le32(at + 40));
  header.to = ReplicaId(base::load_le32(at + 44));
  header.config = ConfigId(base::load_le32(at + 48));
  header.body_crc = base::load_le32(at + 56);
  const std::uint64_t frame_bytes = base::load_le32(at + 8);
  if (frame_bytes != std::uint64_t{header.body_bytes} + kFrameHeaderBytes) {
    return refused(base::StatusCode::kCorruption, "the two lengths contradict each other");
  }
  if (base::load_le32(at + 52) != 0) {
    return refused(base::StatusCode::kCorruption, "reserved bytes are not zero");
  }
  if (header.from.id == ReplicaId() || header.to == ReplicaId()) {
    return refused(base::StatusCode::kCorruption, "replica ids begin at 1");
  }
  return header;
}

FrameScan scan_frame(base::BytesView stream, std::uint32_t frame_bytes_max) {
  using State = FrameScan::State;
  // A peer that speaks something else is told so early: it may never send a whole header.
  if (stream.size() >= 8) {
    base::Status status = check_format(stream);
    if (!status.ok()) return refuse(std::move(status));
  }
  if (stream.size() < kFrameHeaderBytes) {
    return FrameScan{State::kNeedMore, kFrameHeaderBytes - stream.size(), {}};
  }
  const base::Result<FrameHeader> header = load_header(stream);
  if (!header.ok()) return refuse(header.status());
  const std::size_t whole = kFrameHeaderBytes + header->body_bytes;
  if (whole > frame_bytes_max) {
    return refuse(base::Status(base::StatusCode::kLimitExceeded,
                               "replica frame: " + std::to_string(whole) + " bytes, at most " +
                                   std::to_string(frame_bytes_max)));
  }
  if (stream.size() < whole) return FrameScan{State::kNeedMore, whole - stream.size(), {}};
  return FrameScan{State::kComplete, whole, {}};
}

}  // namespace synod::consensus
