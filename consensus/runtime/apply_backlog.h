// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "consensus/protocol/acceptor.h"
#include "consensus/protocol/learner.h"
#include "consensus/protocol/messages.h"

namespace synod::consensus {

/// How much was handed to the state machine and is not executed, and what a replica does about it
/// when that is too much: it lets its log grow no further.
///
/// A state machine that stands still would otherwise let the log in memory grow for as long as the
/// others decide. Leaving the entries undelivered would not help: the log holds them either way.
/// So what would extend the log is taken out of the messages of peers before the protocol sees
/// them. To the protocol that is a network which loses the ends of messages, and a leader that has
/// streamed less: it is safe, because messages may be lost and an Accept, a Heartbeat or an Entries
/// with less in it is one that its sender might have sent. It is live, because slots that stand in
/// the log already may be accepted again, so a new leader decides what is there; because promises,
/// heartbeats, reads and elections go on; and because nothing but the state machine is waited for.
/// The others decide without this replica as they would without one that is down. When there is
/// room again, the next heartbeat shows the gap and the leader streams it.
///
/// Owned by ReplicaRuntime.
///
/// Invariants
///   W3  while is_full(), no message of a peer makes the log longer: what is accepted and not
///       executed stays below the bound, plus one batch, plus what others may have undecided.
///
/// Threads: confined to the consensus strand.
class ApplyBacklog {
 public:
  explicit ApplyBacklog(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void on_handed_over(const std::vector<Delivery>& deliveries);
  /// The state now contains everything up to `through`.
  void on_executed(Slot through);
  /// From the bound on, until half of it is executed: each time it ends, the leader sends again.
  [[nodiscard]] bool is_full() const { return is_full_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Takes out of the message what must wait (W3). Does nothing unless is_full().
  void limit(Message& message, const Acceptor& acceptor) const;

 private:
  const std::size_t bytes_max_;
  std::deque<std::pair<Slot, std::size_t>> waiting_;
  std::size_t bytes_ = 0;
  bool is_full_ = false;
};

}  // namespace synod::consensus
