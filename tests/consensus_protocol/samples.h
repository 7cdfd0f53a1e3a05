// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "consensus/protocol/replica.h"

// Small values for hand-fed tests: a group of three, replica 1 is the one under test.
namespace synod::consensus {

[[nodiscard]] Ballot ballot(std::uint64_t round, std::uint32_t owner);
[[nodiscard]] Entry command(const Ballot& origin, const std::string& text);
[[nodiscard]] Entry barrier(const Ballot& origin);
[[nodiscard]] Configuration three();
/// A disk that has seen nothing but the configuration.
[[nodiscard]] RecoveredState blank();
void add(RecoveredState& state, std::uint64_t slot, const Ballot& accepted, const Entry& entry);
void add_unknown(RecoveredState& state, std::uint64_t slot, const Ballot& bound);

[[nodiscard]] Replica fresh_replica(const RecoveredState& state = blank(),
                                    bool reads_by_lease = false);
[[nodiscard]] Envelope from(std::uint32_t sender, Message message);
/// Finishes the frame of an output, if it has one.
void sync(Replica& replica, const Output& output);
/// Replica 1 leads in ballot 1 with its barrier decided at slot 1 by itself and replica 2.
[[nodiscard]] Replica established_leader(bool reads_by_lease = false);
/// Replica 2 has everything and has seen this read sequence.
void answer_heartbeat(Replica& leader, ReadSequence sequence);

/// The messages of one kind in a list of envelopes.
template <class Kind>
[[nodiscard]] std::vector<Kind> only(const std::vector<Envelope>& envelopes) {
  std::vector<Kind> found;
  for (const Envelope& envelope : envelopes) {
    if (const Kind* message = std::get_if<Kind>(&envelope.message)) found.push_back(*message);
  }
  return found;
}
template <class Kind>
[[nodiscard]] std::vector<Kind> only(const std::vector<Output::Deferred>& deferred) {
  std::vector<Kind> found;
  for (const Output::Deferred& each : deferred) {
    if (const Kind* message = std::get_if<Kind>(&each.envelope.message)) found.push_back(*message);
  }
  return found;
}

}  // namespace synod::consensus
