// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/learner.h"

#include <algorithm>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {

std::vector<Delivery> Learner::deliver(const Acceptor& acceptor, Slot limit) {
  std::vector<Delivery> deliveries;
  limit = std::min({limit, acceptor.commit(), acceptor.durable()});
  while (delivered_ < limit) {
    const Slot slot = delivered_.next();
    const SlotLog::Record* record = acceptor.log().find(slot);
    SYNOD_ASSERT(record != nullptr && record->entry, "L3: a decided slot above the state is here");
    const bool passes = pass_fence(*record->entry);
    deliveries.push_back(Delivery{slot, *record->entry, !passes});
    delivered_ = slot;
  }
  return deliveries;
}

bool Learner::pass_fence(const Entry& entry) {
  if (entry.kind == EntryKind::kBarrier) {
    const bool raises = entry.origin >= fence_ || SYNOD_PLANT("fence_is_last");
    if (raises) fence_ = entry.origin;
    return raises;
  }
  if (entry.kind != EntryKind::kCommand || SYNOD_PLANT("fence_off")) return true;
  return entry.origin >= fence_;
}

void Learner::on_applied(Slot slot) {
  SYNOD_ASSERT(slot >= applied_, "L3: execution does not go back");
  SYNOD_ASSERT(slot <= delivered_, "L1: only what was handed over is executed");
  applied_ = slot;
}

void Learner::install_snapshot(Slot slot, const Ballot& fence) {
  SYNOD_ASSERT(slot > applied_, "L3: a snapshot does not take the state back");
  applied_ = slot;
  // What was handed over behind the snapshot is on its way, and its barriers count already.
  if (slot < delivered_) return;
  SYNOD_ASSERT(fence >= fence_ || SYNOD_PLANT("fence_is_last"), "L4: the fence never decreases");
  delivered_ = slot;
  fence_ = fence;
}

}  // namespace synod::consensus
