// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "consensus/protocol/messages.h"

namespace synod::consensus {

inline constexpr ClusterId kSampleCluster{0x1122334455667788};

struct Sample {
  std::string name;
  Envelope envelope;
};

/// Every message in its shapes: with and without what is optional, with empty and with full lists.
[[nodiscard]] std::vector<Sample> wire_samples();
[[nodiscard]] Envelope wire_envelope(Message message);
[[nodiscard]] Accept wire_accept(std::size_t entries, std::size_t command_bytes);

/// Every field as text, independent of the codec: equal texts are equal envelopes.
[[nodiscard]] std::string dump(const Envelope& envelope);

}  // namespace synod::consensus
