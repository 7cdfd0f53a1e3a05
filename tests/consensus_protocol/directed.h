// SPDX-License-Identifier: Apache-2.0
#pragma once

// Claims that random seeds rarely touch, as functions: true if the claim holds. The unit tests
// expect them to hold, the planted tests expect the plant to break them.
namespace synod::consensus {

/// L4: the fence is the greatest barrier, not the last; what is behind it changes nothing.
[[nodiscard]] bool fence_is_the_greatest_barrier();
/// §6.4: a promise in parts has the commit of its greatest part.
[[nodiscard]] bool parts_of_a_promise_share_the_greatest_commit();
/// R2: a late acknowledgement of one round does not release the next.
[[nodiscard]] bool late_acknowledgement_releases_nothing();
/// R1: a leader without answers releases no read.
[[nodiscard]] bool lone_leader_releases_no_read();
/// R3: a lease runs from the sending of the heartbeat.
[[nodiscard]] bool lease_runs_from_sending();
/// §9: who just started may have guarded a leader and promises nobody for one guard length.
[[nodiscard]] bool restart_arms_the_guard();
/// §8: installing a snapshot keeps what was accepted above it.
[[nodiscard]] bool snapshot_keeps_accepted_suffix();

}  // namespace synod::consensus
