// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <memory>
#include <span>

#include "storage/log/format.h"

namespace synod::storage {

/// Lays out one frame in memory. The buffer is aligned, reused and grows only with the largest
/// frame seen, so that a steady writer allocates nothing.
class FrameEncoder {
 public:
  /// The finished frame; valid until the next call. `head` needs only epoch, seq and previous_seq.
  [[nodiscard]] base::BytesView encode(FrameHead head, base::BytesView summary,
                                       base::BytesView previous_summary,
                                       std::span<const base::BytesView> body);

 private:
  void reserve(std::uint64_t bytes);
  void put(base::BytesView bytes);
  void finish_sector();

  std::unique_ptr<char, decltype(&std::free)> buffer_{nullptr, &std::free};
  std::uint64_t capacity_ = 0;
  std::uint32_t tag_ = 0;
  char* next_ = nullptr;         ///< Where the next payload byte goes.
  std::size_t sector_left_ = 0;  ///< Payload bytes that still fit into the current sector.
};

/// Writes frames one behind the other into one open segment.
///
/// Owned by SegmentedLog. Threads: confined to the log writer. Failure: the caller poisons the log.
class SegmentWriter {
 public:
  SegmentWriter(std::unique_ptr<File> file, const SegmentHeader& header, std::string path)
      : file_(std::move(file)), header_(header), path_(std::move(path)) {}

  /// True if a frame of that many disk bytes fits before the seal.
  [[nodiscard]] bool fits(std::uint64_t disk_bytes) const {
    return disk_bytes <= header_.seal_offset() - offset_;
  }
  /// One write, not yet durable. REQUIRES: fits(frame.size()).
  [[nodiscard]] base::Status write(base::BytesView frame);
  [[nodiscard]] base::Status sync() { return file_->sync(); }
  /// Ends the segment durably behind `last_seq`.
  [[nodiscard]] base::Status seal(FrameSeq last_seq);
  [[nodiscard]] const SegmentHeader& header() const { return header_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t end_offset() const { return offset_; }

 private:
  std::unique_ptr<File> file_;
  SegmentHeader header_;
  std::string path_;
  std::uint64_t offset_ = kFramesOffset;
};

/// Writes and syncs the seal of a segment.
[[nodiscard]] base::Status write_seal(File& file, const SegmentHeader& header, FrameSeq last_seq,
                                      std::uint64_t end_offset);

}  // namespace synod::storage
