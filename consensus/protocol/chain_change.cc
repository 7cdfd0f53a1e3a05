// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/chain_change.h"

#include <utility>

#include "consensus/protocol/configuration_codec.h"

namespace synod::consensus {
namespace {

void take_in_learner(Chain& chain, Slot slot, const Entry& entry) {
  const auto change = decode_learner_change(*entry.command);
  if (!change.ok()) return;
  Configuration& current = chain.configurations.back();
  const bool is_id_taken = current.is_voter(change->member.id);
  std::erase_if(current.learners,
                [&](const Member& member) { return member.id == change->member.id; });
  if (change->is_added && !is_id_taken) current.learners.push_back(change->member);
  chain.as_of = slot;
}

void take_in_stop(Chain& chain, Slot slot, const Entry& entry) {
  auto next = decode_next(*entry.command);
  if (!next.ok()) return;
  const Configuration& old = chain.current();
  Configuration configuration{old.id.next(), std::move(next->voters), {}, slot.next(),
                              next->guard,   next->first_leader};
  for (const Member& learner : old.learners) {
    if (!configuration.is_voter(learner.id)) configuration.learners.push_back(learner);
  }
  chain.configurations.push_back(std::move(configuration));
  if (chain.configurations.size() > kConfigurationsKept) {
    chain.configurations.erase(chain.configurations.begin());
  }
  chain.as_of = slot;
}

}  // namespace

void take_in(Chain& chain, Slot slot, const Entry& entry) {
  if (slot <= chain.as_of) return;
  if (entry.kind == EntryKind::kLearner) take_in_learner(chain, slot, entry);
  if (entry.kind == EntryKind::kStopSign) take_in_stop(chain, slot, entry);
}

}  // namespace synod::consensus
