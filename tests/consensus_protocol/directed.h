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

/// C1, §6.7: what was accepted behind a stop-sign is dropped with its adoption.
[[nodiscard]] bool nothing_is_adopted_behind_a_stop_sign();
/// A8: behind the last slot anything may have been chosen, unless a majority is certain.
[[nodiscard]] bool an_unknown_tail_blocks_the_open_end();
/// §9: whom a restart guards nobody knows, and no late message says it.
[[nodiscard]] bool a_late_heartbeat_does_not_end_the_guard_of_a_restart();
/// §13: the token of a transfer passes the guard of the ballot it names.
[[nodiscard]] bool a_token_passes_the_guard_of_its_ballot_only();
/// R4: after a transfer or a stop-sign there is no lease in this ballot.
[[nodiscard]] bool a_revoked_lease_does_not_come_back();
/// P1, §12.6: the first ballot of a configuration is durable before anything is said in it.
[[nodiscard]] bool a_first_leader_waits_for_its_ballot();
/// C1, §12.4: accepted slots behind the end of their configuration are void.
[[nodiscard]] bool slots_behind_the_end_are_void();

}  // namespace synod::consensus
