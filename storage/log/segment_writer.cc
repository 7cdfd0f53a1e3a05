// SPDX-License-Identifier: Apache-2.0
#include "storage/log/segment_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/crc32c.h"

namespace synod::storage {

void FrameEncoder::reserve(std::uint64_t bytes) {
  if (bytes <= capacity_) return;
  const std::uint64_t capacity = std::bit_ceil(bytes);
  buffer_.reset(static_cast<char*>(std::aligned_alloc(kLogBlockBytes, capacity)));
  SYNOD_ASSERT(buffer_ != nullptr, "out of memory for a frame within the configured limit");
  capacity_ = capacity;
}

void FrameEncoder::finish_sector() {
  base::store_le32(next_, tag_);
  next_ += kLogTagBytes;
  sector_left_ = kLogSectorPayload;
}

void FrameEncoder::put(base::BytesView bytes) {
  while (!bytes.empty()) {
    if (sector_left_ == 0) finish_sector();
    const std::size_t step = std::min(sector_left_, bytes.size());
    std::memcpy(next_, bytes.data(), step);
    next_ += step;
    sector_left_ -= step;
    bytes.remove_prefix(step);
  }
}

base::BytesView FrameEncoder::encode(FrameHead head, base::BytesView summary,
                                     base::BytesView previous_summary,
                                     std::span<const base::BytesView> body) {
  std::uint64_t body_bytes = 0;
  for (const base::BytesView piece : body) {
    body_bytes += piece.size();
    head.body_crc = base::crc32c(piece, head.body_crc);
  }
  head.body_bytes = static_cast<std::uint32_t>(body_bytes);
  head.summary_bytes = static_cast<std::uint16_t>(summary.size());
  head.previous_summary_bytes = static_cast<std::uint16_t>(previous_summary.size());
  head.meta_crc = base::crc32c(previous_summary, base::crc32c(summary));
  const std::uint64_t disk_bytes = frame_disk_bytes(head.payload_bytes());
  reserve(disk_bytes);

  tag_ = frame_tag(head.epoch, head.seq);
  next_ = buffer_.get();
  sector_left_ = 0;
  std::array<char, kFrameHeadBytes> encoded{};
  encode_frame_head(head, encoded.data());
  put(base::BytesView(encoded.data(), encoded.size()));
  put(summary);
  put(previous_summary);
  for (const base::BytesView piece : body) put(piece);
  while (next_ < buffer_.get() + disk_bytes) {
    std::memset(next_, 0, sector_left_);
    next_ += sector_left_;
    if (next_ < buffer_.get() + disk_bytes) finish_sector();
  }
  return {buffer_.get(), disk_bytes};
}

base::Status SegmentWriter::write(base::BytesView frame) {
  SYNOD_ASSERT(fits(frame.size()), "G2: a frame would run into the seal");
  SYNOD_ASSERT(frame.size() % kLogBlockBytes == 0, "G2: a frame covers whole blocks");
  SYNOD_RETURN_IF_ERROR(file_->write_at(offset_, frame));
  offset_ += frame.size();
  return base::Status();
}

base::Status SegmentWriter::seal(FrameSeq last_seq) {
  return write_seal(*file_, header_, last_seq, offset_);
}

base::Status write_seal(File& file, const SegmentHeader& header, FrameSeq last_seq,
                        std::uint64_t end_offset) {
  std::array<char, kLogBlockBytes> block{};
  encode_seal({header.epoch, header.number, last_seq, end_offset}, block.data());
  SYNOD_RETURN_IF_ERROR(
      file.write_at(header.seal_offset(), base::BytesView(block.data(), block.size())));
  return file.sync();
}

}  // namespace synod::storage
