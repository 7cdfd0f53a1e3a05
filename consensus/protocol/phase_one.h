// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "consensus/protocol/messages.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// Phase 1 of one candidate in one ballot: collects promises and says what has to be proposed.
///
/// Owned by Replica from its Prepare until it leads or gives up. Pure.
///
/// Invariants
///   P3  slots up to Cmax are never decided from ballots;
///   P4  Q is a majority, and each member's parts cover everything above the candidate's commit,
///       its own commits and its bases;
///   A8  an unknown answer is never taken for "never had";
///   C1  slots before the configuration are decided: their values are never chosen here.
class PhaseOne {
 public:
  /// `commit`: the candidate's when it sent Prepare.
  PhaseOne(Ballot ballot, Configuration configuration, Slot commit);

  [[nodiscard]] const Ballot& ballot() const { return ballot_; }
  [[nodiscard]] Slot asked_above() const { return commit_; }

  /// Adds one part. Parts of other ballots and from non-voters change nothing (C2).
  void add(ReplicaId from, const Promise& part);
  /// Somebody knows this slot to be decided; whatever damage hides at the voters, this is it.
  void note_decided(Slot slot, const Entry& entry) { decided_[slot] = entry; }
  /// True if everything that was asked of this voter has come.
  [[nodiscard]] bool is_complete(ReplicaId from) const;

  /// The commit a complete voter named. REQUIRES: is_complete(from).
  [[nodiscard]] Slot commit_of(ReplicaId from) const;

  struct Adoption {
    Slot commit_max;             ///< Learn up to here first,
    ReplicaId holder;            ///< from this one,
    std::vector<Entry> entries;  ///< then propose these from commit_max+1 on; what lies behind
                                 ///< a stop-sign is not among them.
  };
  /// None: wait for more promises.
  [[nodiscard]] std::optional<Adoption> adopt() const;
  /// The slot adopt() waits for because some answers about it are unknown; none if it only lacks
  /// a majority.
  [[nodiscard]] std::optional<Slot> blocked_at() const { return blocked_at_; }
  /// Those of whom nobody knows what they hold there: it is damaged, or was cut.
  [[nodiscard]] std::vector<ReplicaId> unknown_at(Slot slot) const;

 private:
  struct Answer {
    Slot commit;  ///< The greatest commit or base over the parts.
    std::map<Slot, Slot> covered;
    std::map<Slot, ReportedSlot> slots;
    std::optional<Ballot> unknown_tail;  ///< Behind its last slot.
    bool is_complete = false;
  };
  struct Choice {
    bool is_decided = false;
    std::optional<Entry> entry;  ///< None: nobody had one.
  };
  [[nodiscard]] bool tiles(const Answer& answer) const;
  [[nodiscard]] Choice choose(Slot slot) const;
  [[nodiscard]] static std::optional<ReportedSlot> answer_about(Slot slot, const Answer& answer);
  [[nodiscard]] bool is_end_certain(Slot last) const;
  [[nodiscard]] Slot last_reported() const;
  /// False if an unknown answer makes it wait.
  [[nodiscard]] bool choose_entries(Adoption& adoption) const;

  Ballot ballot_;
  Configuration configuration_;
  Slot commit_;
  std::map<ReplicaId, Answer> answers_;
  std::map<Slot, Entry> decided_;
  mutable std::optional<Slot> blocked_at_;
};

}  // namespace synod::consensus
