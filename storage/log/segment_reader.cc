// SPDX-License-Identifier: Apache-2.0
#include "storage/log/segment_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/crc32c.h"
#include "base/plant.h"
#include "base/text.h"

namespace synod::storage {
namespace {

using base::BytesView;
using base::Result;
using base::Status;

constexpr std::uint64_t kWindowBytes = std::uint64_t{4} << 20;
constexpr char kUnreadable = '\xa5';

}  // namespace

Result<SegmentInfo> read_segment_info(FileSystem& files, const std::string& path) {
  SegmentInfo info;
  info.path = path;
  SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                         files.open(path, OpenMode::kReadUncached));
  SYNOD_ASSIGN_OR_RETURN(info.file_size, file->size());
  SegmentWindow window(*file, info.file_size);
  info.header_state = decode_header(window.view(0, kLogSectorBytes), info.header);
  if (info.header_state != SectorState::kValid) {
    const SectorState second =
        decode_header(window.view(kLogBlockBytes, kLogSectorBytes), info.header);
    if (second == SectorState::kValid || info.header_state == SectorState::kZero) {
      info.header_state = second;
    }
  }
  if (info.header_state != SectorState::kValid) return info;
  const std::uint64_t seal_offset = info.header.seal_offset();
  if (seal_offset < info.file_size) {
    info.seal_state = decode_seal(window.view(seal_offset, kLogSectorBytes), info.seal);
  }
  if (info.seal_state == SectorState::kValid &&
      (info.seal.epoch != info.header.epoch || info.seal.number != info.header.number ||
       info.seal.last_seq.next() < info.header.first_seq)) {
    info.seal_state = SectorState::kBad;
  }
  return info;
}

BytesView SegmentWindow::view(std::uint64_t offset, std::uint64_t size) {
  if (offset < begin_ || offset + size > end_) load(offset, size);
  return {buffer_.get() + (offset - begin_), size};
}

void SegmentWindow::load(std::uint64_t offset, std::uint64_t size) {
  begin_ = offset / kLogBlockBytes * kLogBlockBytes;
  const std::uint64_t left = begin_ < file_size_ ? file_size_ - begin_ : 0;
  std::uint64_t wanted = std::max(offset + size - begin_, std::min(kWindowBytes, left));
  wanted = (wanted + kLogBlockBytes - 1) / kLogBlockBytes * kLogBlockBytes;
  if (wanted > capacity_) {
    capacity_ = std::bit_ceil(wanted);
    buffer_.reset(static_cast<char*>(std::aligned_alloc(kLogBlockBytes, capacity_)));
    SYNOD_ASSERT(buffer_ != nullptr, "out of memory for a window bounded by the file's size");
  }
  end_ = begin_ + wanted;
  std::uint64_t got = 0;
  if (const auto whole = file_.read_at(begin_, buffer_.get(), wanted); whole.ok()) {
    got = *whole;
  } else {
    for (; got < std::min(wanted, left); got += kLogBlockBytes) {
      const auto block = file_.read_at(begin_ + got, buffer_.get() + got, kLogBlockBytes);
      if (block.ok()) {
        std::memset(buffer_.get() + got + *block, 0, kLogBlockBytes - *block);
      } else {
        std::memset(buffer_.get() + got, kUnreadable, kLogBlockBytes);
      }
    }
  }
  if (got < wanted) std::memset(buffer_.get() + got, 0, wanted - got);
}

std::uint64_t SegmentScanner::area_end() const {
  return std::min(info_.header.seal_offset(), window_.file_size());
}

Status SegmentScanner::run() {
  while (!done_) {
    if (known_last_ && next_ > *known_last_) break;
    switch (read_frame()) {
      case Verdict::kGood: {
        const BytesView payload = payload_;
        const BytesView summary = payload.substr(kFrameHeadBytes, head_.summary_bytes);
        finish_damage();
        const BytesView body =
            payload.substr(head_.payload_bytes() - head_.body_bytes, head_.body_bytes);
        SYNOD_RETURN_IF_ERROR(frame_({next_, summary, body}));
        last_summary_ = summary;
        last_frame_ = next_;
        offset_ += frame_disk_bytes(head_.payload_bytes());
        next_ = next_.next();
        ++frames_;
        break;
      }
      case Verdict::kEnd:
        if (known_last_) report(*known_last_, "the segment ends before its last frame");
        done_ = true;
        break;
      case Verdict::kBadHead:
        on_bad_head();
        break;
      case Verdict::kBadFrame:
        on_bad_frame();
        break;
    }
  }
  if (!known_last_ && window_.file_size() < info_.header.file_bytes) torn_ = true;
  return Status();
}

SegmentScanner::Verdict SegmentScanner::read_frame() {
  meta_good_ = false;
  if (offset_ >= area_end()) return Verdict::kEnd;
  const SectorState state = decode_frame_head(window_.view(offset_, kLogSectorBytes), head_);
  if (state != SectorState::kValid || head_.epoch != info_.header.epoch || head_.seq != next_ ||
      frame_disk_bytes(head_.payload_bytes()) > info_.header.seal_offset() - offset_) {
    return Verdict::kBadHead;
  }
  return read_payload() ? Verdict::kGood : Verdict::kBadFrame;
}

/// Joins the payload of the frame at offset_ and checks it; the padding need not be there.
bool SegmentScanner::read_payload() {
  const std::uint64_t data_bytes = frame_data_bytes(head_.payload_bytes());
  const std::uint64_t there = std::min(data_bytes, window_.file_size() - offset_);
  const BytesView sectors = window_.view(offset_, there);
  payload_.clear();
  for (std::uint64_t at = kLogTagBytes; at < there; at += kLogSectorBytes) {
    payload_.append(sectors.substr(at, kLogSectorPayload));
  }
  const std::uint64_t payload_bytes = head_.payload_bytes();
  const std::uint64_t meta_bytes =
      std::uint64_t{head_.summary_bytes} + head_.previous_summary_bytes;
  const BytesView payload = payload_;
  if (payload.size() < kFrameHeadBytes + meta_bytes) return false;
  meta_good_ = base::crc32c(payload.substr(kFrameHeadBytes, meta_bytes)) == head_.meta_crc;
  if (payload.size() < payload_bytes || !meta_good_) return false;
  return base::crc32c(payload.substr(kFrameHeadBytes + meta_bytes, head_.body_bytes)) ==
         head_.body_crc;
}

/// Takes the summary of a lost frame from its copy in the frame behind it.
void SegmentScanner::finish_damage() {
  if (damages_.empty() || !meta_good_ || head_.previous_seq.value() == 0) return;
  LogDamage& damage = damages_.back();
  if (damage.first != damage.last || damage.last != head_.previous_seq ||
      head_.previous_seq.next() != head_.seq || !damage.summary.empty()) {
    return;
  }
  damage.summary =
      payload_.substr(kFrameHeadBytes + head_.summary_bytes, head_.previous_summary_bytes);
}

void SegmentScanner::report(FrameSeq last, const char* reason) {
  damages_.push_back({next_, last, info_.path, offset_, reason, {}});
}

/// The frame's length is unknown: the next good head says where the log goes on.
void SegmentScanner::on_bad_head() {
  if (!known_last_ && is_torn(offset_, offset_, false)) {
    torn_ = torn_ || !is_zero(window_.view(offset_, kLogSectorBytes)) ||
            window_.file_size() < info_.header.file_bytes;
    done_ = true;
    return;
  }
  if (const std::optional<std::uint64_t> found = find_later_head()) {
    report(FrameSeq(head_.seq.value() - 1), "the head of a frame is damaged");
    next_ = head_.seq;
    offset_ = *found;
    return;
  }
  report(known_last_.value_or(kUnknownTail), "the head of the last frame is damaged");
  done_ = true;
}

/// Head and length are good, the rest is not.
void SegmentScanner::on_bad_frame() {
  const std::uint64_t frame_end = offset_ + frame_disk_bytes(head_.payload_bytes());
  if (!known_last_ && is_torn(offset_, frame_end, true)) {
    torn_ = true;
    done_ = true;
    return;
  }
  // Before the report: the frame behind may need the copy in this one, this one that behind it.
  finish_damage();
  report(next_, "the body of a frame is damaged");
  if (meta_good_) {
    damages_.back().summary = payload_.substr(kFrameHeadBytes, head_.summary_bytes);
  }
  offset_ = frame_end;
  next_ = next_.next();
}

/// R3. With an unreadable head the frame reaches as far as its tags do. Also decides "end of the
/// log" (nothing there at all), which on_bad_head tells apart by torn_.
bool SegmentScanner::is_torn(std::uint64_t begin, std::uint64_t frame_end, bool head_known) {
  if (SYNOD_PLANT("torn_is_every_bad_tail")) return true;
  const std::uint64_t end = area_end();
  const std::uint32_t tag = frame_tag(info_.header.epoch, next_);
  bool missing_sector =
      head_known ? frame_end > window_.file_size() : begin + kLogSectorBytes > window_.file_size();
  bool any = false;
  for (std::uint64_t at = begin; at < end; at += kLogSectorBytes) {
    const BytesView sector = window_.view(at, kLogSectorBytes);
    const bool inside = head_known && at < frame_end;
    if (is_zero(sector)) {
      if (inside || at == begin) missing_sector = true;
      continue;
    }
    any = true;
    if (inside || (!head_known && at == begin)) continue;
    if (head_known || base::load_le32(sector.data()) != tag) return false;
  }
  if (!head_known && missing_sector && any) torn_ = true;
  return missing_sector;
}

/// The first later frame whose head is good; leaves it in head_.
std::optional<std::uint64_t> SegmentScanner::find_later_head() {
  for (std::uint64_t at = offset_; at < area_end(); at += kLogBlockBytes) {
    const BytesView sector = window_.view(at, kLogSectorBytes);
    if (decode_frame_head(sector, head_) != SectorState::kValid) continue;
    if (head_.epoch == info_.header.epoch && head_.seq > next_ &&
        (!known_last_ || head_.seq <= *known_last_) &&
        base::load_le32(sector.data()) == frame_tag(head_.epoch, head_.seq)) {
      return at;
    }
  }
  return std::nullopt;
}

}  // namespace synod::storage
