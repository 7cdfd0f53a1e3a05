// SPDX-License-Identifier: Apache-2.0
#include "consensus/log/paxos_log.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "base/text.h"

namespace synod::consensus {
namespace {

using base::Result;
using base::Status;
using base::StatusCode;
using storage::FrameSeq;
using storage::LogFrame;

/// Differs between any two disks, because incarnations do.
storage::LogIdentity log_identity(const Superblock& superblock) {
  storage::LogIdentity identity{};
  base::store_le64(identity.data(), superblock.cluster.value());
  base::store_le64(identity.data() + 8, superblock.incarnation.value() ^
                                            (std::uint64_t{superblock.replica.value()} << 32));
  return identity;
}

Status check_open(const Superblock& superblock, Slot applied) {
  if (superblock.formation != DiskState::kFormed) {
    return Status(StatusCode::kInvalidArgument, "a replica that is not formed has no log");
  }
  if (applied < superblock.base) {
    return Status(StatusCode::kCorruption,
                  base::concat("the state ends at slot ", applied.value(),
                               ", but the log was cut up to ", superblock.base.value()));
  }
  return Status();
}

}  // namespace

Result<PaxosLog::Opened> PaxosLog::open(storage::FileSystem& files, const std::string& directory,
                                        std::unique_ptr<SuperblockStore> superblock,
                                        storage::LogOptions options, base::Random random,
                                        Slot applied) {
  SYNOD_RETURN_IF_ERROR(check_open(superblock->current(), applied));
  options.damage = storage::DamagePolicy::kReport;
  const FrameSeq begin = superblock->current().log_begin;
  // A log that was made and is empty, or has no end, has lost frames: a gap says so.
  const FrameSeq first =
      begin == FrameSeq() ? FrameSeq(1) : FrameSeq(begin.value() + storage::kLostFrames);
  const std::string log_directory = SuperblockStore::log_directory(directory);
  LogReplay replay(superblock->current());
  auto opened = storage::open_segmented_log(
      files, log_directory, log_identity(superblock->current()), options, random, first,
      [&replay](const LogFrame& frame) { return replay.on_frame(frame); });
  if (!opened.ok()) return opened.status();
  if (begin == FrameSeq()) {
    Superblock next = superblock->current();
    next.log_begin = FrameSeq(1);
    SYNOD_RETURN_IF_ERROR(superblock->write(std::move(next)));
  }
  if (opened->log->next_seq() < begin) {
    return Status(StatusCode::kCorruption,
                  base::concat(log_directory, ": ends before frame ", begin.value(),
                               ", which was in it; too much of it is lost to say what"));
  }
  Opened result;
  result.damages = std::move(opened->recovery.damages);
  SYNOD_ASSIGN_OR_RETURN(result.state,
                         replay.finish(opened->log->next_seq(), result.damages, applied));
  if (const auto lost = replay.lost_before(); lost && result.damages.empty()) {
    result.damages.push_back(
        {begin, *lost, log_directory, 0, "the first segments of the log are missing", {}});
  }
  result.log.reset(
      new PaxosLog(std::move(superblock), std::move(opened->log), result.state, replay));
  return result;
}

PaxosLog::PaxosLog(std::unique_ptr<SuperblockStore> superblock,
                   std::unique_ptr<storage::SegmentedLog> log, const RecoveredState& state,
                   LogReplay& replay)
    : superblock_(std::move(superblock)),
      log_(std::move(log)),
      promised_(state.promised),
      last_(Slot(state.base.value() + state.slots.size())),
      lost_(replay.take_lost()) {
  for (const LogExtent& extent : replay.take_extents()) extents_.push_back(extent);
}

Status PaxosLog::write_superblock(const Persist& persist) {
  const bool is_new = persist.is_new_ballot || persist.promised > superblock().promised;
  if (!is_new && !persist.chain) return Status();
  Superblock next = superblock();
  next.promised = std::max(next.promised, persist.promised);
  // An installed state may know more than what was on its way when it took over (B4).
  const bool is_newer = persist.chain && persist.chain->as_of >= next.chain.as_of;
  if (is_newer) next.chain = *persist.chain;
  return superblock_->write(std::move(next));
}

Status PaxosLog::append(const Persist& persist) {
  SYNOD_ASSERT(persist.promised >= promised_, "A1: a promise only grows");
  const bool late = SYNOD_PLANT("superblock_after_frame");
  if (!late) SYNOD_RETURN_IF_ERROR(write_superblock(persist));
  promised_ = persist.promised;
  encoder_.encode(persist, persist.ends_unknown_tail ? lost_ : std::vector<LostFrames>());
  SYNOD_ASSIGN_OR_RETURN(const FrameSeq seq,
                         log_->append(encoder_.summary_bytes(), encoder_.body()));
  is_synced_ = false;
  const Slot last_slot = encoder_.summary().last_slot();
  last_ = std::max(last_, last_slot);
  extend(seq, last_slot);
  ends_unknown_tail_ = persist.ends_unknown_tail;
  return late ? write_superblock(persist) : Status();
}

Status PaxosLog::sync() {
  SYNOD_RETURN_IF_ERROR(log_->sync());
  is_synced_ = true;
  if (std::exchange(ends_unknown_tail_, false)) {
    lost_.clear();
    for (LogExtent& extent : extents_) {
      if (extent.last_slot == kOpenEnd) extent.last_slot = last_;
    }
  }
  return Status();
}

void PaxosLog::extend(FrameSeq seq, Slot last_slot) {
  const bool is_open = !extents_.empty() && extents_.back().last_slot != kOpenEnd &&
                       seq.value() - extents_.back().first.value() < kExtentFrames;
  if (!is_open) {
    extents_.push_back({seq, last_slot});
  } else {
    extents_.back().last_slot = std::max(extents_.back().last_slot, last_slot);
  }
}

FrameSeq PaxosLog::first_needed(Slot base) const {
  for (const LogExtent& extent : extents_) {
    if (extent.last_slot > base) return extent.first;
  }
  // A frame that is not durable yet must not be one whose loss nobody would notice.
  return is_synced_ ? log_->next_seq() : FrameSeq(log_->next_seq().value() - 1);
}

Status PaxosLog::cut(Slot slot) {
  if (slot <= superblock().base) return Status();
  Superblock next = superblock();
  next.base = slot;
  return move_base(std::move(next));
}

Status PaxosLog::set_state_directory(const std::string& name, Slot base, const Chain& chain) {
  SYNOD_ASSERT(base >= superblock().base, "L1: a state that takes over is not older than the base");
  Superblock next = superblock();
  next.state_directory = name;
  next.base = base;
  next.chain = chain;
  return move_base(std::move(next));
}

/// W3: first the superblock says what may be missing, then it goes missing.
Status PaxosLog::move_base(Superblock next) {
  const FrameSeq needed = first_needed(next.base);
  next.promised = std::max(next.promised, promised_);
  next.log_begin = std::max(next.log_begin, needed);
  SYNOD_RETURN_IF_ERROR(superblock_->write(std::move(next)));
  while (!extents_.empty() && extents_.front().first < needed) extents_.pop_front();
  return log_->delete_before(needed);
}

}  // namespace synod::consensus
