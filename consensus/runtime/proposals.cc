// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/proposals.h"

#include "base/assert.h"

namespace synod::consensus {

void Proposals::add(Slot slot, const Ballot& origin, Done done) {
  const bool is_new = waiting_.emplace(Key(slot, origin), Waiting{std::move(done), {}}).second;
  SYNOD_ASSERT(is_new, "P2: one value for each slot and ballot");
}

void Proposals::finish(std::map<Key, Waiting>::iterator which, CommandOutcome outcome) {
  // Out of the table first: the callback may propose again.
  auto node = waiting_.extract(which);
  outcome.slot = node.key().first;
  node.mapped().done(std::move(outcome));
}

void Proposals::on_decided(const Delivery& delivery) {
  while (true) {
    auto found = waiting_.lower_bound(Key(delivery.slot, Ballot()));
    const bool is_own = found != waiting_.end() && found->first.first == delivery.slot &&
                        found->first.second == delivery.entry.origin;
    if (is_own && !delivery.is_fenced) ++found;
    if (found == waiting_.end() || found->first.first != delivery.slot) return;
    CommandOutcome outcome;
    outcome.kind = CommandOutcome::Kind::kNotExecuted;
    outcome.reason = found->first.second == delivery.entry.origin
                         ? CommandOutcome::Reason::kFenced
                         : CommandOutcome::Reason::kOvertaken;
    finish(found, std::move(outcome));
  }
}

void Proposals::on_applied(Slot slot, base::Bytes result) {
  const auto found = waiting_.lower_bound(Key(slot, Ballot()));
  if (found == waiting_.end() || found->first.first != slot) return;
  CommandOutcome outcome;
  outcome.kind = CommandOutcome::Kind::kApplied;
  outcome.result = std::move(result);
  finish(found, std::move(outcome));
}

void Proposals::on_skipped(Slot through) {
  while (!waiting_.empty() && waiting_.begin()->first.first <= through) {
    finish(waiting_.begin(), CommandOutcome());
  }
}

void Proposals::on_deposed(const Ballot& ballot, Instant deadline) {
  for (auto& [key, waiting] : waiting_) {
    if (key.second >= ballot || waiting.deadline) continue;
    waiting.deadline = deadline;
    has_deadlines_ = true;
  }
}

void Proposals::on_tick(Instant now) {
  if (!has_deadlines_) return;
  std::vector<Key> late;
  has_deadlines_ = false;
  for (const auto& [key, waiting] : waiting_) {
    if (!waiting.deadline) continue;
    has_deadlines_ = true;
    if (*waiting.deadline <= now) late.push_back(key);
  }
  for (const Key& key : late) {
    const auto found = waiting_.find(key);
    if (found != waiting_.end()) finish(found, CommandOutcome());
  }
}

void Proposals::forget_all() { on_skipped(kOpenEnd); }

}  // namespace synod::consensus
