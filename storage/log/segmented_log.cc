// SPDX-License-Identifier: Apache-2.0
#include "storage/log/segmented_log.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/logging.h"
#include "base/text.h"
#include "storage/log/recovery.h"
#include "storage/log/segment_files.h"
#include "storage/log/segment_writer.h"

namespace synod::storage {
namespace {

using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

constexpr const char* kPreparedName = "prepared.new";

/// A segment that is complete and not written any more.
struct ClosedSegment {
  std::string path;
  std::uint64_t number = 0;
  FrameSeq last;
  std::uint64_t file_bytes = 0;
};

/// What the log needs to know to go on behind recovered segments.
struct LogStart {
  std::vector<ClosedSegment> closed;
  SegmentHeader header;      ///< Of the segment to create.
  base::Bytes last_summary;  ///< Of the frame before the new segment; empty if it is not known.
  FrameSeq first_seq;
};

/// The log of one process: closed segments, one active, at most one prepared.
///
/// Threads: `closed_`, `prepared_`, `random_` and `poison_` are guarded by `mutex_`;
/// `prepare_mutex_` is held from zero-filling a segment until the file has a state that the other
/// thread understands, so that rotation waits for a preparation and none starts beside a rotation.
/// Everything else is confined to the log writer.
class SegmentedLogImpl final : public SegmentedLog {
 public:
  SegmentedLogImpl(FileSystem& files, std::string directory, const LogOptions& options,
                   base::Random random, LogStart start)
      : files_(files),
        directory_(std::move(directory)),
        options_(options),
        random_(random),
        closed_(std::move(start.closed)),
        next_seq_(start.header.first_seq),
        first_seq_(start.first_seq),
        previous_summary_(std::move(start.last_summary)),
        has_previous_(!previous_summary_.empty()) {}

  /// Makes `header` the active segment under its name.
  Status start(const SegmentHeader& header);

  Result<FrameSeq> append(BytesView summary, std::span<const BytesView> body) override;
  Status sync() override;
  FrameSeq next_seq() const override { return next_seq_; }
  FrameSeq first_seq() const override { return FrameSeq(first_seq_); }
  Status delete_before(FrameSeq seq) override;
  Status prepare_segment() override;
  bool needs_segment() const override {
    const std::lock_guard lock(mutex_);
    return poison_.ok() && !prepared_;
  }
  std::uint64_t disk_bytes() const override;
  Result<std::vector<LogDamage>> scrub() const override;

 private:
  struct Prepared {
    std::unique_ptr<File> file;
    std::uint64_t bytes = 0;
  };

  Status poison() const;
  Status poison_with(Status status);
  Status prepare_at_least(std::uint64_t bytes);
  Status rotate(std::uint64_t frame_bytes);
  Status activate(Prepared prepared, const SegmentHeader& header);
  Status check_size(BytesView summary, std::span<const BytesView> body,
                    std::uint64_t& disk_bytes) const;

  FileSystem& files_;
  const std::string directory_;
  const LogOptions options_;

  mutable std::mutex mutex_;
  base::Random random_;
  std::vector<ClosedSegment> closed_;
  std::optional<Prepared> prepared_;
  std::uint64_t active_bytes_ = 0;
  Status poison_;

  std::mutex prepare_mutex_;

  std::optional<SegmentWriter> writer_;
  FrameEncoder encoder_;
  FrameSeq next_seq_;
  FrameSeq first_seq_;
  base::Bytes previous_summary_;
  bool has_previous_;
  bool unsynced_ = false;
};

Status SegmentedLogImpl::poison() const {
  const std::lock_guard lock(mutex_);
  return poison_;
}

Status SegmentedLogImpl::poison_with(Status status) {
  // kNoSpace promises that nothing was touched; here something was, whatever the code says.
  if (status.code() == StatusCode::kNoSpace) {
    status = Status(StatusCode::kIoError, status.message());
  }
  const std::lock_guard lock(mutex_);
  if (poison_.ok()) {
    poison_ = status.with_context("the log is closed for writing after a failure");
  }
  return status;
}

Status SegmentedLogImpl::start(const SegmentHeader& header) {
  const std::lock_guard preparing(prepare_mutex_);
  SYNOD_RETURN_IF_ERROR(prepare_at_least(header.file_bytes));
  std::optional<Prepared> prepared;
  {
    const std::lock_guard lock(mutex_);
    prepared.swap(prepared_);
  }
  return activate(std::move(*prepared), header);
}

/// The order is the point: header durable, then the name, then the name durable (format.h).
Status SegmentedLogImpl::activate(Prepared prepared, const SegmentHeader& header) {
  const std::string path = directory_ + "/" + segment_name(header.number);
  SYNOD_RETURN_IF_ERROR(write_segment_header(*prepared.file, header));
  SYNOD_RETURN_IF_ERROR(files_.rename(directory_ + "/" + kPreparedName, path));
  SYNOD_RETURN_IF_ERROR(files_.sync_directory(directory_));
  writer_.emplace(std::move(prepared.file), header, path);
  const std::lock_guard lock(mutex_);
  active_bytes_ = header.file_bytes;
  return Status();
}

/// REQUIRES: prepare_mutex_ is held.
Status SegmentedLogImpl::prepare_at_least(std::uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (!poison_.ok()) return poison_;
    if (prepared_ && prepared_->bytes >= bytes) return Status();
    prepared_.reset();
  }
  auto file = create_blank_segment(files_, directory_ + "/" + kPreparedName, bytes);
  if (!file.ok()) {
    // A full disk costs nothing yet: no frame was touched, so the log stays usable.
    if (file.status().code() == StatusCode::kNoSpace) return file.status();
    return poison_with(file.status());
  }
  const std::lock_guard lock(mutex_);
  prepared_.emplace(Prepared{std::move(*file), bytes});
  return Status();
}

Status SegmentedLogImpl::prepare_segment() {
  const std::lock_guard preparing(prepare_mutex_);
  return prepare_at_least(options_.segment_bytes);
}

Status SegmentedLogImpl::rotate(std::uint64_t frame_bytes) {
  const std::uint64_t needed =
      std::max(options_.segment_bytes, kFramesOffset + frame_bytes + kLogBlockBytes);
  const std::lock_guard preparing(prepare_mutex_);
  SYNOD_RETURN_IF_ERROR(prepare_at_least(needed));
  SegmentHeader header = writer_->header();
  std::optional<Prepared> prepared;
  {
    const std::lock_guard lock(mutex_);
    prepared.swap(prepared_);
    header.previous_epoch = header.epoch;
    header.epoch = static_cast<std::uint32_t>(1 + random_.below(UINT32_MAX));
    closed_.push_back({writer_->path(), header.number, FrameSeq(next_seq_.value() - 1),
                       writer_->header().file_bytes});
  }
  header.number += 1;
  header.first_seq = next_seq_;
  header.previous_last = FrameSeq(next_seq_.value() - 1);
  header.file_bytes = prepared->bytes;
  SegmentWriter full = std::move(*writer_);
  Status status = activate(std::move(*prepared), header);
  if (status.ok()) status = full.seal(header.previous_last);
  return status.ok() ? status : poison_with(status);
}

Status SegmentedLogImpl::check_size(BytesView summary, std::span<const BytesView> body,
                                    std::uint64_t& disk_bytes) const {
  if (summary.size() > kFrameSummaryBytesMax) {
    return Status(StatusCode::kInvalidArgument, "a frame's summary exceeds 512 bytes");
  }
  std::uint64_t body_bytes = 0;
  for (const BytesView piece : body) body_bytes += piece.size();
  if (body_bytes > options_.frame_bytes_max) {
    return Status(StatusCode::kLimitExceeded,
                  base::concat("a frame of ", body_bytes, " bytes exceeds frame_bytes_max ",
                               options_.frame_bytes_max));
  }
  disk_bytes = frame_disk_bytes(kFrameHeadBytes + summary.size() +
                                (has_previous_ ? previous_summary_.size() : 0) + body_bytes);
  return Status();
}

Result<FrameSeq> SegmentedLogImpl::append(BytesView summary, std::span<const BytesView> body) {
  SYNOD_RETURN_IF_ERROR(poison());
  SYNOD_ASSERT(!unsynced_, "G1: a frame is appended only after the one before it is durable");
  std::uint64_t disk_bytes = 0;
  SYNOD_RETURN_IF_ERROR(check_size(summary, body, disk_bytes));
  if (!writer_->fits(disk_bytes)) SYNOD_RETURN_IF_ERROR(rotate(disk_bytes));
  FrameHead head;
  head.epoch = writer_->header().epoch;
  head.seq = next_seq_;
  head.previous_seq = has_previous_ ? FrameSeq(next_seq_.value() - 1) : FrameSeq();
  const BytesView frame = encoder_.encode(
      head, summary, has_previous_ ? BytesView(previous_summary_) : BytesView(), body);
  if (Status status = writer_->write(frame); !status.ok()) return poison_with(std::move(status));
  if (options_.observer != nullptr) options_.observer->on_append(disk_bytes);
  unsynced_ = true;
  previous_summary_ = summary;
  has_previous_ = true;
  next_seq_ = next_seq_.next();
  return head.seq;
}

Status SegmentedLogImpl::sync() {
  SYNOD_RETURN_IF_ERROR(poison());
  if (!unsynced_) return Status();
  if (options_.observer != nullptr) options_.observer->on_sync_begins();
  if (Status status = writer_->sync(); !status.ok()) return poison_with(std::move(status));
  if (options_.observer != nullptr) options_.observer->on_sync_ends();
  unsynced_ = false;
  return Status();
}

/// One directory sync per segment: whatever order the file system persists removals in, a crash
/// leaves no hole.
Status SegmentedLogImpl::delete_before(FrameSeq seq) {
  SYNOD_RETURN_IF_ERROR(poison());
  while (true) {
    std::string path;
    {
      const std::lock_guard lock(mutex_);
      if (closed_.empty() || closed_.front().last >= seq) return Status();
      path = closed_.front().path;
      first_seq_ = closed_.front().last.next();
    }
    SYNOD_RETURN_IF_ERROR(files_.remove(path));
    if (Status status = files_.sync_directory(directory_); !status.ok()) {
      return poison_with(std::move(status));
    }
    const std::lock_guard lock(mutex_);
    closed_.erase(closed_.begin());
  }
}

std::uint64_t SegmentedLogImpl::disk_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = active_bytes_ + (prepared_ ? prepared_->bytes : 0);
  for (const ClosedSegment& segment : closed_) bytes += segment.file_bytes;
  return bytes;
}

Result<std::vector<LogDamage>> SegmentedLogImpl::scrub() const {
  std::vector<ClosedSegment> closed;
  {
    const std::lock_guard lock(mutex_);
    closed = closed_;
  }
  std::vector<LogDamage> damages;
  SegmentScanner::FrameCallback ignore = [](const LogFrame&) { return Status(); };
  for (const ClosedSegment& segment : closed) {
    auto info = read_segment_info(files_, segment.path);
    // Prefix deletion may have overtaken the scrub.
    if (!info.ok() && info.status().code() == StatusCode::kNotFound) continue;
    if (!info.ok()) return info.status();
    if (info->header_state != SectorState::kValid || info->header.number != segment.number) {
      damages.push_back(
          {FrameSeq(1), segment.last, segment.path, 0, "the header of the segment is damaged", {}});
      continue;
    }
    auto file = files_.open(segment.path, OpenMode::kReadUncached);
    if (!file.ok() && file.status().code() == StatusCode::kNotFound) continue;
    if (!file.ok()) return file.status();
    SegmentScanner scanner(*info, **file, segment.last, ignore, damages);
    SYNOD_RETURN_IF_ERROR(scanner.run());
  }
  return damages;
}

/// Removes what an interrupted process was about to make part of the log.
Status remove_unfinished(FileSystem& files, const std::string& directory) {
  SYNOD_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.list(directory));
  for (const std::string& name : names) {
    const bool copy = name.ends_with(".new") &&
                      parse_segment_name(BytesView(name).substr(0, name.size() - 4)).has_value();
    if (copy || name == kPreparedName) {
      SYNOD_RETURN_IF_ERROR(files.remove(directory + "/" + name));
    }
  }
  return Status();
}

/// G5: the frames of an unsealed segment were read, but perhaps never synced.
Status make_durable(FileSystem& files, const std::string& directory,
                    const RecoveredSegment& segment) {
  if (!segment.read_from_medium) {
    // A copy without the damaged bytes would hide the damage from the next open (G6).
    const bool whole = segment.damaged || segment.info.seal_state != SectorState::kZero;
    return copy_segment(files, directory, segment.info.path, segment.info.header,
                        whole ? segment.info.header.file_bytes : segment.end_offset);
  }
  SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                         files.open(segment.info.path, OpenMode::kReadWrite));
  return file->sync();
}

Status seal_recovered(FileSystem& files, const RecoveredSegment& segment) {
  SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                         files.open(segment.info.path, OpenMode::kReadWrite));
  return write_seal(*file, segment.info.header, segment.last, segment.end_offset);
}

/// The header of the segment this process starts (G4). A last segment without frames is replaced
/// under its own number, so that restarts in a row do not pile up segments.
SegmentHeader next_header(RecoveredLog& recovered, FrameSeq next_seq, const LogIdentity& identity,
                          const LogOptions& options, base::Random& random) {
  std::vector<RecoveredSegment>& segments = recovered.segments;
  SegmentHeader header;
  header.number = 1;
  if (recovered.lost_end) {
    // The number of the lost segment stays free: the hole is what the next open finds (G6).
    const std::uint64_t good = segments.empty() ? 0 : segments.back().info.number + 1;
    const std::uint64_t bad = recovered.unusable.empty() ? 0 : recovered.unusable.back().number;
    header.number = std::max(good, bad) + 1;
  } else if (!segments.empty()) {
    header.number = segments.back().info.number + 1;
    if (segments.back().empty()) {
      header.number = segments.back().info.number;
      header.previous_epoch = segments.back().info.header.previous_epoch;
      segments.pop_back();
    } else {
      header.previous_epoch = segments.back().info.header.epoch;
    }
  }
  header.first_seq = next_seq;
  header.previous_last = FrameSeq(next_seq.value() - 1);
  header.file_bytes = options.segment_bytes;
  header.epoch = static_cast<std::uint32_t>(1 + random.below(UINT32_MAX));
  header.identity = identity;
  return header;
}

LogStart make_start(RecoveredLog& recovered, const SegmentHeader& header) {
  const std::vector<RecoveredSegment>& segments = recovered.segments;
  LogStart start;
  start.header = header;
  start.first_seq = segments.empty() ? header.first_seq : segments.front().info.header.first_seq;
  start.last_summary = std::move(recovered.last_summary);
  for (const RecoveredSegment& segment : segments) {
    start.closed.push_back(
        {segment.info.path, segment.info.number, segment.last, segment.info.header.file_bytes});
  }
  for (const UnusableSegment& segment : recovered.unusable) {
    start.closed.push_back({segment.path, segment.number, segment.last, segment.file_size});
  }
  std::sort(start.closed.begin(), start.closed.end(),
            [](const ClosedSegment& a, const ClosedSegment& b) { return a.number < b.number; });
  return start;
}

Status check_options(const LogOptions& options) {
  if (options.segment_bytes < kSegmentBytesMin || options.segment_bytes % kLogBlockBytes != 0) {
    return Status(
        StatusCode::kInvalidArgument,
        base::concat("segment_bytes must be a multiple of 4096 and at least ", kSegmentBytesMin));
  }
  if (options.frame_bytes_max > (std::uint64_t{1} << 31)) {
    return Status(StatusCode::kInvalidArgument, "frame_bytes_max must not exceed 2 GiB");
  }
  return Status();
}

}  // namespace

Result<OpenedLog> open_segmented_log(FileSystem& files, const std::string& directory,
                                     const LogIdentity& identity, const LogOptions& options,
                                     base::Random random, FrameSeq first_seq_if_empty,
                                     base::Function<Status(const LogFrame&)> frame) {
  SYNOD_ASSERT(first_seq_if_empty.value() > 0, "G3: sequence numbers start at 1");
  SYNOD_RETURN_IF_ERROR(check_options(options));
  SYNOD_RETURN_IF_ERROR(files.create_directories(directory));
  SYNOD_ASSIGN_OR_RETURN(RecoveredLog recovered, recover_log(files, directory, &identity, frame));
  OpenedLog opened;
  opened.recovery = std::move(recovered.report);
  if (!opened.recovery.damages.empty() && options.damage == DamagePolicy::kRefuse) return opened;
  if (opened.recovery.torn_tail) {
    base::log_warning("storage", base::concat(directory, ": dropped an unacknowledged last frame"));
  }
  SYNOD_RETURN_IF_ERROR(remove_unfinished(files, directory));
  std::vector<RecoveredSegment>& segments = recovered.segments;
  // Without its end the log does not know how far it went; the owner may.
  const bool knows_end = !segments.empty() && !recovered.lost_end;
  const FrameSeq next_seq =
      knows_end ? recovered.next_seq : std::max(first_seq_if_empty, recovered.next_seq);
  const SegmentHeader header = next_header(recovered, next_seq, identity, options, random);
  for (const RecoveredSegment& segment : segments) {
    if (!segment.sealed()) SYNOD_RETURN_IF_ERROR(make_durable(files, directory, segment));
  }
  auto log = std::make_unique<SegmentedLogImpl>(files, directory, options, random,
                                                make_start(recovered, header));
  SYNOD_RETURN_IF_ERROR(log->start(header));
  for (const RecoveredSegment& segment : segments) {
    if (!segment.sealed()) SYNOD_RETURN_IF_ERROR(seal_recovered(files, segment));
  }
  opened.log = std::move(log);
  return opened;
}

Result<LogRecovery> inspect_log(FileSystem& files, const std::string& directory,
                                base::Function<Status(const LogFrame&)> frame) {
  SYNOD_ASSIGN_OR_RETURN(RecoveredLog recovered, recover_log(files, directory, nullptr, frame));
  return std::move(recovered.report);
}

}  // namespace synod::storage
