// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/state_label.h"

#include <algorithm>

#include "base/assert.h"
#include "consensus/protocol/chain_change.h"

namespace synod::consensus {

void take_in(StateLabel& label, const Delivery& delivery) {
  SYNOD_ASSERT(delivery.slot == label.applied.next(), "L3: every slot once, in order");
  label.applied = delivery.slot;
  const Entry& entry = delivery.entry;
  if (entry.kind == EntryKind::kBarrier) label.fence = std::max(label.fence, entry.origin);
  take_in(label.chain, delivery.slot, entry);
}

}  // namespace synod::consensus
