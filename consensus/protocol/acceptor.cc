// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/acceptor.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {
namespace {

/// The last slot that every replica of the newest configuration knows to be decided.
Slot decided_before(const Chain& chain) { return before(chain.current().first); }

}  // namespace

Acceptor::Acceptor(const RecoveredState& state)
    : log_(state.base),
      promised_(std::max(state.promised, null_ballot(state.chain.current().id))),
      commit_(state.base),
      unknown_tail_(state.unknown_tail) {
  Slot known = state.base;  // the last slot before the first that is unknown
  bool is_whole = true;
  for (const RecoveredSlot& found : state.slots) {
    if (found.slot <= state.base) continue;
    SYNOD_ASSERT(!found.entry || found.ballot.config >= state.chain.governing(found.slot).id,
                 "C1: recovery leaves out what is void");
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
  decided_at_start_ = std::max(state.commit_hint, decided_before(state.chain));
  commit_ = std::max({log_.base(), state.applied, std::min(decided_at_start_, known)});
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
  const Slot commit = announced_commit();
  Promise part{promised_, commit, log_.base(), candidate_commit, kOpenEnd, {}, std::nullopt};
  std::size_t bytes = 0;
  for (Slot slot = low.next(); slot <= log_.last(); slot = slot.next()) {
    ReportedSlot reported = report(slot);
    const std::size_t size = reported.entry ? reported.entry->bytes() : Entry::kOverhead;
    if (bytes > 0 && bytes + size > part_bytes) {
      part.covers_to = before(slot);
      parts.push_back(std::exchange(
          part, Promise{promised_, commit, log_.base(), before(slot), kOpenEnd, {}, std::nullopt}));
      bytes = 0;
    }
    bytes += size;
    part.slots.push_back(std::move(reported));
  }
  part.unknown_tail = unknown_tail_;
  parts.push_back(std::move(part));
  return parts;
}

bool Acceptor::is_conflict(Slot slot, const Entry& entry) const {
  const SlotLog::Record* record = log_.find(slot);
  if (record == nullptr || !record->entry) return false;
  if (slot <= learned()) return !record->entry->same_value(entry);
  return record->entry->origin == entry.origin && record->entry->crc != entry.crc;
}

/// Another value stands here in the very ballot that an entry would be written in.
bool Acceptor::is_taken(Slot slot, const Entry& entry) const {
  const SlotLog::Record* record = log_.find(slot);
  return slot > commit_ && record != nullptr && record->entry && record->ballot == promised_ &&
         !record->entry->same_value(entry);
}

Acceptor::Verdict Acceptor::accept(const Accept& accept) {
  SYNOD_ASSERT(accept.ballot == promised_, "A2: enter the ballot before accepting in it");
  if (accept.first > through_.next()) return Verdict::kGap;
  Slot slot = accept.first;
  for (const Entry& entry : accept.entries) {
    if (!is_intact(entry) || is_conflict(slot, entry)) return Verdict::kConflict;
    if (is_taken(slot, entry)) return Verdict::kConflict;
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
  SYNOD_ASSERT(!is_conflict(slot, entry) && !is_taken(slot, entry),
               "P2: one value for each ballot and slot");
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
    if (is_taken(slot, entry)) return Verdict::kOutbid;
    if (slot > commit_ && entry.kind == EntryKind::kStopSign) break;
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
    if (slot > commit_ && entry.kind == EntryKind::kStopSign) break;
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
  skip_decided();
  through_ = std::max(through_, commit_);
  advance_durable();
  check();
}

/// Behind a hole that was filled the rest may be known already: as found at the start only. What
/// was accepted since then is a late leader's perhaps, and not what had been decided.
void Acceptor::skip_decided() {
  while (commit_ < decided_at_start_) {
    const SlotLog::Record* record = log_.find(commit_.next());
    if (record == nullptr || !record->entry || record->ticket != Ticket()) break;
    commit_ = commit_.next();
  }
}

const Entry* Acceptor::decided(Slot slot) const {
  const SlotLog::Record* record = log_.find(slot);
  if (record == nullptr || !record->entry) return nullptr;
  const bool was_decided = slot <= decided_at_start_ && record->ticket == Ticket();
  return slot <= announced_commit() || was_decided ? &*record->entry : nullptr;
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

void Acceptor::enter_configuration(Slot stop, const Chain& chain) {
  SYNOD_ASSERT(chain.current().first == stop.next(), "C1: a configuration begins behind a stop");
  SYNOD_ASSERT(commit_ == stop && durable_ >= stop, "C1: the end is decided and safe here");
  staged_chain_ = chain;
  enter(null_ballot(chain.current().id));
  // What the damaged end held of the configuration that ended is void, or decided and here.
  if (unknown_tail_ && unknown_tail_->config < chain.current().id) end_unknown_tail();
  if (!SYNOD_PLANT("void_slots_return")) log_.drop_after(stop);
}

void Acceptor::drop_void(const Chain& chain) {
  for (Slot slot = log_.base().next(); slot <= log_.last(); slot = slot.next()) {
    if (log_.find(slot)->ballot.config >= chain.governing(slot).id) continue;
    if (slot > commit_) return log_.drop_after(before(slot));
  }
}

void Acceptor::end_unknown_tail() {
  SYNOD_ASSERT(unknown_tail_.has_value(), "A8: only a damaged end becomes known again");
  if (tail_end_ticket_) return;
  is_tail_end_staged_ = true;
  tail_end_ticket_ = issued_.next();
}

void Acceptor::install_snapshot(Slot slot, const Chain& chain) {
  if (slot <= log_.base()) return;
  const bool wipes = SYNOD_PLANT("snapshot_wipes") && slot >= commit_;
  log_.drop_through(slot);
  if (wipes) log_ = SlotLog(slot);
  commit_ = std::max(commit_, slot);
  skip_decided();
  drop_void(chain);
  if (unknown_tail_ && unknown_tail_->config < chain.current().id) end_unknown_tail();
  through_ = std::clamp(through_, commit_, std::max(commit_, log_.last()));
  if (wipes) through_ = commit_;
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
  if (staged_.empty() && !is_promise_staged_ && !staged_chain_ && !is_tail_end_staged_) {
    return std::nullopt;
  }
  issued_ = issued_.next();
  const Ballot promised = SYNOD_PLANT("promise_lost") ? log_.last_ballot() : promised_;
  Persist persist{issued_,
                  promised,
                  is_promise_staged_,
                  std::min(commit_, durable_),
                  std::exchange(staged_, {}),
                  std::exchange(staged_chain_, std::nullopt),
                  std::exchange(is_tail_end_staged_, false)};
  is_promise_staged_ = false;
  return persist;
}

void Acceptor::persisted(Ticket ticket) {
  SYNOD_ASSERT(ticket > completed_ && ticket <= issued_, "D3: frames complete in order");
  completed_ = ticket;
  if (tail_end_ticket_ && *tail_end_ticket_ <= completed_) unknown_tail_.reset();
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
