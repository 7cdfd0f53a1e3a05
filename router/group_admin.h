// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/dispatcher.h"
#include "base/function.h"
#include "base/status.h"
#include "consensus/runtime/replica_runtime.h"
#include "router/peer_link.h"
#include "router/store.h"

namespace synod::router {

struct GroupAdminOptions {
  base::Nanos poll_interval = std::chrono::milliseconds(50);
  base::Nanos repeat_after = std::chrono::milliseconds(500);  ///< A proposal without effect.
  base::Nanos candidate_fresh_for = std::chrono::seconds(10);
  base::Nanos patience = std::chrono::seconds(120);  ///< Without any progress.
  base::Nanos transfer_patience = std::chrono::seconds(10);
  std::uint64_t lag_slots_max = 256;  ///< A learner so close may become a voter.
};

/// Changes of the group, asked for by its operator at the replica that leads: who is a member, and
/// who leads. Each change is a few steps of the protocol; a step is repeated until it is in force.
///
/// One change at a time. Whatever ends a change early, the answer says what the group is then, and
/// asking again goes on from there.
///
/// Owned by Replicated, once the replica is formed.
///
/// Invariants
///   GA1  A node becomes a voter only after it has acknowledged the log up to a few slots.
///   GA2  An id stands at most once in a configuration: a new disk under an old number comes in
///        after the old one has gone.
///
/// Threads: confined to the consensus strand.
class GroupAdmin {
 public:
  using Done = base::Function<void(base::Status)>;

  GroupAdmin(base::Dispatcher& consensus, consensus::ReplicaRuntime& runtime, const PeerLink& link,
             consensus::ReplicaId self, const GroupAdminOptions& options);

  void change_member(MemberChange kind, consensus::ReplicaId node, consensus::ReplicaId by,
                     Done done);
  /// `to` 0: to the voter that has acknowledged most.
  void transfer(consensus::ReplicaId to, Done done);

 private:
  struct Change {
    MemberChange kind = MemberChange::kAdd;
    consensus::ReplicaId node;
    consensus::ReplicaId by;
    Done done;
    bool is_checked = false;
    std::optional<consensus::Member> out;    ///< Who goes.
    std::optional<consensus::ReplicaId> in;  ///< Who comes.
    consensus::Slot as_of;                   ///< Of the chain when it was looked at last.
    consensus::Slot match;                   ///< Of who comes.
    base::Nanos progress_at{0};
    base::Nanos quiet_until{0};
    std::string waits_for;
  };
  struct Transfer {
    consensus::ReplicaId to;
    consensus::ReplicaId asked;
    Done done;
    bool is_begun = false;
    base::Nanos give_up{0};
  };

  void poll_change();
  void look(const consensus::Replica& replica);
  [[nodiscard]] base::Status check(const consensus::Replica& replica);
  [[nodiscard]] bool is_done(const consensus::Configuration& now) const;
  void note_progress(const consensus::Replica& replica, base::Nanos now);
  void act(const consensus::Replica& replica);
  void take_out(const consensus::Configuration& now);
  void bring_in(const consensus::Replica& replica);
  void promote(const consensus::Replica& replica, const consensus::Member& learner);
  void change_learner(const consensus::Member& member, bool is_added);
  void reconfigure(const consensus::Configuration& now, std::vector<consensus::Member> voters);
  void finish(base::Status status);

  void poll_transfer();
  void look_at_transfer(const consensus::Replica& replica);
  void begin_transfer(const consensus::Replica& replica);
  void finish_transfer(base::Status status);

  base::Dispatcher& strand_;
  consensus::ReplicaRuntime& runtime_;
  const PeerLink& link_;
  const consensus::ReplicaId self_;
  const GroupAdminOptions options_;
  std::optional<Change> change_;
  std::optional<Transfer> transfer_;
};

/// kUnavailable, naming who leads if that is known.
[[nodiscard]] base::Status not_leading(const consensus::Replica& replica);

}  // namespace synod::router
