// SPDX-License-Identifier: Apache-2.0
// Any bytes as a segment: opening may refuse or report, never crash, and needs memory in
// proportion to the file, whatever lengths it claims.
//
// Input: one byte of flags (bit 0: repair the checksums of the header copies and of each block that
// looks like a frame's head, so that mutations get past them), then the segment's bytes.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/crc32c.h"
#include "storage/log/format.h"
#include "storage/log/segmented_log.h"
#include "storage/sim_file.h"

namespace synod::storage {
namespace {

constexpr std::size_t kInputBytesMax = 256 << 10;

void repair(std::string& segment) {
  for (std::size_t at = 0; at + kLogSectorBytes <= segment.size() && at < kFramesOffset;
       at += kLogBlockBytes) {
    char* sector = segment.data() + at;
    base::store_le32(sector + 12, 0);
    base::store_le32(sector + 12, base::crc32c(base::BytesView(sector, kLogSectorBytes)));
  }
  for (std::size_t at = kFramesOffset; at + kLogSectorBytes <= segment.size();
       at += kLogBlockBytes) {
    char* head = segment.data() + at + kLogTagBytes;
    if (is_zero(base::BytesView(head, kFrameHeadBytes))) continue;
    base::store_le32(head, base::crc32c(base::BytesView(head + 4, kFrameHeadBytes - 4)));
  }
}

void write_file(FileSystem& files, const std::string& path, const std::string& contents) {
  auto file = files.open(path, OpenMode::kCreate);
  SYNOD_ASSERT(file.ok() && (*file)->write_at(0, contents).ok() && (*file)->sync().ok(),
               "the simulated disk has no fault here");
}

void run(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > kInputBytesMax) return;
  std::string segment(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((data[0] & 1) != 0) repair(segment);
  SimFileSystem files{base::Random(1)};
  SYNOD_ASSERT(files.create_directories("/log").ok(), "the simulated disk has no fault here");
  write_file(files, "/log/" + segment_name(1), segment);

  std::uint64_t last = 0;
  std::uint64_t bytes = 0;
  const auto report = inspect_log(files, "/log", [&](const LogFrame& frame) {
    SYNOD_ASSERT(frame.seq.value() > last, "G3: frames come in order");
    last = frame.seq.value();
    bytes += frame.body.size() + frame.summary.size();
    return base::Status();
  });
  SYNOD_ASSERT(bytes <= segment.size(), "a frame was delivered that the file cannot hold");

  SegmentHeader header;
  const bool readable = decode_header(base::BytesView(segment).substr(0, kLogSectorBytes),
                                      header) == SectorState::kValid;
  // A header that claims a huge file is legal; creating the copy of such a segment is not the
  // reader's business.
  if (!report.ok() || !report->damages.empty() || !readable || header.file_bytes > 1 << 20) return;
  const LogOptions options{.segment_bytes = 64 << 10, .frame_bytes_max = 1 << 20};
  auto opened = open_segmented_log(files, "/log", header.identity, options, base::Random(2),
                                   FrameSeq(1), [](const LogFrame&) { return base::Status(); });
  if (!opened.ok() || opened->log == nullptr) return;
  SYNOD_ASSERT(opened->log->append("s", {}).ok() && opened->log->sync().ok(),
               "a recovered log takes frames");
  const auto again = inspect_log(files, "/log", [](const LogFrame&) { return base::Status(); });
  SYNOD_ASSERT(again.ok() && again->damages.empty() && again->frames == report->frames + 1,
               "what was recovered is recovered again");
}

}  // namespace
}  // namespace synod::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  synod::storage::run(data, size);
  return 0;
}
