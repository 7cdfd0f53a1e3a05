// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>

#include "consensus/protocol/types.h"

namespace synod::consensus {

/// What an acceptor has accepted, one record for each slot above `base`.
///
/// Owned by Acceptor, who decides what may be written; this class keeps the shape.
///
/// Invariants
///   A3  the ballot of a slot never decreases;
///   A4  equal (slot, ballot) means an equal value;
///   A7  contiguous from base+1 to last: put() goes to a slot that exists or to last+1.
class SlotLog {
 public:
  struct Record {
    Ballot ballot;               ///< Unknown: the greatest it may have had.
    std::optional<Entry> entry;  ///< None: unknown, damaged on disk.
    Ticket ticket;               ///< The frame that holds this value; 0: durable since the start.
  };

  explicit SlotLog(Slot base) : base_(base) {}

  [[nodiscard]] Slot base() const { return base_; }
  [[nodiscard]] Slot last() const { return Slot(base_.value() + records_.size()); }
  /// The ballot of the last slot; null if there is none.
  [[nodiscard]] Ballot last_ballot() const;
  /// Null for a slot outside (base, last].
  [[nodiscard]] const Record* find(Slot slot) const;

  /// REQUIRES: base < slot <= last + 1, and A3, A4 hold.
  void put(Slot slot, const Ballot& ballot, Entry entry, Ticket ticket);
  void put_unknown(Slot slot, const Ballot& bound);
  /// Drops slots <= `slot`; those above stay. If the log ends below, it is empty behind `slot`.
  void drop_through(Slot slot);
  /// Drops slots > `slot`: they are void, their configuration ended there.
  void drop_after(Slot slot);

 private:
  [[nodiscard]] std::size_t index_of(Slot slot) const {
    return static_cast<std::size_t>(slot.value() - base_.value() - 1);
  }

  Slot base_;
  std::deque<Record> records_;
};

}  // namespace synod::consensus
