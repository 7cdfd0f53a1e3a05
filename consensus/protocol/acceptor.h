// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "consensus/protocol/messages.h"
#include "consensus/protocol/slot_log.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// The acceptor of one replica: what it promised, what it accepted, and how much of that is safe.
///
/// Owned by Replica. Pure: it stages what has to be written; take_persist() hands out one frame
/// for all of it, and persisted() says that a frame is durable.
///
/// Invariants
///   A1  promised() never decreases;
///   A2  the ballot of an accepted slot is at most promised();
///   A6  slots in (commit, through] are accepted in promised();
///   A8  an unknown slot is neither acknowledged nor reported as never had;
///   D3  frames become durable in order; durable() looks at the current value of a slot only;
///   L1  base <= commit <= through <= last;
///   L2  commit() never decreases, and a value at or below it never changes.
///
/// Threads: confined to the consensus strand.
/// Failure: what a peer sends and cannot be right is refused by value, never asserted.
class Acceptor {
 public:
  /// Docs §1, "At restart".
  explicit Acceptor(const RecoveredState& state);

  [[nodiscard]] const Ballot& promised() const { return promised_; }
  [[nodiscard]] Slot commit() const { return commit_; }
  [[nodiscard]] Slot through() const { return through_; }
  /// Everything up to here is on disk as it stands, and decided or accepted in promised().
  [[nodiscard]] Slot durable() const { return durable_; }
  /// What may be acknowledged without waiting for a frame.
  [[nodiscard]] Slot acknowledged() const { return std::min(through_, durable_); }
  [[nodiscard]] const SlotLog& log() const { return log_; }
  [[nodiscard]] bool is_promise_durable() const { return promise_ticket_ <= completed_; }

  /// Moves to a higher ballot: the only way promised() changes. REQUIRES: ballot > promised().
  void enter(const Ballot& ballot);

  /// The answer to a Prepare of promised(), in parts of about `part_bytes`.
  [[nodiscard]] std::vector<Promise> promise(Slot candidate_commit, std::size_t part_bytes) const;

  enum class Verdict : std::uint8_t {
    kTaken,     ///< Written, or had already.
    kGap,       ///< Begins behind through()+1; nothing taken.
    kConflict,  ///< Contradicts what is decided or accepted here; nothing taken.
  };
  /// An Accept of the leader of promised(). REQUIRES: accept.ballot == promised().
  Verdict accept(const Accept& accept);
  /// The leader's own acceptance of its proposal at through()+1; returns that slot.
  Slot propose(const Entry& entry);
  /// Entries from `first` on that a replica whose commit covers them sent. They count, and commit()
  /// passes them, once durable. Entries behind a gap are ignored.
  Verdict learn(Slot first, const std::vector<Entry>& entries);
  /// The leader of promised() says that slots up to `commit` are decided.
  void decide(Slot commit);

  /// The state now contains everything up to `slot`; accepted slots above stay.
  void install_snapshot(Slot slot);
  /// Slots up to `slot` are safe in the state and no longer needed. REQUIRES: slot <= commit().
  void trim(Slot slot);

  /// The frame with all that was staged since the last call; none if nothing was.
  [[nodiscard]] std::optional<Persist> take_persist();
  /// REQUIRES: tickets in order (D3).
  void persisted(Ticket ticket);
  /// The newest ticket handed out.
  [[nodiscard]] Ticket issued() const { return issued_; }

 private:
  void write(Slot slot, const Ballot& ballot, const Entry& entry);
  [[nodiscard]] bool is_conflict(Slot slot, const Entry& entry) const;
  [[nodiscard]] ReportedSlot report(Slot slot) const;
  void raise_commit(Slot commit);
  void advance_durable();
  void advance_learned();
  void check() const;

  SlotLog log_;
  Ballot promised_;
  Slot commit_;
  Slot through_;
  Slot durable_;
  Slot learned_;  ///< Known to be decided up to here; commit follows when durable.

  std::vector<SlotRecord> staged_;
  bool is_promise_staged_ = false;
  Ticket promise_ticket_;
  Ticket issued_;
  Ticket completed_;
};

}  // namespace synod::consensus
