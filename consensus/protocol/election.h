// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>

#include "base/random.h"
#include "consensus/protocol/messages.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// How long to wait for whom.
struct Timing {
  Instant election_min = base::Millis(1000);  ///< E_min of docs/PROTOCOL.md.
  Instant heartbeat = base::Millis(100);
  std::uint32_t priority_rank = 0;  ///< 0 stands first.
};

/// When to stand, and whether a majority agrees that it is time (PreVote).
///
/// Owned by Replica. Pure; randomness is the seeded generator handed in.
///
/// Invariants
///   E1  a grant changes nothing, and a replica that hears a leader gives none;
///   P1  every round this replica stands in is above all rounds it has seen.
class Election {
 public:
  Election(Timing timing, base::Random random, Instant now);

  /// A leader spoke.
  void on_leader_heard(Instant now);
  [[nodiscard]] bool hears_leader(Instant now) const;
  /// Somebody else stands, or an own attempt failed: a full timeout, drawn anew.
  void restart_timer(Instant now);
  [[nodiscard]] bool is_due(Instant now) const { return now >= deadline_; }

  /// Every ballot seen anywhere, so that the next round is above it.
  void observe(const Ballot& ballot);
  [[nodiscard]] Ballot next_ballot(ConfigId config, ReplicaId self) const;

  /// Begins to ask; forgets answers to earlier questions.
  PreVote ask(const Ballot& ballot, Slot commit, Slot last, const Ballot& last_ballot);
  [[nodiscard]] bool is_asking() const { return question_.has_value(); }
  void stop_asking() { question_.reset(); }
  enum class Poll : std::uint8_t {
    kOpen,   ///< Not yet a majority.
    kYield,  ///< A majority, but somebody has more: wait for that one, once.
    kWon,
  };
  /// Counts an answer; the candidate's own counts from the start.
  Poll on_reply(ReplicaId from, const PreVoteReply& reply, const Configuration& configuration);
  /// For a group of one.
  [[nodiscard]] Poll poll(const Configuration& configuration);

 private:
  Timing timing_;
  base::Random random_;
  Instant deadline_{};
  std::optional<Instant> leader_heard_;
  Round round_seen_;
  RequestId next_probe_;
  std::optional<PreVote> question_;
  std::set<ReplicaId> granted_;
  bool somebody_has_more_ = false;
  bool has_yielded_ = false;
};

}  // namespace synod::consensus
