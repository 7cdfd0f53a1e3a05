// SPDX-License-Identifier: Apache-2.0
#include "storage/log/recovery.h"

#include "base/text.h"

namespace synod::storage {
namespace {

using base::Result;
using base::Status;
using base::StatusCode;

class Recovery {
 public:
  Recovery(FileSystem& files, const LogIdentity* identity, SegmentScanner::FrameCallback& frame)
      : files_(files), identity_(identity), frame_(frame) {}

  Result<RecoveredLog> run(const std::string& directory);

 private:
  Status load(const std::string& directory);
  Status check_header(const SegmentInfo& info) const;
  Status check_chain() const;
  Status scan(std::size_t index);
  [[nodiscard]] const SegmentInfo* successor_of(std::size_t index) const;
  [[nodiscard]] std::optional<FrameSeq> known_last_of(std::size_t index) const;
  void report_hole_before(const SegmentInfo& info);
  void report_lost_end();

  FileSystem& files_;
  const LogIdentity* identity_;
  SegmentScanner::FrameCallback& frame_;
  std::vector<SegmentInfo> infos_;
  RecoveredLog log_;
  std::string hole_;  ///< The first file that could not be used since the last good segment.
};

Result<RecoveredLog> Recovery::run(const std::string& directory) {
  SYNOD_RETURN_IF_ERROR(load(directory));
  SYNOD_RETURN_IF_ERROR(check_chain());
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    if (infos_[i].header_state != SectorState::kValid) {
      if (hole_.empty()) hole_ = infos_[i].path;
      continue;
    }
    report_hole_before(infos_[i]);
    SYNOD_RETURN_IF_ERROR(scan(i));
  }
  report_lost_end();
  return std::move(log_);
}

Status Recovery::load(const std::string& directory) {
  SYNOD_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.list(directory));
  for (const std::string& name : names) {
    const std::optional<std::uint64_t> number = parse_segment_name(name);
    if (!number) continue;
    SYNOD_ASSIGN_OR_RETURN(SegmentInfo info, read_segment_info(files_, directory + "/" + name));
    info.number = *number;
    SYNOD_RETURN_IF_ERROR(check_header(info));
    infos_.push_back(std::move(info));
  }
  return Status();
}

Status Recovery::check_header(const SegmentInfo& info) const {
  const auto refuse = [&info](const char* reason) {
    return Status(StatusCode::kCorruption, base::concat(info.path, ": ", reason));
  };
  if (info.header_state == SectorState::kOtherVersion) {
    return refuse("the log's format version is not the one this build reads");
  }
  if (info.header_state != SectorState::kValid) return Status();
  if (info.header.number != info.number) return refuse("the header names another segment");
  if (identity_ != nullptr && info.header.identity != *identity_) {
    return refuse("the segment belongs to another log");
  }
  return Status();
}

/// Neighbours with intact headers must agree about their border.
Status Recovery::check_chain() const {
  for (std::size_t i = 0; i + 1 < infos_.size(); ++i) {
    const SegmentInfo* next = successor_of(i);
    const SegmentInfo& info = infos_[i];
    if (next == nullptr || info.header_state != SectorState::kValid) continue;
    const FrameSeq last = next->header.previous_last;
    const bool sealed_elsewhere =
        info.seal_state == SectorState::kValid && info.seal.last_seq != last;
    if (next->header.previous_epoch != info.header.epoch ||
        next->header.first_seq < info.header.first_seq || sealed_elsewhere) {
      return Status(StatusCode::kCorruption,
                    base::concat(next->path, ": does not continue ", info.path));
    }
  }
  return Status();
}

const SegmentInfo* Recovery::successor_of(std::size_t index) const {
  if (index + 1 >= infos_.size()) return nullptr;
  const SegmentInfo& next = infos_[index + 1];
  const bool follows =
      next.number == infos_[index].number + 1 && next.header_state == SectorState::kValid;
  return follows ? &next : nullptr;
}

std::optional<FrameSeq> Recovery::known_last_of(std::size_t index) const {
  if (const SegmentInfo* next = successor_of(index)) return next->header.previous_last;
  const SegmentInfo& info = infos_[index];
  if (info.seal_state == SectorState::kValid) return info.seal.last_seq;
  return std::nullopt;
}

Status Recovery::scan(std::size_t index) {
  const SegmentInfo& info = infos_[index];
  const bool sealed = info.seal_state == SectorState::kValid;
  SYNOD_ASSIGN_OR_RETURN(
      const std::unique_ptr<File> file,
      files_.open(info.path, sealed ? OpenMode::kRead : OpenMode::kReadUncached));
  SegmentScanner scanner(info, *file, known_last_of(index), frame_, log_.report.damages);
  SYNOD_RETURN_IF_ERROR(scanner.run());
  log_.report.frames += scanner.frames();
  log_.report.torn_tail = scanner.torn();
  if (scanner.frames() > 0) log_.last_summary = scanner.last_summary();
  const std::optional<FrameSeq> known_last = known_last_of(index);
  log_.next_seq = known_last ? known_last->next() : scanner.next_seq();
  log_.segments.push_back(
      {info, FrameSeq(log_.next_seq.value() - 1), scanner.end_offset(), file->reads_medium()});
  return Status();
}

/// Segments that are missing or have lost both header copies, seen from the next good one.
void Recovery::report_hole_before(const SegmentInfo& info) {
  const bool first = log_.segments.empty();
  if (hole_.empty()) {
    if (first || log_.segments.back().info.number + 1 == info.number) return;
    hole_ = base::concat("the segment before ", info.path);
  }
  const FrameSeq from = first ? FrameSeq(1) : log_.next_seq;
  log_.report.damages.push_back({from,
                                 FrameSeq(info.header.first_seq.value() - 1),
                                 hole_,
                                 0,
                                 "a segment is missing or its header is damaged",
                                 {}});
  hole_.clear();
}

void Recovery::report_lost_end() {
  const FrameSeq from = log_.segments.empty() ? FrameSeq(1) : log_.next_seq;
  if (!hole_.empty()) {
    log_.report.damages.push_back(
        {from, kUnknownTail, hole_, 0, "the header of the last segment is damaged", {}});
    return;
  }
  if (log_.segments.empty()) return;
  const SegmentInfo& last = log_.segments.back().info;
  if (last.seal_state == SectorState::kZero) return;
  log_.report.damages.push_back({from,
                                 kUnknownTail,
                                 last.path,
                                 last.header.seal_offset(),
                                 "the segment is sealed, but the one behind it is missing",
                                 {}});
}

}  // namespace

Result<RecoveredLog> recover_log(FileSystem& files, const std::string& directory,
                                 const LogIdentity* identity,
                                 SegmentScanner::FrameCallback& frame) {
  return Recovery(files, identity, frame).run(directory);
}

}  // namespace synod::storage
