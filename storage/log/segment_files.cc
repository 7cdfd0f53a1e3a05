// SPDX-License-Identifier: Apache-2.0
#include "storage/log/segment_files.h"

#include <algorithm>

#include "storage/log/segment_reader.h"

namespace synod::storage {
namespace {

using base::Result;
using base::Status;

constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20;

Status fill_with_zeros(File& file, std::uint64_t begin, std::uint64_t end) {
  const base::Bytes zeros(std::min(kStepBytes, end - begin), '\0');
  for (std::uint64_t at = begin; at < end;) {
    const std::uint64_t step = std::min<std::uint64_t>(zeros.size(), end - at);
    SYNOD_RETURN_IF_ERROR(file.write_at(at, base::BytesView(zeros).substr(0, step)));
    at += step;
  }
  return Status();
}

Status copy_range(const File& from, File& to, std::uint64_t end) {
  SYNOD_ASSIGN_OR_RETURN(const std::uint64_t size, from.size());
  SegmentWindow window(from, size);
  end = std::min(end, size);  // The rest is padding that a truncated file lacks.
  for (std::uint64_t at = 0; at < end; at += kStepBytes) {
    const std::uint64_t step = std::min(kStepBytes, end - at);
    SYNOD_RETURN_IF_ERROR(to.write_at(at, window.view(at, step)));
  }
  return Status();
}

}  // namespace

Result<std::unique_ptr<File>> create_blank_segment(FileSystem& files, const std::string& path,
                                                   std::uint64_t bytes) {
  if (files.exists(path)) SYNOD_RETURN_IF_ERROR(files.remove(path));
  SYNOD_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.open(path, OpenMode::kCreateUncached));
  Status status = fill_with_zeros(*file, 0, bytes);
  if (status.ok()) status = file->sync();
  if (status.ok()) return file;
  file.reset();
  files.remove(path).ignore();  // Best effort: the next attempt and the next open remove it too.
  return status;
}

Status write_segment_header(File& file, const SegmentHeader& header) {
  base::Bytes pages(kFramesOffset, '\0');
  encode_header(header, pages.data());
  encode_header(header, pages.data() + kLogBlockBytes);
  SYNOD_RETURN_IF_ERROR(file.write_at(0, pages));
  return file.sync();
}

Status copy_segment(FileSystem& files, const std::string& directory, const std::string& path,
                    const SegmentHeader& header, std::uint64_t end_offset) {
  const std::string fresh = path + ".new";
  {
    SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<File> to,
                           create_blank_segment(files, fresh, header.file_bytes));
    SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<File> from, files.open(path, OpenMode::kRead));
    SYNOD_RETURN_IF_ERROR(copy_range(*from, *to, end_offset));
    SYNOD_RETURN_IF_ERROR(write_segment_header(*to, header));
  }
  SYNOD_RETURN_IF_ERROR(files.rename(fresh, path));
  return files.sync_directory(directory);
}

}  // namespace synod::storage
