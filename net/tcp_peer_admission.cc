// SPDX-License-Identifier: Apache-2.0
//
// Who may come in: the inbound side of TcpPeerTransport.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "net/tcp_peer_transport_impl.h"

namespace synod::net {

void TcpPeerTransport::Impl::accept(UniqueFd fd) {
  if (strangers() >= context.options.limits.strangers_max) end_oldest_stranger();
  auto inbound = std::make_shared<PeerInbound>(context, *this);
  const base::Status opened = inbound->open(std::move(fd));
  if (!opened.ok()) {
    context.log.warn(base::concat("cannot serve a connection: ", opened.message()));
    inbound->close();
    accepting->count_closed();
    return;
  }
  ++context.tally.inbound;
  inbounds.emplace(inbound.get(), inbound);
}

std::size_t TcpPeerTransport::Impl::strangers() const {
  return static_cast<std::size_t>(std::count_if(
      inbounds.begin(), inbounds.end(), [](auto& entry) { return !entry.second->is_admitted(); }));
}

/// Who says nothing must not keep those out who do: a peer says hello as soon as it may, so that
/// the longest silence is the least likely to be one's.
void TcpPeerTransport::Impl::end_oldest_stranger() {
  std::shared_ptr<PeerInbound> oldest;
  for (const auto& [key, inbound] : inbounds) {
    if (inbound->is_admitted()) continue;
    if (oldest == nullptr || inbound->began() < oldest->began()) oldest = inbound;
  }
  if (oldest == nullptr) return;
  ++context.tally.refused_strangers;
  oldest->close();
  gone(*oldest);
}

void TcpPeerTransport::Impl::gone(PeerInbound& inbound) {
  const auto found = inbounds.find(&inbound);
  if (found == inbounds.end()) return;
  // Perhaps the last reference, and we are called by it: it goes when the stack is gone.
  worker.dispatcher().post([last = std::move(found->second)] {});
  inbounds.erase(found);
  --context.tally.inbound;
  accepting->count_closed();
}

PeerInbound::Owner::Admission TcpPeerTransport::Impl::admit(PeerInbound& inbound,
                                                            const Hello& hello) {
  const HelloVerdict verdict = judge(inbound, hello);
  if (verdict != HelloVerdict::kAccepted) return {verdict, nullptr};
  auto state = meet(hello);
  if (state == nullptr) return {HelloVerdict::kNoRoom, nullptr};
  end_older(inbound, hello);
  return {HelloVerdict::kAccepted, std::move(state)};
}

HelloVerdict TcpPeerTransport::Impl::judge(const PeerInbound& inbound, const Hello& hello) {
  const PeerId self = context.options.self;
  if (hello.receiver != self || hello.sender == self) return HelloVerdict::kWrongReceiver;
  const base::Status identity = inbound.check_identity(hello.sender);
  if (!identity.ok()) {
    context.log.warn(base::concat("the hello from ", inbound.address(), " says node ",
                                  hello.sender.value(), ", but ", identity.message()));
    return HelloVerdict::kWrongIdentity;
  }
  return context.may_talk(hello.cluster) ? HelloVerdict::kAccepted : HelloVerdict::kWrongCluster;
}

std::shared_ptr<PeerState> TcpPeerTransport::Impl::meet(const Hello& hello) {
  const std::lock_guard lock(mutex);
  const auto configured = context.options.peers.find(hello.sender);
  const bool is_new = !peers.contains(hello.sender);
  if (is_new && configured == context.options.peers.end()) {
    const auto learned = std::count_if(
        peers.begin(), peers.end(), [](const auto& entry) { return !entry.second.is_configured; });
    if (static_cast<std::size_t>(learned) >= context.options.limits.learned_max) return nullptr;
  }
  Peer& peer = peer_of(hello.sender);
  if (is_new && configured != context.options.peers.end()) configure(peer, configured->second);
  learn(peer, hello.endpoint);
  // It lives: no need to wait until the next attempt is due.
  post_to_dialers(peer, [](PeerDialer& dialer) { dialer.nudge(); });
  return peer.state;
}

void TcpPeerTransport::Impl::learn(Peer& peer, const std::string& endpoint) {
  if (endpoint.empty() || endpoint == peer.endpoint) return;
  const TcpPeerOptions& options = context.options;
  const auto address = parse_peer_address(endpoint);
  const base::Status allowed =
      address.ok() ? check_peer_address(options.bind_host, {*address}, options.tls.has_value(),
                                        options.allow_insecure)
                   : address.status();
  if (!allowed.ok()) {
    ++context.tally.learned_refused;
    context.log.warn(base::concat("node ", peer.state->id.value(),
                                  " cannot be dialed where it says it is: ", allowed.message()));
    return;
  }
  ++context.tally.learned;
  if (!peer.is_configured) peer.endpoint = endpoint;
  post_to_dialers(peer, [where = *address](PeerDialer& dialer) { dialer.set_learned(where); });
}

/// What is left of a peer that was forgotten: if it lives it dials again, and is learned anew.
void TcpPeerTransport::Impl::end_inbounds_of(PeerId peer) {
  for (const auto& [key, other] : std::map(inbounds)) {
    if (!other->is_admitted() || other->peer_id() != peer) continue;
    other->close();
    gone(*other);
  }
}

void TcpPeerTransport::Impl::end_older(const PeerInbound& inbound, const Hello& hello) {
  // PT2: nothing of the older connection may come after the first frame of the newer one.
  for (const auto& [key, other] : std::map(inbounds)) {
    if (key == &inbound || !other->is_admitted() || other->peer_id() != hello.sender ||
        other->peer_class() != hello.peer_class) {
      continue;
    }
    other->close();
    gone(*other);
  }
}

}  // namespace synod::net
