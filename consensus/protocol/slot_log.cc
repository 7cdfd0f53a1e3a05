// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/slot_log.h"

#include <utility>

#include "base/assert.h"

namespace synod::consensus {

Ballot SlotLog::last_ballot() const { return records_.empty() ? Ballot() : records_.back().ballot; }

const SlotLog::Record* SlotLog::find(Slot slot) const {
  if (slot <= base_ || slot > last()) return nullptr;
  return &records_[index_of(slot)];
}

void SlotLog::put(Slot slot, const Ballot& ballot, Entry entry, Ticket ticket) {
  SYNOD_ASSERT(slot > base_ && slot <= last().next(), "A7: the log stays contiguous");
  if (slot == last().next()) {
    records_.push_back(Record{ballot, std::move(entry), ticket});
    return;
  }
  Record& record = records_[index_of(slot)];
  // A learned value may be stamped with less than the bound of the damaged record it replaces.
  SYNOD_ASSERT(!record.entry || ballot >= record.ballot, "A3: a slot's ballot never decreases");
  SYNOD_ASSERT(!record.entry || ballot != record.ballot || record.entry->same_value(entry),
               "A4: one value for each slot and ballot");
  SYNOD_ASSERT(
      !record.entry || record.entry->origin != entry.origin || record.entry->crc == entry.crc,
      "A5: one value for each slot and origin");
  record = Record{ballot, std::move(entry), ticket};
}

void SlotLog::put_unknown(Slot slot, const Ballot& bound) {
  SYNOD_ASSERT(slot == last().next(), "A7: recovery hands slots over in order, each once");
  records_.push_back(Record{bound, std::nullopt, Ticket()});
}

void SlotLog::drop_after(Slot slot) {
  SYNOD_ASSERT(slot >= base_, "L1: what the state contains is not void");
  while (last() > slot) records_.pop_back();
}

void SlotLog::drop_through(Slot slot) {
  while (base_ < slot && !records_.empty()) {
    records_.pop_front();
    base_ = base_.next();
  }
  if (base_ < slot) base_ = slot;
  SYNOD_ASSERT(base_ >= slot, "A7: everything up to the snapshot is gone");
}

}  // namespace synod::consensus
