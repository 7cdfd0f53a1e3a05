// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/log/segment_reader.h"

namespace synod::storage {

/// A segment as recovery leaves it.
struct RecoveredSegment {
  SegmentInfo info;
  FrameSeq last;  ///< first_seq - 1 if it holds no frame.
  std::uint64_t end_offset = kFramesOffset;
  bool read_from_medium = false;
  bool damaged = false;

  [[nodiscard]] bool empty() const { return last < info.header.first_seq; }
  [[nodiscard]] bool sealed() const { return info.seal_state == SectorState::kValid; }
};

/// A file whose header is lost. Nothing in it can be read; it goes when its neighbours go.
struct UnusableSegment {
  std::string path;
  std::uint64_t number = 0;
  std::uint64_t file_size = 0;
  FrameSeq last;  ///< The last number that its frames can have had.
};

struct RecoveredLog {
  std::vector<RecoveredSegment> segments;
  std::vector<UnusableSegment> unusable;
  LogRecovery report;
  FrameSeq next_seq;         ///< Behind everything lost; 0 if there is no segment.
  bool lost_end = false;     ///< The last segment is missing or has no header.
  base::Bytes last_summary;  ///< Of the frame before next_seq; empty if it is not known.
};

/// Reads the log in `directory` without writing. Segments without a seal are read past the page
/// cache, because what a failed or missing sync left there may not be on the medium.
/// `identity` null: any. kCorruption: a header that belongs to another log or format version.
[[nodiscard]] base::Result<RecoveredLog> recover_log(FileSystem& files,
                                                     const std::string& directory,
                                                     const LogIdentity* identity,
                                                     SegmentScanner::FrameCallback& frame);

}  // namespace synod::storage
