// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/dispatcher.h"
#include "base/status.h"
#include "net/peer_transport.h"
#include "net/tcp_peer_options.h"

namespace synod::net {

class Worker;

/// The peer transport of the real process: TCP, with mutual TLS where certificates are configured.
///
/// To each peer one connection for each class, dialed by the one who sends; the other direction has
/// its own. A frame for a peer to whom no connection of its class stands is dropped at once, and so
/// is one that does not fit into the queue. A peer that is not configured becomes known, and is
/// dialed, when it dials us: that is how a new member is reached. A peer's newer connection of a
/// class ends its older one.
///
/// Invariants: PT1 to PT3 of PeerTransport, and
///   TP1  What a peer sent reaches a receiver only after a hello that names this node, no other
///        cluster than ours and, with TLS, the node that the peer's certificate names.
///   TP2  What strangers can make us hold is bounded: connections, their time, and their bytes.
///
/// Threads: one of its own or a borrowed one, on which all handlers run; a handler that blocks
/// holds all peers up. `send`, `views`, `counters`, `set_cluster`, `configure_peer`, `forget_peer`
/// and `reload_certificates` from any thread; the rest by the owner, which is not a handler.
/// Failure: `start` says why it cannot. Afterwards connections come and go; warnings, counters and
/// views tell.
class TcpPeerTransport final : public PeerTransport {
 public:
  /// A worker that is given must run from start() until after stop(), and be joined before the
  /// transport is destroyed. Null: a thread of its own.
  explicit TcpPeerTransport(const TcpPeerOptions& options, Worker* worker = nullptr);
  ~TcpPeerTransport() override;
  TcpPeerTransport(const TcpPeerTransport&) = delete;
  TcpPeerTransport& operator=(const TcpPeerTransport&) = delete;

  /// REQUIRES: not started.
  void on_frame(PeerClass peer_class, Receiver receiver) override;
  void on_connected(PeerClass peer_class, ConnectedHandler handler) override;

  /// Checks the addresses and the certificates, listens, begins to dial. Returns the port.
  [[nodiscard]] base::Result<std::uint16_t> start();
  /// Closes everything, and ends the thread if it is its own: no handler runs after it. Frames that
  /// still wait are lost. A second call is a no-op; a stopped transport does not start again.
  void stop();

  [[nodiscard]] bool send(PeerId to, PeerClass peer_class, base::Bytes frame) override;
  [[nodiscard]] std::vector<PeerView> views() const override;
  [[nodiscard]] PeerCounters counters() const;

  /// This node belongs to a cluster now. Connections with nodes of others end.
  void set_cluster(std::uint64_t cluster);
  /// Adds a peer or moves it. Refused as in check_peer_address.
  base::Status configure_peer(PeerId peer, const PeerAddress& address);
  /// Its connections end, too. When it comes back, a configured address of it counts again.
  void forget_peer(PeerId peer) override;
  /// Reads the certificates again, for connections from now on. kUnsupported without TLS.
  base::Status reload_certificates();

  /// The thread of the handlers.
  [[nodiscard]] base::Dispatcher& dispatcher();

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace synod::net
