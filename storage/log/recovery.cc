// SPDX-License-Identifier: Apache-2.0
#include "storage/log/recovery.h"

#include "base/plant.h"
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
  void find_last_summary();

  FileSystem& files_;
  const LogIdentity* identity_;
  SegmentScanner::FrameCallback& frame_;
  std::vector<SegmentInfo> infos_;
  RecoveredLog log_;
  std::string hole_;         ///< The first file that could not be used since the last good segment.
  std::size_t settled_ = 0;  ///< Unusable files whose last frame is known.
  FrameSeq last_frame_;      ///< The last good one; 0: none.
  base::Bytes last_frame_summary_;
};

Result<RecoveredLog> Recovery::run(const std::string& directory) {
  SYNOD_RETURN_IF_ERROR(load(directory));
  SYNOD_RETURN_IF_ERROR(check_chain());
  for (std::size_t i = 0; i < infos_.size(); ++i) {
    if (infos_[i].header_state != SectorState::kValid) {
      if (hole_.empty()) hole_ = infos_[i].path;
      log_.unusable.push_back({infos_[i].path, infos_[i].number, infos_[i].file_size, FrameSeq()});
      continue;
    }
    report_hole_before(infos_[i]);
    SYNOD_RETURN_IF_ERROR(scan(i));
  }
  report_lost_end();
  find_last_summary();
  return std::move(log_);
}

/// The frame behind the last one repeats its summary, also when that one is damaged.
void Recovery::find_last_summary() {
  const FrameSeq last = FrameSeq(log_.next_seq.value() - 1);
  if (last_frame_.value() != 0 && last_frame_ == last) {
    log_.last_summary = std::move(last_frame_summary_);
  } else if (!log_.report.damages.empty() && log_.report.damages.back().last == last) {
    const LogDamage& damage = log_.report.damages.back();
    if (damage.first == damage.last) log_.last_summary = damage.summary;
  }
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
    if (next->header.previous_epoch == 0) continue;  // It follows a segment that was lost.
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
  const std::size_t damages = log_.report.damages.size();
  SegmentScanner scanner(info, *file, known_last_of(index), frame_, log_.report.damages);
  SYNOD_RETURN_IF_ERROR(scanner.run());
  log_.report.frames += scanner.frames();
  log_.report.torn_tail = scanner.torn();
  if (scanner.frames() > 0) {
    last_frame_ = scanner.last_frame();
    last_frame_summary_ = scanner.last_summary();
  }
  const std::optional<FrameSeq> known_last = known_last_of(index);
  log_.next_seq = known_last ? known_last->next() : scanner.next_seq();
  const bool damaged = log_.report.damages.size() > damages;
  if (damaged && log_.report.damages.back().last == kUnknownTail &&
      !SYNOD_PLANT("lost_tail_forgotten")) {
    log_.next_seq = FrameSeq(log_.next_seq.value() + kLostFrames);
  }
  log_.segments.push_back({info, FrameSeq(log_.next_seq.value() - 1), scanner.end_offset(),
                           file->reads_medium(), damaged});
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
  for (; settled_ < log_.unusable.size(); ++settled_) {
    log_.unusable[settled_].last = FrameSeq(info.header.first_seq.value() - 1);
  }
  if (from >= info.header.first_seq) return hole_.clear();
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
  } else {
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
  log_.lost_end = true;
  log_.next_seq = FrameSeq(from.value() + kLostFrames);
  for (; settled_ < log_.unusable.size(); ++settled_) {
    log_.unusable[settled_].last = FrameSeq(log_.next_seq.value() - 1);
  }
}

}  // namespace

Result<RecoveredLog> recover_log(FileSystem& files, const std::string& directory,
                                 const LogIdentity* identity,
                                 SegmentScanner::FrameCallback& frame) {
  return Recovery(files, identity, frame).run(directory);
}

}  // namespace synod::storage
