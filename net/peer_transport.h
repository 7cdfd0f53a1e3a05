// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/strong_id.h"

namespace synod::net {

/// A node of the group on the wire; the number its operator gave it. 0: nobody.
using PeerId = base::StrongId<struct PeerIdTag, std::uint32_t>;

/// Each class has connections of its own, so that a large frame of one never delays another.
enum class PeerClass : std::uint8_t {
  kConsensus,  ///< Ballots, entries, acknowledgements, heartbeats.
  kForward,    ///< Operations of clients on their way to the leader, and what it says of them.
  kBulk,       ///< Catch-up and snapshots.
};
inline constexpr std::size_t kPeerClassCount = 3;

/// What is known of the way to one peer, for diagnostics.
struct PeerView {
  PeerId id;
  std::string endpoint;       ///< host:port; empty if nobody has told it yet.
  bool is_connected = false;  ///< The consensus class, outgoing.
  base::Nanos last_heard{0};  ///< Boot time of the last frame of any class; 0: never.
  base::Nanos round_trip{0};  ///< Of the last probe; 0: unknown.
  std::uint64_t queued_bytes = 0;
  std::uint64_t frames_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t frames_dropped = 0;  ///< A queue was full, or nobody was connected.
  std::uint64_t reconnects = 0;
};

/// The seam to the other nodes: opaque frames, in order within one class and one connection.
///
/// Invariants
///   PT1  A frame arrives whole and as it was sent, at most once, or not at all.
///   PT2  Frames of one class between two nodes arrive in the order they were sent, with gaps only
///        where a connection broke.
///   PT3  What waits for one peer is bounded for each class; beyond it frames are dropped.
///
/// Threads: `send` and `views` from any thread, never waiting. Receivers are set before start and
/// run on the transport's own dispatcher. Failure: a frame that cannot be sent is dropped; those
/// who send repeat what matters.
class PeerTransport {
 public:
  using Receiver = std::function<void(PeerId from, base::Bytes frame)>;
  /// A connection of the class to this peer is new: what was sent before may be lost.
  using ConnectedHandler = std::function<void(PeerId peer)>;

  virtual ~PeerTransport() = default;
  virtual void on_frame(PeerClass peer_class, Receiver receiver) = 0;
  virtual void on_connected(PeerClass peer_class, ConnectedHandler handler) = 0;
  /// False: it was dropped at once.
  virtual bool send(PeerId to, PeerClass peer_class, base::Bytes frame) = 0;
  [[nodiscard]] virtual std::vector<PeerView> views() const = 0;
  /// Dials this peer no more and has no view of it, until it dials us. Any thread.
  virtual void forget_peer(PeerId peer) = 0;
};

}  // namespace synod::net
