// SPDX-License-Identifier: Apache-2.0
#include "consensus/log/log_replay.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/plant.h"
#include "base/text.h"

namespace synod::consensus {
namespace {

using base::Result;
using base::Status;
using base::StatusCode;
using storage::FrameSeq;
using storage::LogDamage;
using storage::LogFrame;

constexpr FrameSeq kNoFrame{0};
/// More slots than any memory holds: a log that names one is not a log.
constexpr std::uint64_t kSlotsMax = std::uint64_t{1} << 30;

}  // namespace

LogReplay::LogReplay(const Superblock& superblock)
    : superblock_(superblock),
      base_(superblock.base),
      promised_(superblock.promised),
      expected_(std::max(superblock.log_begin, FrameSeq(1))) {}

Status LogReplay::on_frame(const LogFrame& frame) {
  SYNOD_ASSIGN_OR_RETURN(const FrameSummary summary, decode_summary(frame.summary));
  if (frame.seq > expected_) {
    if (extents_.empty() && gaps_.empty()) lost_before_ = FrameSeq(frame.seq.value() - 1);
    add_gap(FrameSeq(frame.seq.value() - 1), summary.promised);
  }
  expected_ = std::max(expected_, frame.seq.next());
  if (!SYNOD_PLANT("promise_only_in_superblock")) {
    promised_ = std::max(promised_, summary.promised);
  }
  last_hint_ = summary.commit_hint;
  extend(frame.seq, summary.last_slot());
  FrameBodyReader reader(frame.body);
  FoundRecord record;
  while (reader.next(record)) SYNOD_RETURN_IF_ERROR(on_record(record, frame.seq));
  hint_ = std::max(hint_, summary.commit_hint);  // Knows of the records of its own frame.
  ended_.insert(ended_.end(), reader.ended().begin(), reader.ended().end());
  if (!reader.is_malformed()) return Status();
  return Status(StatusCode::kCorruption,
                base::concat("frame ", frame.seq.value(), " of the log is malformed"));
}

void LogReplay::extend(FrameSeq seq, Slot last_slot) {
  if (extents_.empty() || seq.value() - extents_.back().first.value() >= kExtentFrames) {
    extents_.push_back({seq, last_slot});
  } else {
    extents_.back().last_slot = std::max(extents_.back().last_slot, last_slot);
  }
}

void LogReplay::add_gap(FrameSeq last, std::optional<Ballot> promised_behind) {
  if (SYNOD_PLANT("lost_frame_as_nothing")) return;
  gaps_.push_back({expected_, last, last_hint_, promised_behind, {}, kNoSlot});
}

/// Makes room for `slot`. REQUIRES: slot > base_.
Status LogReplay::reach(Slot slot) {
  if (slot.value() - base_.value() > kSlotsMax) {
    return Status(StatusCode::kCorruption,
                  base::concat("the log names slot ", slot.value(), " above base ", base_.value()));
  }
  while (last() < slot) {
    slots_.push_back({last().next(), Ballot(), std::nullopt});
    sources_.push_back(kNoFrame);
  }
  return Status();
}

/// N1.
Status LogReplay::on_record(const FoundRecord& record, FrameSeq seq) {
  if (record.slot <= base_) return Status();
  // Written again after damage, by a process that did not know it to be decided: the older hint
  // speaks of the value that was lost.
  if (record.slot <= hint_) hint_ = before(record.slot);
  SYNOD_RETURN_IF_ERROR(reach(record.slot));
  const std::size_t index = index_of(record.slot);
  RecoveredSlot& slot = slots_[index];
  sources_[index] = seq;
  slot.ballot = record.ballot;
  if (record.is_restamp) {
    const bool is_meant =
        slot.entry && slot.entry->origin == record.origin && slot.entry->crc == record.crc;
    if (!is_meant && !SYNOD_PLANT("restamp_without_identity")) slot.entry.reset();
    return Status();
  }
  slot.entry = Entry{record.origin, record.kind,
                     std::make_shared<const base::Bytes>(record.command), record.crc};
  if (!is_intact(*slot.entry)) slot.entry.reset();
  return Status();
}

Result<RecoveredState> LogReplay::finish(FrameSeq next, const std::vector<LogDamage>& damages,
                                         Slot applied) {
  if (next > expected_) {
    if (extents_.empty() && gaps_.empty()) lost_before_ = FrameSeq(next.value() - 1);
    add_gap(FrameSeq(next.value() - 1), std::nullopt);
  }
  attach_summaries(damages);
  SYNOD_RETURN_IF_ERROR(mark_gaps());
  drop_void(superblock_.chain);
  extend_over_gaps();
  close_holes();
  move_base(applied);
  RecoveredState state;
  state.chain = superblock_.chain;
  state.promised = promised_;
  state.base = base_;
  state.slots = std::move(slots_);
  state.unknown_tail = unknown_tail_;
  state.commit_hint = std::max(hint_, base_);
  state.applied = applied;
  state.superblock_version = superblock_.version;
  return state;
}

/// A summary that survived belongs to one frame, and that frame to one gap.
void LogReplay::attach_summaries(const std::vector<LogDamage>& damages) {
  for (const LogDamage& damage : damages) {
    if (damage.first != damage.last || damage.summary.empty()) continue;
    const auto summary = decode_summary(damage.summary);
    if (!summary.ok()) continue;
    promised_ = std::max(promised_, summary->promised);
    for (Gap& gap : gaps_) {
      if (gap.first <= damage.first && damage.last <= gap.last) gap.summaries.push_back(*summary);
    }
  }
}

bool LogReplay::is_ended(const Gap& gap) const {
  return std::any_of(ended_.begin(), ended_.end(), [&gap](const LostFrames& ended) {
    return ended.first <= gap.first && gap.last <= ended.last;
  });
}

/// N2, N3.
Status LogReplay::mark_gaps() {
  for (const Gap& gap : gaps_) {
    for (const FrameSummary& summary : gap.summaries) {
      if (summary.last_slot() > base_) SYNOD_RETURN_IF_ERROR(reach(summary.last_slot()));
    }
  }
  for (Gap& gap : gaps_) {
    for (const FrameSummary& summary : gap.summaries) {
      for (const SlotRun& run : summary.touched()) mark(run.lo, run.hi, gap, run.ballot);
    }
    if (gap.is_known()) continue;
    const Ballot bound = gap.promised_behind.value_or(promised_);
    mark(gap.hint_before.next(), last(), gap, bound);
    raise_bounds(gap.hint_before, gap, bound);
    if (is_ended(gap)) continue;
    lost_.push_back({gap.first, gap.last});
    unknown_tail_ = std::max(unknown_tail_.value_or(bound), bound);
  }
  return Status();
}

void LogReplay::mark(Slot lo, Slot hi, Gap& gap, const Ballot& bound) {
  for (Slot slot = std::max(lo, base_.next()); slot <= std::min(hi, last()); slot = slot.next()) {
    const std::size_t index = index_of(slot);
    if (sources_[index] > gap.last) continue;
    RecoveredSlot& found = slots_[index];
    const bool is_unknown = !found.entry && sources_[index] != kNoFrame;
    found.ballot = is_unknown ? std::max(found.ballot, bound) : bound;
    found.entry.reset();
    sources_[index] = gap.first;
    gap.last_marked = std::max(gap.last_marked, slot);
  }
}

/// Slots up to `hi` keep a good value, but one that was unknown may have been accepted again in the
/// lost frames.
void LogReplay::raise_bounds(Slot hi, const Gap& gap, const Ballot& bound) {
  for (Slot slot = base_.next(); slot <= std::min(hi, last()); slot = slot.next()) {
    const std::size_t index = index_of(slot);
    const bool is_unknown = !slots_[index].entry && sources_[index] != kNoFrame;
    if (is_unknown && sources_[index] < gap.first) {
      slots_[index].ballot = std::max(slots_[index].ballot, bound);
    }
  }
}

/// A gap is kept for as long as it can leave a mark.
void LogReplay::extend_over_gaps() {
  for (const Gap& gap : gaps_) {
    const bool is_open = unknown_tail_ && !gap.is_known() && !is_ended(gap);
    extents_.push_back({gap.first, is_open ? kOpenEnd : gap.last_marked});
  }
  std::sort(extents_.begin(), extents_.end(),
            [](const LogExtent& a, const LogExtent& b) { return a.first < b.first; });
}

/// N5, also for what is unknown: whatever was lost there is void too.
void LogReplay::drop_void(const Chain& chain) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    RecoveredSlot& found = slots_[i];
    if (sources_[i] == kNoFrame || found.ballot.config >= chain.governing(found.slot).id) continue;
    if (SYNOD_PLANT("void_slot_reported")) continue;
    found.entry.reset();
    sources_[i] = kNoFrame;
  }
  while (!slots_.empty() && sources_.back() == kNoFrame) {
    slots_.pop_back();
    sources_.pop_back();
  }
  if (unknown_tail_ && unknown_tail_->config < chain.governing(last().next()).id) {
    unknown_tail_.reset();
  }
}

/// N6.
void LogReplay::close_holes() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (sources_[i] == kNoFrame) slots_[i].ballot = promised_;
  }
}

/// N4.
void LogReplay::move_base(Slot applied) {
  if (applied <= base_) return;
  bool is_whole = applied <= last();
  for (Slot slot = base_.next(); is_whole && slot <= applied; slot = slot.next()) {
    is_whole = slots_[index_of(slot)].entry.has_value();
  }
  if (is_whole) return;
  const std::size_t dropped = std::min(slots_.size(), index_of(applied) + 1);
  slots_.erase(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(dropped));
  base_ = applied;
}

}  // namespace synod::consensus
