// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/phase_one.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {

namespace {

/// An acceptor's log has no holes, so neither has a part; and it stays within what it covers.
bool is_well_formed(const Promise& part) {
  if (part.covers_after >= part.covers_to || part.base > part.commit) return false;
  if (part.unknown_tail && part.covers_to != kOpenEnd) return false;
  Slot expected = std::max(part.covers_after, part.base).next();
  for (const ReportedSlot& reported : part.slots) {
    if (reported.slot != expected || reported.slot > part.covers_to) return false;
    if (reported.entry && !is_intact(*reported.entry)) return false;
    expected = expected.next();
  }
  return part.covers_to == kOpenEnd || before(expected) == part.covers_to;
}

}  // namespace

PhaseOne::PhaseOne(Ballot ballot, Configuration configuration, Slot commit)
    : ballot_(ballot), configuration_(std::move(configuration)), commit_(commit) {
  SYNOD_ASSERT(ballot_.owner != ReplicaId(), "P1: nobody owns the null ballot");
  SYNOD_ASSERT(ballot_.config == configuration_.id, "P4: a ballot counts in its configuration");
  SYNOD_ASSERT(configuration_.is_voter(ballot_.owner), "P4: only a voter stands");
}

void PhaseOne::add(ReplicaId from, const Promise& part) {
  if (part.ballot != ballot_ || !configuration_.is_voter(from)) return;
  if (!is_well_formed(part)) return;
  Answer& answer = answers_[from];
  if (!SYNOD_PLANT("first_part_commit") || answer.covered.empty()) {
    answer.commit = std::max({answer.commit, part.commit, part.base});
  }
  Slot& covered_to = answer.covered[part.covers_after];
  covered_to = std::max(covered_to, part.covers_to);
  for (const ReportedSlot& reported : part.slots) {
    // Asked twice, an acceptor may have learned the slot in between: what it knows now counts.
    const auto [place, is_new] = answer.slots.emplace(reported.slot, reported);
    if (is_new || !reported.entry) continue;
    if (!place->second.entry || place->second.ballot < reported.ballot) place->second = reported;
  }
  if (part.covers_to == kOpenEnd) answer.unknown_tail = part.unknown_tail;
  answer.is_complete = tiles(answer);
}

bool PhaseOne::tiles(const Answer& answer) const {
  const bool is_lenient = SYNOD_PLANT("first_part_commit");
  Slot reached = is_lenient ? commit_ : std::max(commit_, answer.commit);
  for (const auto& [after, to] : answer.covered) {
    if (after > reached) return false;
    reached = std::max(reached, to);
  }
  return reached == kOpenEnd;
}

bool PhaseOne::is_complete(ReplicaId from) const {
  const auto found = answers_.find(from);
  return found != answers_.end() && found->second.is_complete;
}

/// What one complete answer says of a slot; none: it never had it.
std::optional<ReportedSlot> PhaseOne::answer_about(Slot slot, const Answer& answer) {
  const auto found = answer.slots.find(slot);
  if (found != answer.slots.end()) return found->second;
  if (!answer.unknown_tail || SYNOD_PLANT("unknown_tail_ignored")) return std::nullopt;
  return ReportedSlot{slot, *answer.unknown_tail, std::nullopt};
}

std::vector<ReplicaId> PhaseOne::unknown_at(Slot slot) const {
  std::vector<ReplicaId> unknown;
  for (const auto& [replica, answer] : answers_) {
    const auto about = answer_about(slot, answer);
    const bool is_before = slot < configuration_.first;
    if (is_before || (about && !about->entry)) unknown.push_back(replica);
  }
  return unknown;
}

PhaseOne::Choice PhaseOne::choose(Slot slot) const {
  const auto decided = decided_.find(slot);
  if (decided != decided_.end()) return Choice{true, decided->second};
  std::optional<ReportedSlot> best;
  Ballot bound;
  std::size_t certain = 0;
  for (const auto& [replica, answer] : answers_) {
    if (!answer.is_complete) continue;
    const auto about = answer_about(slot, answer);
    if (about && !about->entry) {
      if (SYNOD_PLANT("unknown_as_never_had")) ++certain;
      bound = std::max(bound, about->ballot);
      continue;
    }
    ++certain;
    if (!about) continue;
    const bool is_higher = !best || (SYNOD_PLANT("pick_low") ? about->ballot < best->ballot
                                                             : about->ballot > best->ballot);
    if (is_higher) best = about;
  }
  const bool outbids = best && best->ballot >= bound;
  const bool is_certain = certain >= configuration_.majority() || SYNOD_PLANT("any_known_ballot");
  if (!outbids && !is_certain) return Choice{};
  return Choice{true, best ? best->entry : std::nullopt};
}

/// Behind the last slot anybody reports nothing can have been chosen, if a majority is certain.
bool PhaseOne::is_end_certain(Slot last) const {
  const Choice beyond = choose(last.next());
  SYNOD_ASSERT(!beyond.entry, "P4: nobody reports a slot behind the last");
  return beyond.is_decided;
}

Slot PhaseOne::last_reported() const {
  Slot last = decided_.empty() ? commit_ : std::max(commit_, decided_.rbegin()->first);
  for (const auto& [replica, answer] : answers_) {
    if (answer.is_complete && !answer.slots.empty()) {
      last = std::max(last, answer.slots.rbegin()->first);
    }
  }
  return last;
}

Slot PhaseOne::commit_of(ReplicaId from) const {
  const auto found = answers_.find(from);
  SYNOD_ASSERT(found != answers_.end(), "P4: only who answered is asked about");
  return found->second.commit;
}

std::optional<PhaseOne::Adoption> PhaseOne::adopt() const {
  blocked_at_.reset();
  Adoption adoption{commit_, ballot_.owner, {}};
  std::size_t members = 0;
  for (const auto& [replica, answer] : answers_) {
    if (!answer.is_complete) continue;
    ++members;
    const bool ignores = SYNOD_PLANT("learn_by_ballot");
    if (answer.commit > adoption.commit_max && !ignores) {
      adoption.commit_max = answer.commit;
      adoption.holder = replica;
    }
  }
  if (members < configuration_.majority()) return std::nullopt;
  if (adoption.commit_max < before(configuration_.first)) {
    blocked_at_ = adoption.commit_max.next();
    return std::nullopt;
  }
  if (!choose_entries(adoption)) return std::nullopt;
  SYNOD_ASSERT(adoption.commit_max >= commit_, "P3: Cmax covers the candidate's own commit");
  return adoption;
}

bool PhaseOne::choose_entries(Adoption& adoption) const {
  Slot last = std::max(last_reported(), adoption.commit_max);
  if (!decided_.empty()) last = std::max(last, decided_.rbegin()->first);
  Slot slot = adoption.commit_max.next();
  for (; slot <= last; slot = slot.next()) {
    const Choice choice = choose(slot);
    if (!choice.is_decided) break;
    const bool is_own = !choice.entry || SYNOD_PLANT("own_value");
    adoption.entries.push_back(is_own ? make_entry(ballot_, EntryKind::kFill, {}) : *choice.entry);
    // Nothing can have been chosen behind the end of the configuration.
    const bool ends = adoption.entries.back().kind == EntryKind::kStopSign;
    if (ends && !SYNOD_PLANT("adopted_past_stop")) return true;
  }
  if (slot > last && is_end_certain(last)) return true;
  blocked_at_ = slot;
  return false;
}

}  // namespace synod::consensus
