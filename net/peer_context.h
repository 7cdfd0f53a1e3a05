// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/random.h"
#include "net/event_loop.h"
#include "net/name_resolver.h"
#include "net/peer_log.h"
#include "net/peer_queue.h"
#include "net/peer_wire.h"
#include "net/tcp_peer_options.h"
#include "net/tls_context.h"

namespace synod::net {

/// PeerCounters as they are counted: by the dispatcher, read from anywhere.
struct PeerTally {
  using Counter = std::atomic<std::uint64_t>;
  Counter inbound{0}, outbound{0}, refused_strangers{0}, hello_timeouts{0}, bad_hellos{0};
  Counter wrong_receiver{0}, wrong_cluster{0}, wrong_identity{0}, tls_failures{0}, bad_frames{0};
  Counter dead_peers{0}, learned{0}, learned_refused{0}, bytes_in{0}, bytes_out{0};

  /// A hello, ours or the peer's, was answered with this refusal.
  void count_refusal(HelloVerdict verdict);
  [[nodiscard]] PeerCounters snapshot() const;
};

/// What everything that serves one TcpPeerTransport shares; outlives all of it.
///
/// Threads: `tally` and `cluster` from any; the rest is confined to the dispatcher, or does not
/// change after start.
struct PeerContext {
  PeerContext(const TcpPeerOptions& transport_options, EventLoop& transport_dispatcher);

  [[nodiscard]] base::Nanos now() const { return dispatcher.clock().boot_time(); }
  [[nodiscard]] Hello hello_to(PeerId receiver, PeerClass peer_class, HelloVerdict verdict) const;
  /// Two nodes may talk unless both know their cluster and it is not the same.
  [[nodiscard]] bool may_talk(std::uint64_t peer_cluster) const;

  const TcpPeerOptions options;
  EventLoop& dispatcher;
  std::string advertised;
  std::unique_ptr<TlsContext> tls;  ///< Null: plain connections.
  std::atomic<std::uint64_t> cluster;
  PeerTally tally;
  std::array<PeerTransport::Receiver, kPeerClassCount> receivers;
  std::array<PeerTransport::ConnectedHandler, kPeerClassCount> connected;
  base::Random random;
  PeerLog log;
  NameResolver resolver;
  std::array<char, 64 * 1024> scratch;  ///< All connections read into it.
};

/// What is known of one peer. Counted by the dispatcher, read from anywhere.
struct PeerState {
  PeerState(PeerId peer, const PeerLimits& limits)
      : id(peer),
        queues{PeerQueue(limits.queue_bytes_max[0]), PeerQueue(limits.queue_bytes_max[1]),
               PeerQueue(limits.queue_bytes_max[2])} {}

  const PeerId id;
  std::array<PeerQueue, kPeerClassCount> queues;
  std::atomic<bool> is_connected{false};
  std::atomic<std::int64_t> last_heard{0};
  std::atomic<std::int64_t> round_trip{0};
  std::atomic<std::uint64_t> frames_in{0};
  std::atomic<std::uint64_t> frames_out{0};
  std::atomic<std::uint64_t> frames_too_long{0};  ///< Refused by send.
  std::atomic<std::uint64_t> reconnects{0};
};

[[nodiscard]] const char* peer_class_name(PeerClass peer_class);
[[nodiscard]] const char* verdict_text(HelloVerdict verdict);

}  // namespace synod::net
