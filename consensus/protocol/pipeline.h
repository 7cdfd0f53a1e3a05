// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "consensus/protocol/messages.h"
#include "consensus/protocol/slot_log.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// What limits memory and messages.
struct Limits {
  std::size_t window_bytes = 8 << 20;       ///< In flight to one follower.
  std::size_t window_messages = 16;         ///< In flight to one follower.
  std::size_t message_bytes = 1 << 20;      ///< Of one Accept, Entries or part of a Promise.
  std::size_t unexecuted_bytes = 64 << 20;  ///< Proposed by a leader and not executed by it.
  std::size_t command_bytes = 32 << 20;     ///< Of one command.
  std::size_t reads = 100'000;              ///< Waiting for an index.
};

/// Phase 2 of one leader in one ballot: what each follower has, what it gets next, what is decided.
///
/// Owned by Replica while it leads. Pure; the caller gives the log and the time.
///
/// Invariants
///   P5  majority_through() is the majority-th greatest acknowledged prefix of voters; only
///       acknowledgements of this ballot count, and each follower's is a maximum;
///   W1  bytes and messages in flight to a follower stay within the window.
class Pipeline {
 public:
  Pipeline(Ballot ballot, Configuration configuration, Limits limits, Instant now);

  /// A follower's commit is known from its promise: stream from behind it.
  void begin_behind(ReplicaId follower, Slot commit);

  /// Takes an acknowledgement; false if it is of another ballot, of nobody in the configuration,
  /// or claims more than was proposed.
  bool on_accepted(ReplicaId from, const Accepted& accepted, Slot last, Instant now,
                   Instant resend_after);

  /// Counting the leader's own durable prefix for itself.
  [[nodiscard]] Slot majority_through(Slot own_durable) const;
  [[nodiscard]] ReadSequence majority_read(ReadSequence own) const;
  /// True if a majority, the leader included, was heard since `since`.
  [[nodiscard]] bool has_quorum(Instant since) const;
  /// Streams to these learners and to no others.
  void set_learners(const std::vector<Member>& learners);
  /// A voter that has acknowledged everything up to `last`; none if there is none.
  [[nodiscard]] std::optional<ReplicaId> caught_up(Slot last) const;
  [[nodiscard]] bool is_caught_up(ReplicaId replica, Slot last) const;

  /// What this follower has acknowledged in this ballot; none if there is no such follower.
  [[nodiscard]] std::optional<Slot> match(ReplicaId replica) const;

  struct Send {
    ReplicaId to;
    Message message;
  };
  struct Sends {
    std::vector<Send> messages;
    std::vector<ReplicaId> too_far_behind;  ///< Need slots the log lacks; once in a heartbeat.
  };
  /// Accepts for everybody whose window is open.
  Sends fill(const SlotLog& log, Slot last, Slot commit, ReadSequence read);
  /// Commit messages for those who have been sent an older one.
  std::vector<Send> announce(Slot commit);
  std::vector<Send> heartbeats(Slot commit, Slot last, ReadSequence read, LeaseSequence lease);

 private:
  struct InFlight {
    Slot through;
    std::size_t bytes;
  };
  struct Follower {
    std::optional<Slot> next;  ///< None: unknown until its first answer.
    Slot match;                ///< Acknowledged in this ballot.
    Slot commit_sent;
    ReadSequence read;
    Instant heard{};
    std::deque<InFlight> in_flight;
    std::size_t bytes_in_flight = 0;
    Slot rewound_to;
    Instant rewound_at{};
    bool is_offered = false;  ///< A snapshot, since the last heartbeat.
    bool is_voter = true;
  };
  void acknowledge(Follower& follower, Slot through);
  void rewind(Follower& follower, Slot gap, Instant now, Instant resend_after);
  [[nodiscard]] Accept next_accept(Follower& follower, const SlotLog& log, Slot last) const;

  Ballot ballot_;
  Configuration configuration_;
  Limits limits_;
  std::map<ReplicaId, Follower> followers_;
};

}  // namespace synod::consensus
