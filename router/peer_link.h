// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/function.h"
#include "consensus/protocol/messages.h"
#include "consensus/runtime/transport.h"
#include "net/peer_transport.h"

namespace synod::router {

/// Between consensus and the transport: envelopes become frames of a class, and frames of peers
/// become envelopes if they are intact, of this cluster, meant for this replica and sent by whom
/// the connection belongs to.
///
/// Owned by Replicated.
///
/// Invariants
///   PL1  What is handed on was decoded whole and is for this replica (RE2); everything else is
///        counted and said at most once in a second.
///
/// Threads: `send` on the consensus strand; the receiver on the transport's dispatcher; `admit`
/// before the first envelope is sent; the rest from any thread.
class PeerLink final : public consensus::Transport {
 public:
  using Receiver = base::Function<void(consensus::Envelope)>;

  /// A disk without memory that introduced itself.
  struct Candidate {
    consensus::Incarnation incarnation;
    base::Nanos last_seen{0};  ///< Boot time.
  };

  /// Takes the classes kConsensus and kBulk of `transport`, which has not started.
  PeerLink(net::PeerTransport& transport, consensus::ReplicaId self, const base::Clock& clock,
           Receiver receiver);

  /// The replica is of this cluster from now on.
  void admit(consensus::ClusterId cluster) { cluster_.store(cluster.value()); }
  void send(consensus::Envelope envelope) override;

  /// Who is blank and wants to be of a group, as far as anybody said so within `fresh_for`.
  [[nodiscard]] std::map<consensus::ReplicaId, Candidate> candidates(base::Nanos fresh_for) const;
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(); }

 private:
  void take(net::PeerId from, const base::Bytes& frame);
  void refuse(net::PeerId from, const std::string& why);
  void note_candidate(const consensus::Envelope& envelope);

  net::PeerTransport& transport_;
  const consensus::ReplicaId self_;
  const base::Clock& clock_;
  Receiver receiver_;
  std::atomic<std::uint64_t> cluster_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::optional<base::Nanos> complained_at_;  ///< Transport's dispatcher.
  mutable std::mutex mutex_;
  std::map<consensus::ReplicaId, Candidate> candidates_;  ///< Guarded by mutex_.
};

}  // namespace synod::router
