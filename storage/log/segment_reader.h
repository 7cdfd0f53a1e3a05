// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/log/format.h"

namespace synod::storage {

/// A segment as far as its header and seal tell.
struct SegmentInfo {
  std::uint64_t number = 0;
  std::string path;
  std::uint64_t file_size = 0;  ///< As found; may be less than header.file_bytes.
  SectorState header_state = SectorState::kBad;
  SegmentHeader header;
  SectorState seal_state = SectorState::kZero;
  SegmentSeal seal;
};

/// Reads the header copies and the seal. Rot is reported in the states, never as an error.
[[nodiscard]] base::Result<SegmentInfo> read_segment_info(FileSystem& files,
                                                          const std::string& path);

/// A window over a file: big aligned reads, zero behind the end of the file, and blocks that
/// cannot be read filled with a byte that no valid frame consists of (R5).
///
/// Memory: at most the window (4 MiB) or the largest range asked for, which callers bound by the
/// size of the file and never by a length read from it.
class SegmentWindow {
 public:
  SegmentWindow(const File& file, std::uint64_t file_size) : file_(file), file_size_(file_size) {}
  /// `size` bytes at `offset`; valid until the next call.
  [[nodiscard]] base::BytesView view(std::uint64_t offset, std::uint64_t size);
  [[nodiscard]] std::uint64_t file_size() const { return file_size_; }

 private:
  void load(std::uint64_t offset, std::uint64_t size);

  const File& file_;
  std::uint64_t file_size_;
  std::unique_ptr<char, decltype(&std::free)> buffer_{nullptr, &std::free};
  std::uint64_t capacity_ = 0;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

/// Reads the frames of one segment in order and classifies what it cannot read (R1, R3, R4).
class SegmentScanner {
 public:
  using FrameCallback = base::Function<base::Status(const LogFrame&)>;

  /// `known_last`: the last frame that must be there (R1); nullopt for the last segment.
  SegmentScanner(const SegmentInfo& info, const File& file, std::optional<FrameSeq> known_last,
                 FrameCallback& frame, std::vector<LogDamage>& damages)
      : info_(info),
        window_(file, info.file_size),
        known_last_(known_last),
        frame_(frame),
        damages_(damages),
        next_(info.header.first_seq) {}

  /// Fails only with what the callback returns.
  [[nodiscard]] base::Status run();

  [[nodiscard]] FrameSeq next_seq() const { return next_; }
  [[nodiscard]] std::uint64_t end_offset() const { return offset_; }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  [[nodiscard]] bool torn() const { return torn_; }
  /// The last good frame. REQUIRES: frames() > 0.
  [[nodiscard]] FrameSeq last_frame() const { return last_frame_; }
  [[nodiscard]] const base::Bytes& last_summary() const { return last_summary_; }

 private:
  enum class Verdict : std::uint8_t { kGood, kEnd, kBadHead, kBadFrame };

  Verdict read_frame();
  bool read_payload();
  void finish_damage();
  void on_bad_head();
  void on_bad_frame();
  bool is_torn(std::uint64_t begin, std::uint64_t frame_end, bool head_known);
  std::optional<std::uint64_t> find_later_head();
  void report(FrameSeq last, const char* reason);
  [[nodiscard]] std::uint64_t area_end() const;

  const SegmentInfo& info_;
  SegmentWindow window_;
  std::optional<FrameSeq> known_last_;
  FrameCallback& frame_;
  std::vector<LogDamage>& damages_;
  FrameSeq next_;
  std::uint64_t offset_ = kFramesOffset;
  std::uint64_t frames_ = 0;
  bool torn_ = false;
  bool done_ = false;
  FrameHead head_;       ///< Of the frame at offset_, when its head is good.
  base::Bytes payload_;  ///< Its payload without tags; reused.
  bool meta_good_ = false;
  FrameSeq last_frame_;
  base::Bytes last_summary_;
};

}  // namespace synod::storage
