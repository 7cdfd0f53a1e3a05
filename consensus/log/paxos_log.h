// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "consensus/log/frame_codec.h"
#include "consensus/log/log_replay.h"
#include "consensus/log/superblock_store.h"
#include "consensus/protocol/types.h"
#include "storage/file.h"
#include "storage/log/segmented_log.h"

namespace synod::consensus {

/// What a replica keeps on disk besides its state: the superblock and the log of what it accepted.
///
///   <directory>/superblock.a, .b   consensus/log/superblock_store.h
///   <directory>/log/               storage/log/format.h; frames as in consensus/log/frame_codec.h
///
/// Owned by the runtime, which hands it each Persist of the replica and reports the ticket when
/// sync() returned. The directory is locked by whoever owns it.
///
/// Invariants
///   W1  A Persist is one frame, all or nothing; a promise that is new and a chain are in the
///       superblock before their frame is written.
///   W2  The promise survives in the superblock, whatever is cut, and in every frame.
///   W3  A frame is deleted only when every slot it holds, or if it is lost may hold, is cut; and
///       the superblock says from which frame on the log must be there, so that a lost beginning
///       is noticed.
///   W4  Damage is never silence: a slot that may have been accepted and cannot be read is
///       reported as unknown by this open and every later one, until a good record or the cut
///       passes it (LogReplay).
///
/// Threads: confined to the log writer, but for prepare_segment(), needs_segment(), disk_bytes()
/// and scrub(), which may run beside it on one other thread. Failure: append() may return kNoSpace
/// or kLimitExceeded, having written nothing that counts; it may be called again with the same
/// Persist. Every other error is final: the owner fail-stops.
class PaxosLog {
 public:
  struct Opened {
    std::unique_ptr<PaxosLog> log;
    RecoveredState state;                     ///< All but the fence, which the state knows.
    std::vector<storage::LogDamage> damages;  ///< For people.
  };

  /// Recovers, and begins a new segment. `applied` is what the flushed state contains. The policy
  /// of `options` for damage is not looked at: a replica always goes on.
  /// REQUIRES: a formed superblock, of the same directory. `files` outlives the log.
  /// kCorruption: the log is somebody else's, of another format, or behind its state.
  [[nodiscard]] static base::Result<Opened> open(storage::FileSystem& files,
                                                 const std::string& directory,
                                                 std::unique_ptr<SuperblockStore> superblock,
                                                 storage::LogOptions options, base::Random random,
                                                 Slot applied);

  /// Writes one frame; durable after sync(). REQUIRES: the frame before it is.
  [[nodiscard]] base::Status append(const Persist& persist);
  [[nodiscard]] base::Status sync();

  /// Slots up to `slot` are safe in the flushed state: they become the base, and segments that
  /// hold nothing else go. A cut below the base does nothing.
  [[nodiscard]] base::Status cut(Slot slot);
  /// One superblock write: the state in `name` takes over, which contains everything up to `base`.
  [[nodiscard]] base::Status set_state_directory(const std::string& name, Slot base,
                                                 const Chain& chain);

  [[nodiscard]] const Superblock& superblock() const { return superblock_->current(); }
  [[nodiscard]] bool needs_segment() const { return log_->needs_segment(); }
  [[nodiscard]] base::Status prepare_segment() { return log_->prepare_segment(); }
  [[nodiscard]] std::uint64_t disk_bytes() const { return log_->disk_bytes(); }
  /// Re-reads every closed segment and reports what is no longer intact.
  [[nodiscard]] base::Result<std::vector<storage::LogDamage>> scrub() const {
    return log_->scrub();
  }

 private:
  PaxosLog(std::unique_ptr<SuperblockStore> superblock, std::unique_ptr<storage::SegmentedLog> log,
           const RecoveredState& state, LogReplay& replay);

  base::Status write_superblock(const Persist& persist);
  base::Status move_base(Superblock next);
  void extend(storage::FrameSeq seq, Slot last_slot);
  [[nodiscard]] storage::FrameSeq first_needed(Slot base) const;

  std::unique_ptr<SuperblockStore> superblock_;
  std::unique_ptr<storage::SegmentedLog> log_;
  Ballot promised_;
  PersistEncoder encoder_;
  Slot last_;                      ///< The greatest slot of the log.
  std::deque<LogExtent> extents_;  ///< In order of their frames.
  std::vector<LostFrames> lost_;   ///< Those that make the tail unknown.
  bool is_synced_ = true;
  bool ends_unknown_tail_ = false;  ///< The frame that is not yet synced does.
};

}  // namespace synod::consensus
