// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "consensus/protocol/messages.h"

namespace synod::consensus {

/// The seam through which envelopes leave. What arrives is handed to ReplicaRuntime::receive().
///
/// May lose, repeat and reorder; never waits. Threads: called on the consensus strand.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual void send(Envelope envelope) = 0;
};

}  // namespace synod::consensus
