// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"
#include "consensus/log/frame_codec.h"
#include "consensus/log/superblock.h"
#include "consensus/protocol/types.h"
#include "storage/log/segmented_log.h"

namespace synod::consensus {

/// Which slots a stretch of frames needs: they may be deleted once all are cut.
struct LogExtent {
  storage::FrameSeq first;
  Slot last_slot;  ///< kOpenEnd: lost frames, which may have held anything.
};
inline constexpr std::uint64_t kExtentFrames = 64;

/// Turns the frames of a damaged log into what its replica knows (docs/PROTOCOL.md sections 1, 10).
///
/// Used once by PaxosLog::open: every good frame in order, then finish().
///
/// Rules
///   N1  The last good record of a slot is what it holds. A restamp is one only if the value it
///       would stamp has its origin and checksum; otherwise the slot is unknown, bounded by the
///       restamp's ballot: the frame with the value it means is lost.
///   N2  A slot that a lost frame touched, with no good record behind that frame, is unknown. If
///       the frame's summary survived (its own, or the copy in the next frame) it says which slots
///       and in which ballots. If not, it may have touched every slot above the commit of the last
///       good frame before it, in a ballot up to the promise of the next good one; and the tail is
///       unknown.
///   N3  A frame that ends the unknown tail names the lost frames it speaks of, those its process
///       knew. It ends their tail and no slot's mark: a frame that rots after it was written is
///       none of them, and what rots may be the good record by which a slot was known again.
///   N4  Slots the state contains are never unknown: if one of them is missing, the base moves up.
///   N5  A slot accepted only in an older configuration than the one that governs it is void.
///   N6  There is no hole: a slot nobody can explain is unknown, never one that nothing was
///       accepted in.
///
/// Threads: externally synchronized.
/// Failure: kCorruption if intact bytes contradict the format; damage is not a failure.
class LogReplay {
 public:
  explicit LogReplay(const Superblock& superblock);

  [[nodiscard]] base::Status on_frame(const storage::LogFrame& frame);
  /// `next` is the number of the frame to be written next. Once.
  [[nodiscard]] base::Result<RecoveredState> finish(storage::FrameSeq next,
                                                    const std::vector<storage::LogDamage>& damages,
                                                    Slot applied);

  /// After finish(): in order of their frames.
  [[nodiscard]] std::vector<LogExtent> take_extents() { return std::move(extents_); }
  /// After finish(): the lost frames that make the tail unknown.
  [[nodiscard]] std::vector<LostFrames> take_lost() { return std::move(lost_); }
  /// The numbers that are missing before the first frame; none if the log begins where it should.
  [[nodiscard]] std::optional<storage::FrameSeq> lost_before() const { return lost_before_; }

 private:
  /// Frames `first`..`last` are lost.
  struct Gap {
    storage::FrameSeq first;
    storage::FrameSeq last;
    Slot hint_before;
    std::optional<Ballot> promised_behind;  ///< None: no good frame follows.
    std::vector<FrameSummary> summaries;    ///< As many as survived.
    Slot last_marked;

    [[nodiscard]] bool is_known() const {
      return summaries.size() == last.value() - first.value() + 1;
    }
  };

  base::Status on_record(const FoundRecord& record, storage::FrameSeq seq);
  base::Status reach(Slot slot);
  void extend(storage::FrameSeq seq, Slot last_slot);
  void add_gap(storage::FrameSeq last, std::optional<Ballot> promised_behind);
  void attach_summaries(const std::vector<storage::LogDamage>& damages);
  base::Status mark_gaps();
  void mark(Slot lo, Slot hi, Gap& gap, const Ballot& bound);
  void raise_bounds(Slot hi, const Gap& gap, const Ballot& bound);
  [[nodiscard]] bool is_ended(const Gap& gap) const;
  void extend_over_gaps();
  void drop_void(const Chain& chain);
  void close_holes();
  void move_base(Slot applied);

  [[nodiscard]] std::size_t index_of(Slot slot) const {
    return static_cast<std::size_t>(slot.value() - base_.value() - 1);
  }
  [[nodiscard]] Slot last() const { return Slot(base_.value() + slots_.size()); }

  const Superblock& superblock_;
  Slot base_;
  Ballot promised_;
  Slot hint_;       ///< The greatest.
  Slot last_hint_;  ///< Of the last good frame.
  storage::FrameSeq expected_;
  std::vector<LostFrames> ended_;  ///< What frames with the mark of N3 name.
  std::optional<storage::FrameSeq> lost_before_;
  std::vector<Gap> gaps_;
  std::optional<Ballot> unknown_tail_;
  std::vector<LostFrames> lost_;
  std::vector<LogExtent> extents_;
  std::vector<RecoveredSlot> slots_;  ///< From base_+1 on; without an entry: unknown, or nothing.
  /// The frame (or the first of a gap) that says so; 0: nothing is known of the slot.
  std::vector<storage::FrameSeq> sources_;
};

}  // namespace synod::consensus
