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
///   A8  an unknown slot or tail is neither acknowledged nor reported as never had;
///   C1  no slot is kept that was accepted in an older configuration than the one it belongs to;
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
  /// Known to be decided up to here, perhaps not durable yet; or commit(), if that is greater.
  [[nodiscard]] Slot learned() const { return std::max(learned_, commit_); }
  /// What may be told of commit(): not a stop slot before the next configuration is entered.
  [[nodiscard]] Slot announced_commit() const { return std::min(commit_, announce_limit_); }
  [[nodiscard]] const SlotLog& log() const { return log_; }
  /// The end of the log was damaged and is not known again: a bound on what it may have held.
  [[nodiscard]] const std::optional<Ballot>& unknown_tail() const { return unknown_tail_; }
  /// The value of a slot that is known to be decided, also behind a damaged one; else null.
  [[nodiscard]] const Entry* decided(Slot slot) const;
  [[nodiscard]] bool is_promise_durable() const { return promise_ticket_ <= completed_; }

  /// Moves to a higher ballot: the only way promised() changes. REQUIRES: ballot > promised().
  void enter(const Ballot& ballot);

  /// Decided at `stop` and safe there: the configuration ended. Moves to the null ballot of the
  /// next, `chain` goes to the superblock with it, and slots above are void (C1).
  void enter_configuration(Slot stop, const Chain& chain);
  /// A change of learners: `chain` goes to the superblock.
  void stage_chain(const Chain& chain) { staged_chain_ = chain; }
  /// Nothing at or above `slot` is announced as decided, until announce_all().
  void announce_below(Slot slot) { announce_limit_ = before(slot); }
  void announce_all() { announce_limit_ = kOpenEnd; }

  /// The answer to a Prepare of promised(), in parts of about `part_bytes`.
  [[nodiscard]] std::vector<Promise> promise(Slot candidate_commit, std::size_t part_bytes) const;

  enum class Verdict : std::uint8_t {
    kTaken,     ///< Written, or had already.
    kGap,       ///< Begins behind through()+1; nothing taken.
    kConflict,  ///< Contradicts what is decided or accepted here; nothing taken.
    kOutbid,    ///< Learning: another value was accepted here in promised(), and lost.
  };
  /// An Accept of the leader of promised(). REQUIRES: accept.ballot == promised().
  Verdict accept(const Accept& accept);
  /// The leader's own acceptance of its proposal at through()+1; returns that slot.
  Slot propose(const Entry& entry);
  /// Entries from `first` on that a replica whose commit covers them sent. They count, and commit()
  /// passes them, once durable. Entries behind a gap are ignored, and so is what follows a
  /// stop-sign: it belongs to a configuration that is entered first. After kOutbid, enter a higher
  /// ballot and learn again.
  Verdict learn(Slot first, const std::vector<Entry>& entries);
  /// The leader of promised() says that slots up to `commit` are decided.
  void decide(Slot commit);

  /// The state now contains everything up to `slot`; accepted slots above stay, but for those that
  /// `chain` makes void.
  void install_snapshot(Slot slot, const Chain& chain);
  /// Slots up to `slot` are safe in the state and no longer needed. REQUIRES: slot <= commit().
  void trim(Slot slot);
  /// Whatever the damaged end of the log held is known again (docs §10); recorded durably.
  void end_unknown_tail();

  /// The frame with all that was staged since the last call; none if nothing was.
  [[nodiscard]] std::optional<Persist> take_persist();
  /// REQUIRES: tickets in order (D3).
  void persisted(Ticket ticket);
  /// The newest ticket handed out.
  [[nodiscard]] Ticket issued() const { return issued_; }
  /// Everything up to this ticket is durable.
  [[nodiscard]] Ticket completed() const { return completed_; }

 private:
  void write(Slot slot, const Ballot& ballot, const Entry& entry);
  [[nodiscard]] bool is_conflict(Slot slot, const Entry& entry) const;
  [[nodiscard]] bool is_taken(Slot slot, const Entry& entry) const;
  [[nodiscard]] ReportedSlot report(Slot slot) const;
  void raise_commit(Slot commit);
  void skip_decided();
  void advance_durable();
  void advance_learned();
  void drop_void(const Chain& chain);
  void check() const;

  SlotLog log_;
  Ballot promised_;
  Slot commit_;
  Slot through_;
  Slot durable_;
  Slot learned_;  ///< Known to be decided up to here; commit follows when durable.
  /// Was decided here before the start: what recovery found intact up to here is the chosen value,
  /// whatever damage keeps commit() below.
  Slot decided_at_start_;
  Slot announce_limit_ = kOpenEnd;
  std::optional<Ballot> unknown_tail_;

  std::vector<SlotRecord> staged_;
  std::optional<Chain> staged_chain_;
  bool is_promise_staged_ = false;
  bool is_tail_end_staged_ = false;
  std::optional<Ticket> tail_end_ticket_;
  Ticket promise_ticket_;
  Ticket issued_;
  Ticket completed_;
};

}  // namespace synod::consensus
