// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "storage/log/format.h"

namespace synod::storage {

/// Creates `path` anew, zero-filled to `bytes` and durable, but not its directory entry. On
/// failure nothing is left behind, so that kNoSpace gives the space back.
[[nodiscard]] base::Result<std::unique_ptr<File>> create_blank_segment(FileSystem& files,
                                                                       const std::string& path,
                                                                       std::uint64_t bytes);

/// Writes both header copies into a blank segment and syncs it.
[[nodiscard]] base::Status write_segment_header(File& file, const SegmentHeader& header);

/// Replaces a segment by a copy of its first `end_offset` bytes, zeros behind: the way to make
/// frames durable that were read through a page cache that cannot be trusted (G5). What cannot be
/// read becomes bytes that no frame consists of.
[[nodiscard]] base::Status copy_segment(FileSystem& files, const std::string& directory,
                                        const std::string& path, const SegmentHeader& header,
                                        std::uint64_t end_offset);

}  // namespace synod::storage
