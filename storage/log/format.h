// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "storage/log/segmented_log.h"

namespace synod::storage {

/// What the log's bytes look like. All integers are little endian, all checksums CRC-32C.
///
///   directory = { number(16 hex digits) ".seg" }        numbers are consecutive
///               [ "prepared.new" | number ".seg.new" ]   not yet part of the log
///   segment   = header header { frame } zeros seal       file_bytes in all, a multiple of a block
///   header    = one 512-byte sector at the start of a 4 KiB block, the rest zero:
///               magic "SYNODLOG" u64 | version u32 | crc u32 of the sector with crc = 0 |
///               number u64 | first_seq u64 | file_bytes u64 | epoch u32 | previous_epoch u32 |
///               previous_last u64 | identity 16 | zeros
///   frame     = whole blocks; every sector starts with tag u32, a non-zero function of (epoch,
///               seq); the other 508 bytes of its sectors, joined, are
///               head summary previous_summary body zeros
///   head      = head_crc u32 of the rest of head | kind u8 | 0 u8 | summary_bytes u16 |
///               previous_summary_bytes u16 | 0 u16 | epoch u32 | meta_crc u32 of both summaries |
///               body_crc u32 | body_bytes u32 | seq u64 | previous_seq u64
///   seal      = the last block; one sector, the rest zero; all zero while the segment is open:
///               magic "SYNODEND" u64 | crc u32 | epoch u32 | number u64 | last_seq u64 |
///               end_offset u64 | zeros
///
/// Order of writes
///   A segment gets its name only after it is zero-filled and its header is durable, and that
///   happens only after the last frame of its predecessor is durable. The predecessor's seal is
///   written after that and is durable before the first frame of the new segment is acknowledged.
///   A frame is written only after the frame before it is durable.
///
/// What follows at recovery
///   R1  A segment with a successor ends at the successor's previous_last. Every frame up to there
///       was durable, so each one that cannot be read is corrupt; bytes behind it are dead.
///   R2  A sealed segment without a successor has lost it: everything behind is unknown.
///   R3  In the last segment a frame is torn, never acknowledged and dropped, if nothing else was
///       written behind it and one of its sectors is all zero or lies behind the end of the file.
///       Because segments are zero-filled, "something else" is any other non-zero sector.
///   R4  Every other unreadable frame is corrupt, above all a last frame all of whose sectors were
///       written. If its head is unreadable too and no later frame follows, the tail is unknown.
///   R5  A sector that cannot be read counts as written and bad.
/// A sector is written whole or not at all (F3), so a header copy, a head and a seal are each
/// either absent or complete; anything between is rot.
///
/// A log that goes on behind damage (DamagePolicy::kReport)
///   Behind an unknown tail the next segment's previous_last is kLostFrames further on, so R1 finds
///   the loss again. Behind a lost segment the next one skips a segment number as well and has
///   previous_epoch 0: the hole in the numbers says that something is missing. Bytes of damaged
///   segments stay as they are.

constexpr std::size_t kLogSectorBytes = 512;
constexpr std::size_t kLogBlockBytes = 4096;
constexpr std::size_t kLogTagBytes = 4;
constexpr std::size_t kLogSectorPayload = kLogSectorBytes - kLogTagBytes;
constexpr std::size_t kFrameHeadBytes = 44;
constexpr std::size_t kFrameSummaryBytesMax = 512;
constexpr std::uint64_t kFramesOffset = 2 * kLogBlockBytes;
constexpr std::uint64_t kSegmentBytesMin = 4 * kLogBlockBytes;
constexpr std::uint32_t kLogFormatVersion = 1;
constexpr FrameSeq kUnknownTail{UINT64_MAX};

struct SegmentHeader {
  std::uint64_t number = 0;
  FrameSeq first_seq;
  std::uint64_t file_bytes = 0;
  std::uint32_t epoch = 0;           ///< Random and non-zero: this life of this segment.
  std::uint32_t previous_epoch = 0;  ///< 0 if there was no predecessor, or it is lost.
  FrameSeq previous_last;
  LogIdentity identity{};

  /// Where the frames must have ended; the seal begins there.
  [[nodiscard]] std::uint64_t seal_offset() const { return file_bytes - kLogBlockBytes; }
};

struct SegmentSeal {
  std::uint32_t epoch = 0;
  std::uint64_t number = 0;
  FrameSeq last_seq;
  std::uint64_t end_offset = 0;
};

struct FrameHead {
  std::uint32_t epoch = 0;
  std::uint16_t summary_bytes = 0;
  std::uint16_t previous_summary_bytes = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t meta_crc = 0;
  std::uint32_t body_crc = 0;
  FrameSeq seq;
  FrameSeq previous_seq;  ///< 0: none.

  [[nodiscard]] std::uint64_t payload_bytes() const {
    return kFrameHeadBytes + std::uint64_t{summary_bytes} + previous_summary_bytes + body_bytes;
  }
};

/// What one sector of fixed layout holds.
enum class SectorState : std::uint8_t {
  kValid,
  kZero,          ///< Never written.
  kBad,           ///< Written, but not what it should be.
  kOtherVersion,  ///< A header that is intact, of a format this build does not read.
};

/// Bytes up to the last sector that carries payload, and rounded up to whole blocks.
[[nodiscard]] std::uint64_t frame_data_bytes(std::uint64_t payload_bytes);
[[nodiscard]] std::uint64_t frame_disk_bytes(std::uint64_t payload_bytes);

[[nodiscard]] std::uint32_t frame_tag(std::uint32_t epoch, FrameSeq seq);
[[nodiscard]] bool is_zero(base::BytesView bytes);

/// Each writes or reads exactly one sector.
void encode_header(const SegmentHeader& header, char* sector);
[[nodiscard]] SectorState decode_header(base::BytesView sector, SegmentHeader& header);
void encode_seal(const SegmentSeal& seal, char* sector);
[[nodiscard]] SectorState decode_seal(base::BytesView sector, SegmentSeal& seal);
/// The head alone, 44 bytes without the tag.
void encode_frame_head(const FrameHead& head, char* out);
/// The first sector of a frame; the tag is not checked.
[[nodiscard]] SectorState decode_frame_head(base::BytesView sector, FrameHead& head);

[[nodiscard]] std::string segment_name(std::uint64_t number);
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace synod::storage
