// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/acceptor.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {

Acceptor::Acceptor(const RecoveredState& state)
    : log_(state.base), promised_(state.promised), commit_(state.base) {
  Slot known = state.base;  // the last slot before the first that is unknown
  bool is_whole = true;
  for (const RecoveredSlot& found : state.slots) {
    if (found.slot <= state.base) continue;
    SYNOD_ASSERT(found.ballot <= promised_ || !found.entry, "A2: recovery lost a promise");
    if (found.entry) {
      log_.put(found.slot, found.ballot, *found.entry, Ticket());
      if (is_whole) known = found.slot;
    } else {
      log_.put_unknown(found.slot, found.ballot);
      is_whole = false;
    }
  }
  // What the flushed state contains needs no log (docs §1): a hole below it moves the base.
  if (state.applied > known) {
    log_.drop_through(state.applied);
    known = state.applied;
    for (Slot slot = known.next(); log_.find(slot) != nullptr && log_.find(slot)->entry;
         slot = slot.next()) {
      known = slot;
    }
  }
  commit_ = std::max({log_.base(), state.applied, std::min(state.commit_hint, known)});
  through_ = commit_;
  durable_ = commit_;
  learned_ = commit_;
  advance_durable();
  check();
}

void Acceptor::enter(const Ballot& ballot) {
  SYNOD_ASSERT(ballot > promised_, "A1: a promise only grows");
  promised_ = ballot;
  is_promise_staged_ = true;
  promise_ticket_ = issued_.next();
  if (!SYNOD_PLANT("stale_through")) through_ = commit_;
  durable_ = std::min(durable_, commit_);
  advance_durable();
  check();
}

ReportedSlot Acceptor::report(Slot slot) const {
  const SlotLog::Record* record = log_.find(slot);
  SYNOD_ASSERT(record != nullptr, "A7: no holes above the base");
  return ReportedSlot{slot, record->ballot, record->entry};
}

std::vector<Promise> Acceptor::promise(Slot candidate_commit, std::size_t part_bytes) const {
  const Slot low = std::max(candidate_commit, log_.base());
  std::vector<Promise> parts;
  Promise part{promised_, commit_, log_.base(), candidate_commit, kOpenEnd, {}};
  std::size_t bytes = 0;
  for (Slot slot = low.next(); slot <= log_.last(); slot = slot.next()) {
    ReportedSlot reported = report(slot);
    const std::size_t size = reported.entry ? reported.entry->bytes() : Entry::kOverhead;
    if (bytes > 0 && bytes + size > part_bytes) {
      part.covers_to = before(slot);
      parts.push_back(std::exchange(
          part, Promise{promised_, commit_, log_.base(), before(slot), kOpenEnd, {}}));
      bytes = 0;
    }
    bytes += size;
    part.slots.push_back(std::move(reported));
  }
  parts.push_back(std::move(part));
  return parts;
}

bool Acceptor::is_conflict(Slot slot, const Entry& entry) const {
  const SlotLog::Record* record = log_.find(slot);
  if (record == nullptr || !record->entry) return false;
  if (slot <= commit_) return !record->entry->same_value(entry);
  // Whoever learns has accepted nothing else in the ballot of its own that it learns in.
  const bool same_ballot = record->ballot == promised_ && !record->entry->same_value(entry);
  const bool same_origin = record->entry->origin == entry.origin && record->entry->crc != entry.crc;
  return same_ballot || same_origin;
}

Acceptor::Verdict Acceptor::accept(const Accept& accept) {
  SYNOD_ASSERT(accept.ballot == promised_, "A2: enter the ballot before accepting in it");
  if (accept.first > through_.next()) return Verdict::kGap;
  Slot slot = accept.first;
  for (const Entry& entry : accept.entries) {
    if (!is_intact(entry) || is_conflict(slot, entry)) return Verdict::kConflict;
    slot = slot.next();
  }
  slot = accept.first;
  for (const Entry& entry : accept.entries) {
    if (slot > commit_) {
      const SlotLog::Record* record = log_.find(slot);
      const bool has = record != nullptr && record->entry && record->ballot == accept.ballot;
      if (!has) write(slot, accept.ballot, entry);
      through_ = std::max(through_, slot);
    }
    slot = slot.next();
  }
  advance_durable();
  decide(accept.commit);
  return Verdict::kTaken;
}

Slot Acceptor::propose(const Entry& entry) {
  const Slot slot = through_.next();
  SYNOD_ASSERT(!is_conflict(slot, entry), "P2: one value for each ballot and slot");
  write(slot, promised_, entry);
  through_ = slot;
  check();
  return slot;
}

Acceptor::Verdict Acceptor::learn(Slot first, const std::vector<Entry>& entries) {
  const Slot known = std::max(commit_, learned_);
  if (first > known.next()) return Verdict::kGap;
  Slot slot = first;
  for (const Entry& entry : entries) {
    if (!is_intact(entry) || is_conflict(slot, entry)) return Verdict::kConflict;
    slot = slot.next();
  }
  slot = first;
  for (const Entry& entry : entries) {
    const SlotLog::Record* record = log_.find(slot);
    const bool has = record != nullptr && record->entry && record->ballot == promised_;
    if (slot > known) {
      // Stamped with the own promise: docs §8 says why, and a null ballot loses the value.
      const Ballot stamp = SYNOD_PLANT("stamp_null") ? Ballot() : promised_;
      if (!has) write(slot, stamp, entry);
      learned_ = slot;
    }
    slot = slot.next();
  }
  advance_learned();
  return Verdict::kTaken;
}

void Acceptor::decide(Slot commit) {
  const Slot limit = SYNOD_PLANT("commit_past_through") ? log_.last() : through_;
  raise_commit(std::min(commit, limit));
}

void Acceptor::raise_commit(Slot commit) {
  if (commit <= commit_) return;
  commit_ = commit;
  through_ = std::max(through_, commit_);
  advance_durable();
  check();
}

void Acceptor::write(Slot slot, const Ballot& ballot, const Entry& entry) {
  SYNOD_ASSERT(slot > commit_, "L2: a decided slot keeps its value");
  SYNOD_ASSERT(ballot <= promised_, "A2: nothing is accepted above the promise");
  SYNOD_ASSERT(slot > durable_, "D3: a slot that is durable in this ballot is not rewritten");
  const SlotLog::Record* old = log_.find(slot);
  const bool is_restamp = old != nullptr && old->entry && old->entry->same_value(entry);
  log_.put(slot, ballot, entry, issued_.next());
  staged_.push_back(SlotRecord{slot, ballot, entry, is_restamp});
}

void Acceptor::install_snapshot(Slot slot) {
  if (slot <= log_.base()) return;
  const bool wipes = SYNOD_PLANT("snapshot_wipes") && slot >= commit_;
  log_.drop_through(slot);
  if (wipes) log_ = SlotLog(slot);
  commit_ = std::max(commit_, slot);
  if (wipes) through_ = commit_;
  through_ = std::max(through_, commit_);
  learned_ = std::max(learned_, commit_);
  durable_ = std::max(durable_, slot);
  advance_durable();
  check();
}

void Acceptor::trim(Slot slot) {
  SYNOD_ASSERT(slot <= commit_ && slot <= durable_, "L1: only what is decided and safe is cut");
  if (slot > log_.base()) log_.drop_through(slot);
}

std::optional<Persist> Acceptor::take_persist() {
  if (staged_.empty() && !is_promise_staged_) return std::nullopt;
  issued_ = issued_.next();
  const Ballot promised = SYNOD_PLANT("promise_lost") ? log_.last_ballot() : promised_;
  Persist persist{issued_, promised, is_promise_staged_, std::min(commit_, durable_),
                  std::exchange(staged_, {})};
  is_promise_staged_ = false;
  return persist;
}

void Acceptor::persisted(Ticket ticket) {
  SYNOD_ASSERT(ticket > completed_ && ticket <= issued_, "D3: frames complete in order");
  completed_ = ticket;
  advance_durable();
  advance_learned();
}

void Acceptor::advance_durable() {
  durable_ = std::max(durable_, log_.base());
  while (durable_ < log_.last()) {
    const Slot slot = durable_.next();
    const SlotLog::Record* record = log_.find(slot);
    const bool is_done = record->ticket <= completed_ || SYNOD_PLANT("late_persist_counts");
    const bool is_on_disk = record->entry && is_done;
    if (!is_on_disk || (slot > commit_ && record->ballot != promised_)) break;
    durable_ = slot;
  }
}

void Acceptor::advance_learned() {
  Slot reached = commit_;
  while (reached < learned_ && log_.find(reached.next())->ticket <= completed_) {
    reached = reached.next();
  }
  raise_commit(reached);
}

void Acceptor::check() const {
  SYNOD_ASSERT(log_.base() <= commit_ && commit_ <= through_, "L1: base <= commit <= through");
  SYNOD_ASSERT(through_ <= log_.last(), "L1: through <= last");
  SYNOD_ASSERT(through_ == commit_ || log_.find(through_)->ballot == promised_,
               "A6: what is behind commit was accepted in this ballot");
}

}  // namespace synod::consensus
