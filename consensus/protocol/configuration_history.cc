// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/configuration_history.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/plant.h"
#include "consensus/protocol/chain_change.h"

namespace synod::consensus {

bool ConfigurationHistory::take_in(const SlotLog& log, Slot commit) {
  bool is_changed = false;
  scanned_ = std::max(scanned_, std::min(log.base(), commit));
  while (scanned_ < commit && !stop_) {
    const Slot slot = scanned_.next();
    const SlotLog::Record* record = log.find(slot);
    SYNOD_ASSERT(record != nullptr && record->entry, "C1: what is decided is here");
    scanned_ = slot;
    const EntryKind kind = record->entry->kind;
    if (kind != EntryKind::kLearner && kind != EntryKind::kStopSign) continue;
    Chain changed = chain_;
    consensus::take_in(changed, slot, *record->entry);
    if (changed.as_of != slot) continue;  // known already, or unreadable
    is_changed = true;
    note_undurable(slot);
    if (kind == EntryKind::kLearner) {
      chain_ = std::move(changed);
    } else {
      stop_ = slot;
      next_ = std::move(changed);
    }
  }
  return is_changed;
}

void ConfigurationHistory::note_undurable(Slot slot) {
  if (!undurable_) undurable_ = slot;
  unstaged_ = slot;
  ticket_.reset();
}

void ConfigurationHistory::stage(Acceptor& acceptor) {
  const bool is_safe = acceptor.durable() >= unstaged_ || SYNOD_PLANT("enter_not_durable");
  if (unstaged_ == kNoSlot || !is_safe) return;
  if (stop_) {
    chain_ = std::move(*next_);
    acceptor.enter_configuration(*stop_, chain_);
    stop_.reset();
    next_.reset();
  } else {
    acceptor.stage_chain(chain_);
  }
  unstaged_ = kNoSlot;
  ticket_ = acceptor.issued().next();
}

bool ConfigurationHistory::on_durable(Ticket completed) {
  if (!ticket_ || *ticket_ > completed) return false;
  ticket_.reset();
  undurable_.reset();
  return std::exchange(entered_, current().id) != current().id;
}

bool ConfigurationHistory::install(const Chain& chain, Slot slot, Acceptor& acceptor) {
  scanned_ = std::max(scanned_, slot);
  if (chain.as_of <= chain_.as_of) return false;
  SYNOD_ASSERT(chain.current().id >= chain_.current().id, "C1: configurations only grow");
  const bool is_newer = chain.current().id > chain_.current().id;
  chain_ = chain;
  stop_.reset();
  next_.reset();
  undurable_ = chain.as_of;
  unstaged_ = kNoSlot;
  const Ballot null = null_ballot(chain.current().id);
  if (acceptor.promised() < null) acceptor.enter(null);
  acceptor.stage_chain(chain_);
  ticket_ = acceptor.issued().next();
  return is_newer;
}

}  // namespace synod::consensus
