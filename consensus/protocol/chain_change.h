// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "consensus/protocol/types.h"

namespace synod::consensus {

/// A chain keeps so many configurations: it has to fit a superblock, and whoever is further behind
/// than that comes back as a new member.
inline constexpr std::size_t kConfigurationsKept = 64;

/// The chain behind a decided entry at `slot`: docs/PROTOCOL.md section 12. Only stop-signs and
/// learner entries change it; what it has taken in already, or what cannot be read, changes
/// nothing, at any replica.
void take_in(Chain& chain, Slot slot, const Entry& entry);

}  // namespace synod::consensus
