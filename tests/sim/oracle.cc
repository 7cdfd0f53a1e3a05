// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/oracle.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/text.h"
#include "consensus/protocol/chain_change.h"
#include "consensus/protocol/configuration_codec.h"
#include "consensus/runtime/state_label.h"

namespace synod::sim {

using base::concat;
using consensus::Configuration;
using consensus::Delivery;
using consensus::Entry;
using consensus::EntryKind;

namespace {

std::uint64_t bit_of(ReplicaId id) { return std::uint64_t{1} << (id.value() % 64U); }

std::uint64_t ballot_hash(const Ballot& ballot) {
  return mix(mix(ballot.config.value(), ballot.round.value()), ballot.owner.value());
}

}  // namespace

void Oracle::fail(std::string what) {
  if (failure_.empty()) failure_ = std::move(what);
}

void Oracle::begin(const Chain& first) {
  chain_ = first;
  chains_.push_back(std::make_unique<Chain>(first));
  executions_.push_back(Execution{{}, false, {}, 0, 0, chains_.back().get()});
}

Oracle::SlotRecord& Oracle::record(Slot slot) {
  if (slots_.size() <= slot.value()) slots_.resize(slot.value() + 64);
  return slots_[slot.value()];
}

void Oracle::on_accepted(const Member& member, Slot slot, const Ballot& ballot,
                         const Entry& entry) {
  SlotRecord& found = record(slot);
  const Value value{entry.origin, entry.crc};
  Disk& disk = disks_[member];
  disk.last = std::max(disk.last, slot);
  for (Acceptance& each : found.accepted) {
    if (each.ballot != ballot || each.value != value) continue;
    if ((each.holders & bit_of(member.id)) != 0) return;
    each.holders |= bit_of(member.id);
    return count(slot, found, each, entry);
  }
  found.accepted.push_back(Acceptance{ballot, value, bit_of(member.id)});
  count(slot, found, found.accepted.back(), entry);
}

std::uint64_t Oracle::voters_of(const Configuration& configuration) const {
  std::uint64_t voters = 0;
  for (const Member& voter : configuration.voters) voters |= bit_of(voter.id);
  return voters;
}

void Oracle::count(Slot slot, SlotRecord& record, const Acceptance& acceptance,
                   const Entry& entry) {
  const Configuration& governing = chain_.governing(slot);
  if (acceptance.ballot.config != governing.id) return;
  const auto votes =
      static_cast<std::size_t>(std::popcount(acceptance.holders & voters_of(governing)));
  if (votes >= governing.majority()) choose(slot, record, acceptance.value, entry);
}

void Oracle::choose(Slot slot, SlotRecord& record, const Value& value, const Entry& entry) {
  if (record.chosen) {
    if (*record.chosen != value) fail(concat("two values chosen at slot ", slot.value()));
    return;
  }
  record.chosen = value;
  if (entry.kind != EntryKind::kStopSign) return;
  const auto next = consensus::decode_next(*entry.command);
  if (!next.ok() || slot < chain_.current().first) return;
  Configuration configuration;
  configuration.id = chain_.current().id.next();
  configuration.voters = next->voters;
  configuration.first = slot.next();
  configuration.guard = next->guard;
  configuration.first_leader = next->first_leader;
  chain_.configurations.push_back(std::move(configuration));
}

void Oracle::on_promised(const Member& member, const Ballot& promised) {
  Disk& disk = disks_[member];
  disk.promised = std::max(disk.promised, promised);
}

void Oracle::on_chain(const Member& member, const Chain& chain) {
  Disk& disk = disks_[member];
  disk.config = std::max(disk.config, chain.current().id);
}

void Oracle::on_tail_ended(const Member& member, const Ballot& promised) {
  Disk& disk = disks_[member];
  disk.tail_ended = std::max(disk.tail_ended, promised);
}

void Oracle::on_recovered(const Member& member, const consensus::RecoveredState& state) {
  const Disk& disk = disks_[member];
  if (state.promised < disk.promised) {
    fail(concat("replica ", member.id.value(), " promised ", to_string(disk.promised),
                " durably and found ", to_string(state.promised)));
  }
  if (state.chain.current().id < disk.config) {
    fail(concat("replica ", member.id.value(), " lost a configuration"));
  }
  on_promised(member, state.promised);
  check_nothing_forgotten(member, state);
  check_void(member, state);
  for (const consensus::RecoveredSlot& each : state.slots) {
    if (each.entry) on_accepted(member, each.slot, each.ballot, *each.entry);
  }
}

/// The frame that accepted a decided value once more may be lost: by then a majority had it.
bool Oracle::is_kept_as_decided(Slot slot, const consensus::RecoveredState& state) {
  const std::size_t place = slot.value() - state.base.value() - 1;
  if (slot > state.commit_hint || place >= state.slots.size()) return false;
  const std::optional<consensus::Entry>& entry = state.slots[place].entry;
  return entry && record(slot).chosen == Value{entry->origin, entry->crc};
}

/// Whatever was durable is found, in the same ballot or a later one, or is known to be unknown.
void Oracle::check_nothing_forgotten(const Member& member, const consensus::RecoveredState& state) {
  const Slot last = disks_[member].last;
  for (Slot slot = state.base.next(); slot <= last; slot = slot.next()) {
    Ballot held;
    for (const Acceptance& each : record(slot).accepted) {
      const bool counts = (each.holders & bit_of(member.id)) != 0 &&
                          each.ballot.config >= state.chain.governing(slot).id;
      if (counts) held = std::max(held, each.ballot);
    }
    const std::size_t place = slot.value() - state.base.value() - 1;
    const bool is_behind = place >= state.slots.size();
    const bool is_nothing = held < disks_[member].tail_ended;
    const bool is_found = is_behind
                              ? is_nothing || (state.unknown_tail && *state.unknown_tail >= held)
                              : state.slots[place].ballot >= held;
    if (held == Ballot() || is_found || is_kept_as_decided(slot, state)) continue;
    return fail(concat("replica ", member.id.value(), " held slot ", slot.value(), " in ",
                       to_string(held), " and forgot it"));
  }
}

/// C1: what an older configuration accepted behind its end is nothing.
void Oracle::check_void(const Member& member, const consensus::RecoveredState& state) {
  for (const consensus::RecoveredSlot& each : state.slots) {
    if (!each.entry || each.ballot.config >= state.chain.governing(each.slot).id) continue;
    return fail(
        concat("replica ", member.id.value(), ": void slot ", each.slot.value(), " came back"));
  }
}

void Oracle::on_leader(const Member& member, const Ballot& ballot) {
  const auto [place, is_first] = leaders_.emplace(ballot, member);
  if (!is_first && place->second != member) {
    fail(concat("two leaders in ballot ", to_string(ballot)));
  }
  if (ballot.owner != member.id) fail("a leader in the ballot of another");
}

void Oracle::on_commit(Slot commit) {
  while (commit_ < commit) {
    commit_ = commit_.next();
    if (!record(commit_).chosen) {
      fail(concat("slot ", commit_.value(), " decided and not on the disks of a majority"));
    }
  }
}

std::uint64_t Oracle::next_history(std::uint64_t history, const Delivery& delivery) {
  history = mix(history, delivery.slot.value());
  history = mix(history, ballot_hash(delivery.entry.origin));
  return mix(history, std::uint64_t{delivery.entry.crc} << 1U | (delivery.is_fenced ? 1U : 0U));
}

void Oracle::execute(const Delivery& delivery) {
  const Entry& entry = delivery.entry;
  const bool is_old = entry.origin < fence_;
  if (entry.kind == EntryKind::kBarrier) fence_ = std::max(fence_, entry.origin);
  const bool may_be_fenced = entry.kind == EntryKind::kCommand || entry.kind == EntryKind::kBarrier;
  if (delivery.is_fenced != (is_old && may_be_fenced)) {
    fail(concat("slot ", delivery.slot.value(), ": the fence let the wrong one through"));
  }
  history_ = next_history(history_, delivery);
  if (entry.kind == EntryKind::kStopSign || entry.kind == EntryKind::kLearner) {
    auto chain = std::make_unique<Chain>(*chains_.back());
    consensus::take_in(*chain, delivery.slot, entry);
    chains_.push_back(std::move(chain));
  }
  if (entry.kind == EntryKind::kCommand && !is_old) {
    if (const auto command = decode_command(*entry.command)) {
      execute_command(delivery.slot, *command);
    }
  }
  executions_.push_back(Execution{{entry.origin, entry.crc},
                                  is_old && may_be_fenced,
                                  fence_,
                                  state_.digest(),
                                  history_,
                                  chains_.back().get()});
}

void Oracle::execute_command(Slot slot, const Command& command) {
  if (refused_.contains({command.client, command.sequence, command.attempt})) {
    fail(concat("slot ", slot.value(), " executes what its client was told is not executed"));
  }
  const RegisterState::Effect effect = state_.execute(command);
  if (!effect.is_new) return;
  const bool is_first = effects_[command.client]
                            .emplace(command.sequence, Effect{slot, effect.result, command.attempt})
                            .second;
  if (!is_first) fail(concat("slot ", slot.value(), ": a token took effect twice"));
  changes_[command.key].push_back(Change{slot, state_.value(command.key)});
}

void Oracle::on_executed(const Member& member, const Delivery& delivery, std::uint64_t digest,
                         std::uint64_t history) {
  const Value value{delivery.entry.origin, delivery.entry.crc};
  const std::optional<Value>& chosen = record(delivery.slot).chosen;
  if (!chosen || *chosen != value) {
    return fail(concat("slot ", delivery.slot.value(), " executed by replica ", member.id.value(),
                       chosen ? " with another value than the chosen one"
                              : " and not on the disks of a majority"));
  }
  if (delivery.slot.value() == executions_.size()) execute(delivery);
  if (delivery.slot.value() >= executions_.size()) {
    return fail(concat("slot ", delivery.slot.value(), " executed before those below it"));
  }
  const Execution& known = executions_[delivery.slot.value()];
  if (known.value != value || known.is_fenced != delivery.is_fenced) {
    return fail(concat("slot ", delivery.slot.value(), " executed in two ways"));
  }
  if (known.digest != digest || known.history != history) {
    fail(
        concat("states differ at slot ", delivery.slot.value(), " of replica ", member.id.value()));
  }
}

void Oracle::on_state(const Member& member, const std::string& what, Slot slot, const Ballot& fence,
                      const Chain& chain, std::uint64_t digest, std::uint64_t history) {
  const std::string who =
      concat(what, " of replica ", member.id.value(), " at slot ", slot.value());
  if (slot.value() >= executions_.size()) return fail(concat(who, " is ahead of everything"));
  const Execution& known = executions_[slot.value()];
  if (known.digest != digest || known.history != history) {
    return fail(concat(who, " is not what was executed"));
  }
  if (known.fence != fence) return fail(concat(who, " has the wrong fence"));
  if (consensus::encode_chain(chain) != consensus::encode_chain(*known.chain)) {
    fail(concat(who, " has the wrong chain"));
  }
}

void Oracle::on_acknowledged(const Command& command, Slot slot, std::uint64_t result, Slot floor) {
  const auto& effects = effects_[command.client];
  const auto found = effects.find(command.sequence);
  if (found == effects.end()) {
    return fail(concat("slot ", slot.value(), ": acknowledged without any effect"));
  }
  const Effect& effect = found->second;
  if (effect.result != result) {
    return fail(concat("slot ", slot.value(), ": a result that the log does not give"));
  }
  if (effect.slot <= floor) {
    return fail(concat("slot ", effect.slot.value(), " takes effect before what was finished at ",
                       floor.value(), " when it began"));
  }
  if (slot < effect.slot) return fail("acknowledged below its effect");
  acknowledged_ = std::max(acknowledged_, slot);
}

void Oracle::on_not_executed(const Command& command) {
  refused_.insert({command.client, command.sequence, command.attempt});
  const auto& effects = effects_[command.client];
  const auto found = effects.find(command.sequence);
  if (found != effects.end() && found->second.attempt == command.attempt) {
    fail(concat("slot ", found->second.slot.value(),
                " took effect and its client was told it did not"));
  }
}

std::uint64_t Oracle::value_at(std::size_t key, Slot slot) const {
  const auto& changes = changes_[key];
  const auto after =
      std::upper_bound(changes.begin(), changes.end(), slot,
                       [](Slot bound, const Change& change) { return bound < change.slot; });
  return after == changes.begin() ? 0 : std::prev(after)->value;
}

void Oracle::on_read(Slot index, Slot state, std::size_t key, std::uint64_t value, Slot floor) {
  if (index < floor) {
    return fail(concat("a stale read: index ", index.value(), " below ", floor.value(),
                       ", which was decided when it began"));
  }
  if (state < index) return fail("a read released before its index was applied");
  on_local_read(state, key, value);
  acknowledged_ = std::max(acknowledged_, index);
}

void Oracle::on_local_read(Slot state, std::size_t key, std::uint64_t value) {
  if (value_at(key, state) != value) {
    fail(concat("a read of key ", key, " at slot ", state.value(), " is not what was written"));
  }
}

bool Oracle::took_effect(std::uint32_t client, std::uint32_t sequence) const {
  return effects_[client].contains(sequence);
}

}  // namespace synod::sim
