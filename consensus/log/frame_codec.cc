// SPDX-License-Identifier: Apache-2.0
#include "consensus/log/frame_codec.h"

#include <algorithm>

#include "base/assert.h"

namespace synod::consensus {
namespace {

using base::Bytes;
using base::BytesView;
using base::load_le32;
using base::load_le64;

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kEntries = 1;
constexpr std::uint8_t kRestamps = 2;
constexpr std::uint8_t kEnded = 3;
constexpr std::size_t kBallotBytes = 16;
constexpr std::size_t kSummaryHeadBytes = 4 + kBallotBytes + 8;
constexpr std::size_t kRunBytes = 16 + kBallotBytes;
constexpr std::size_t kGroupHeadBytes = 8;
constexpr std::size_t kGroupBytes = kGroupHeadBytes + 2 * kBallotBytes + 8;
constexpr std::size_t kLostBytes = 16;
constexpr std::size_t kItemBytes = 9;
constexpr std::size_t kStampBytes = 4;

void append_ballot(Bytes& out, const Ballot& ballot) {
  base::append_le32(out, ballot.config.value());
  base::append_le32(out, ballot.owner.value());
  base::append_le64(out, ballot.round.value());
}

Ballot load_ballot(const char* in) {
  return {ConfigId(load_le32(in)), Round(load_le64(in + 8)), ReplicaId(load_le32(in + 4))};
}

/// The records from `begin` on that make one group.
std::span<const SlotRecord> first_group(std::span<const SlotRecord> records) {
  std::size_t size = 1;
  const SlotRecord& first = records.front();
  while (size < records.size()) {
    const SlotRecord& next = records[size];
    if (next.slot.value() != first.slot.value() + size || next.ballot != first.ballot ||
        next.entry.origin != first.entry.origin || next.is_restamp != first.is_restamp) {
      break;
    }
    ++size;
  }
  return records.first(size);
}

void add_run(FrameSummary& summary, const SlotRecord& record, bool& overflow) {
  if (summary.run_count > 0) {
    SlotRun& last = summary.runs[summary.run_count - 1];
    if (last.hi.next() == record.slot && last.ballot == record.ballot) {
      last.hi = record.slot;
      return;
    }
  }
  if (summary.run_count == kSummaryRunsMax) {
    overflow = true;
    return;
  }
  summary.runs[summary.run_count++] = {record.slot, record.slot, record.ballot};
}

}  // namespace

Slot FrameSummary::last_slot() const {
  Slot last = kNoSlot;
  for (const SlotRun& run : touched()) last = std::max(last, run.hi);
  return last;
}

base::Result<FrameSummary> decode_summary(BytesView bytes) {
  const auto malformed = [] {
    return base::Status(base::StatusCode::kCorruption, "a frame's summary is malformed");
  };
  if (bytes.size() < kSummaryHeadBytes) return malformed();
  const char* in = bytes.data();
  FrameSummary summary;
  summary.run_count = static_cast<std::uint8_t>(in[2]);
  if (static_cast<std::uint8_t>(in[0]) != kFormat || summary.run_count > kSummaryRunsMax ||
      bytes.size() != kSummaryHeadBytes + summary.run_count * kRunBytes) {
    return malformed();
  }
  summary.promised = load_ballot(in + 4);
  summary.commit_hint = Slot(load_le64(in + 4 + kBallotBytes));
  in += kSummaryHeadBytes;
  for (std::size_t i = 0; i < summary.run_count; ++i, in += kRunBytes) {
    summary.runs[i] = {Slot(load_le64(in)), Slot(load_le64(in + 8)), load_ballot(in + 16)};
    if (summary.runs[i].lo == kNoSlot || summary.runs[i].hi < summary.runs[i].lo) {
      return malformed();
    }
  }
  return summary;
}

void PersistEncoder::summarize(const Persist& persist) {
  summary_ = {};
  summary_.promised = persist.promised;
  summary_.commit_hint = persist.commit_hint;
  bool overflow = false;
  SlotRun cover;
  for (const SlotRecord& record : persist.records) {
    add_run(summary_, record, overflow);
    cover.lo = cover.lo == kNoSlot ? record.slot : std::min(cover.lo, record.slot);
    cover.hi = std::max(cover.hi, record.slot);
    cover.ballot = std::max(cover.ballot, record.ballot);
  }
  if (overflow) {
    summary_.runs[0] = cover;
    summary_.run_count = 1;
  }
  summary_bytes_.clear();
  summary_bytes_ += static_cast<char>(kFormat);
  summary_bytes_ += '\0';
  summary_bytes_ += static_cast<char>(summary_.run_count);
  summary_bytes_ += '\0';
  append_ballot(summary_bytes_, summary_.promised);
  base::append_le64(summary_bytes_, summary_.commit_hint.value());
  for (const SlotRun& run : summary_.touched()) {
    base::append_le64(summary_bytes_, run.lo.value());
    base::append_le64(summary_bytes_, run.hi.value());
    append_ballot(summary_bytes_, run.ballot);
  }
}

void PersistEncoder::encode(const Persist& persist, std::span<const LostFrames> ended) {
  summarize(persist);
  heads_.clear();
  pieces_.clear();
  // The views into heads_ need it to stay where it is.
  heads_.reserve(persist.records.size() * (kGroupBytes + kItemBytes) + kGroupHeadBytes +
                 ended.size() * kLostBytes);
  std::span<const SlotRecord> left = persist.records;
  while (!left.empty()) {
    const std::span<const SlotRecord> group = first_group(left);
    put_group(group);
    left = left.subspan(group.size());
  }
  if (!ended.empty()) put_ended(ended);
}

void PersistEncoder::put_ended(std::span<const LostFrames> ended) {
  const std::size_t begin = heads_.size();
  heads_ += static_cast<char>(kEnded);
  heads_.append(3, '\0');
  base::append_le32(heads_, static_cast<std::uint32_t>(ended.size()));
  for (const LostFrames& lost : ended) {
    base::append_le64(heads_, lost.first.value());
    base::append_le64(heads_, lost.last.value());
  }
  pieces_.push_back(BytesView(heads_).substr(begin));
}

void PersistEncoder::put_group(std::span<const SlotRecord> group) {
  const SlotRecord& first = group.front();
  SYNOD_ASSERT(first.slot != kNoSlot, "A7: slots begin at 1");
  std::size_t begin = heads_.size();
  heads_ += static_cast<char>(first.is_restamp ? kRestamps : kEntries);
  heads_.append(3, '\0');
  base::append_le32(heads_, static_cast<std::uint32_t>(group.size()));
  append_ballot(heads_, first.ballot);
  append_ballot(heads_, first.entry.origin);
  base::append_le64(heads_, first.slot.value());
  const auto close = [this, &begin] {
    pieces_.push_back(BytesView(heads_).substr(begin));
    begin = heads_.size();
  };
  for (const SlotRecord& record : group) {
    if (first.is_restamp) {
      base::append_le32(heads_, record.entry.crc);
      continue;
    }
    const Bytes& command = *record.entry.command;
    SYNOD_ASSERT(command.size() <= UINT32_MAX, "W1: a command within the limits of a frame");
    base::append_le32(heads_, static_cast<std::uint32_t>(command.size()));
    base::append_le32(heads_, record.entry.crc);
    heads_ += static_cast<char>(record.entry.kind);
    close();
    pieces_.emplace_back(command);
  }
  if (first.is_restamp) close();
}

bool FrameBodyReader::fail() {
  is_malformed_ = true;
  return false;
}

bool FrameBodyReader::read_ended() {
  const std::uint64_t count = load_le32(left_.data() + 4);
  left_.remove_prefix(kGroupHeadBytes);
  if (count > left_.size() / kLostBytes) return fail();
  for (std::uint64_t i = 0; i < count; ++i) {
    ended_.push_back({storage::FrameSeq(load_le64(left_.data())),
                      storage::FrameSeq(load_le64(left_.data() + 8))});
    left_.remove_prefix(kLostBytes);
  }
  return true;
}

bool FrameBodyReader::read_group() {
  while (left_.size() >= kGroupHeadBytes && left_[0] == static_cast<char>(kEnded)) {
    if (!read_ended()) return false;
    if (left_.empty()) return false;
  }
  if (left_.size() < kGroupBytes) return fail();
  const char* in = left_.data();
  const auto type = static_cast<std::uint8_t>(in[0]);
  if (type != kEntries && type != kRestamps) return fail();
  group_.is_restamp = type == kRestamps;
  count_ = load_le32(in + 4);
  group_.ballot = load_ballot(in + 8);
  group_.origin = load_ballot(in + 8 + kBallotBytes);
  group_.slot = Slot(load_le64(in + 8 + 2 * kBallotBytes));
  left_.remove_prefix(kGroupBytes);
  const bool overflows = group_.slot.value() > UINT64_MAX - count_;
  return count_ != 0 && group_.slot != kNoSlot && !overflows ? true : fail();
}

bool FrameBodyReader::next(FoundRecord& record) {
  if (is_malformed_ || (count_ == 0 && left_.empty())) return false;
  if (count_ == 0 && !read_group()) return false;
  const std::size_t head = group_.is_restamp ? kStampBytes : kItemBytes;
  if (left_.size() < head) return fail();
  const char* in = left_.data();
  record = group_;
  if (group_.is_restamp) {
    record.crc = load_le32(in);
    left_.remove_prefix(head);
  } else {
    const std::size_t bytes = load_le32(in);
    record.crc = load_le32(in + 4);
    record.kind = static_cast<EntryKind>(in[8]);
    left_.remove_prefix(head);
    if (left_.size() < bytes || record.kind < EntryKind::kCommand ||
        record.kind > EntryKind::kLearner) {
      return fail();
    }
    record.command = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
  }
  group_.slot = group_.slot.next();
  --count_;
  return true;
}

}  // namespace synod::consensus
