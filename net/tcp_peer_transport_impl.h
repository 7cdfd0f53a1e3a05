// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "net/listener.h"
#include "net/peer_dialer.h"
#include "net/peer_inbound.h"
#include "net/tcp_peer_transport.h"
#include "net/worker.h"

namespace synod::net {

/// What TcpPeerTransport hides.
///
/// Threads: members below `mutex` are guarded by it; the rest is confined to the dispatcher once
/// the worker runs.
struct TcpPeerTransport::Impl final : PeerInbound::Owner {
  struct Peer {
    std::shared_ptr<PeerState> state;
    std::array<std::shared_ptr<PeerDialer>, kPeerClassCount> dialers;
    bool is_configured = false;
    std::string endpoint;
  };
  using DialerTask = std::function<void(PeerDialer&)>;

  Impl(const TcpPeerOptions& options, Worker* borrowed);

  base::Result<std::uint16_t> listen();
  /// Runs `task` on the worker, which runs, and waits for it.
  void on_worker(const std::function<void()>& task);
  void begin();
  void end();
  void accept(UniqueFd fd);
  void tick();
  void recheck_cluster();
  [[nodiscard]] std::size_t strangers() const;
  void end_oldest_stranger();

  // PeerInbound::Owner
  Admission admit(PeerInbound& inbound, const Hello& hello) override;
  void gone(PeerInbound& inbound) override;

  [[nodiscard]] HelloVerdict judge(const PeerInbound& inbound, const Hello& hello);
  /// Null if there is no room for one more that is not configured.
  std::shared_ptr<PeerState> meet(const Hello& hello);
  void learn(Peer& peer, const std::string& endpoint);
  void end_inbounds_of(PeerId peer);
  void end_older(const PeerInbound& inbound, const Hello& hello);
  /// REQUIRES: mutex held.
  Peer& peer_of(PeerId id);
  /// REQUIRES: mutex held.
  void configure(Peer& peer, const PeerAddress& address);
  void post_to_dialers(const Peer& peer, const DialerTask& task);
  void for_each_dialer(const DialerTask& task);

  /// Declared first, destroyed last: everything below refers to its dispatcher. Null: borrowed.
  std::unique_ptr<Worker> own_worker;
  Worker& worker;
  PeerContext context;
  const std::shared_ptr<ServerState> accepting;
  std::shared_ptr<Listener> listener;
  std::map<const PeerInbound*, std::shared_ptr<PeerInbound>> inbounds;
  base::Nanos tick_interval;
  base::TimerId tick_timer{0};
  bool is_started = false;  ///< By the owner.
  bool is_stopping = false;

  mutable std::mutex mutex;
  std::map<PeerId, Peer> peers;
};

}  // namespace synod::net
