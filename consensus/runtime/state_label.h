// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "consensus/protocol/learner.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// What a state contains. Stored with the data, in one step, so that it is never wrong.
struct StateLabel {
  Slot applied;
  Ballot fence;
  Chain chain;
};

/// The label behind the next delivery. REQUIRES: delivery.slot == label.applied + 1.
void take_in(StateLabel& label, const Delivery& delivery);

}  // namespace synod::consensus
