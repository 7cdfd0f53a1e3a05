// SPDX-License-Identifier: Apache-2.0
#include "net/tcp_peer_transport.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"
#include "net/tcp_peer_transport_impl.h"

namespace synod::net {
namespace {

/// The transport counts its strangers itself; this only keeps the process's descriptors.
ServerLimits accept_limits() {
  ServerLimits limits;
  limits.connections_max = 4096;
  return limits;
}

/// Deadlines are looked at so often; they may be late by as much.
base::Nanos tick_interval_of(const PeerTimes& times) {
  const base::Nanos shortest =
      std::min({times.hello_timeout, times.probe_interval, times.dead_after, times.inbound_idle});
  return std::clamp(base::Nanos(shortest / 10), base::Nanos(base::Millis(1)),
                    base::Nanos(base::Millis(100)));
}

std::vector<PeerAddress> addresses_of(const std::map<PeerId, PeerAddress>& peers) {
  std::vector<PeerAddress> out;
  for (const auto& [id, address] : peers) out.push_back(address);
  return out;
}

}  // namespace

TcpPeerTransport::TcpPeerTransport(const TcpPeerOptions& options, Worker* worker)
    : impl_(std::make_unique<Impl>(options, worker)) {
  SYNOD_ASSERT(options.self != PeerId(), "a node has an id");
  for (std::size_t i = 0; i < kPeerClassCount; ++i) {
    SYNOD_ASSERT(options.limits.frame_bytes_max[i] <= options.limits.queue_bytes_max[i] &&
                     options.limits.frame_bytes_max[i] < kProbeBit,
                 "the longest frame fits into its queue");
  }
}

TcpPeerTransport::~TcpPeerTransport() { stop(); }

void TcpPeerTransport::on_frame(PeerClass peer_class, Receiver receiver) {
  SYNOD_ASSERT(!impl_->is_started, "receivers are set before start");
  impl_->context.receivers[static_cast<std::size_t>(peer_class)] = std::move(receiver);
}

void TcpPeerTransport::on_connected(PeerClass peer_class, ConnectedHandler handler) {
  SYNOD_ASSERT(!impl_->is_started, "handlers are set before start");
  impl_->context.connected[static_cast<std::size_t>(peer_class)] = std::move(handler);
}

base::Result<std::uint16_t> TcpPeerTransport::start() {
  SYNOD_ASSERT(!impl_->is_started, "a transport starts once");
  PeerContext& context = impl_->context;
  const TcpPeerOptions& options = context.options;
  SYNOD_RETURN_IF_ERROR(check_peer_address(options.bind_host, addresses_of(options.peers),
                                           options.tls.has_value(), options.allow_insecure));
  if (!options.advertised.empty()) {
    SYNOD_RETURN_IF_ERROR(parse_peer_address(options.advertised).status());
  }
  if (options.tls) {
    SYNOD_ASSIGN_OR_RETURN(context.tls, TlsContext::load(*options.tls, options.self));
  }
  SYNOD_ASSIGN_OR_RETURN(const std::uint16_t port, impl_->listen());
  if (options.advertised.empty() && !is_wildcard_host(options.bind_host)) {
    context.advertised = format_peer_address({options.bind_host, port});
  }
  for (const auto& [id, address] : options.peers) {
    SYNOD_RETURN_IF_ERROR(configure_peer(id, address));
  }
  impl_->is_started = true;
  impl_->worker.dispatcher().post([impl = impl_.get()] { impl->begin(); });
  if (impl_->own_worker != nullptr) impl_->worker.start();
  return port;
}

void TcpPeerTransport::stop() {
  if (!impl_->is_started || impl_->is_stopping) return;
  impl_->is_stopping = true;
  SYNOD_ASSERT(!dispatcher().is_current(), "a handler does not stop its transport");
  impl_->on_worker([this] { impl_->end(); });
  // What ended left its last calls in the queue; they find nobody to call, and go.
  impl_->on_worker([] {});
  if (impl_->own_worker == nullptr) return;
  impl_->worker.stop();
  impl_->worker.join();
}

bool TcpPeerTransport::send(PeerId to, PeerClass peer_class, base::Bytes frame) {
  std::shared_ptr<PeerDialer> dialer;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto peer = impl_->peers.find(to);
    if (peer == impl_->peers.end()) return false;
    dialer = peer->second.dialers[static_cast<std::size_t>(peer_class)];
  }
  return dialer->send(std::move(frame));
}

std::vector<PeerView> TcpPeerTransport::views() const {
  std::vector<PeerView> out;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& [id, peer] : impl_->peers) {
    const PeerState& state = *peer.state;
    PeerView view;
    view.id = id;
    view.endpoint = peer.endpoint;
    view.is_connected = state.is_connected;
    view.last_heard = base::Nanos(state.last_heard.load());
    view.round_trip = base::Nanos(state.round_trip.load());
    view.frames_in = state.frames_in;
    view.frames_out = state.frames_out;
    view.frames_dropped = state.frames_too_long;
    view.reconnects = state.reconnects;
    for (const PeerQueue& queue : state.queues) {
      view.queued_bytes += queue.bytes();
      view.frames_dropped += queue.dropped();
    }
    out.push_back(std::move(view));
  }
  return out;
}

PeerCounters TcpPeerTransport::counters() const { return impl_->context.tally.snapshot(); }

void TcpPeerTransport::set_cluster(std::uint64_t cluster) {
  impl_->context.cluster = cluster;
  dispatcher().post([impl = impl_.get()] { impl->recheck_cluster(); });
}

base::Status TcpPeerTransport::configure_peer(PeerId peer, const PeerAddress& address) {
  const TcpPeerOptions& options = impl_->context.options;
  if (peer == options.self) return {};
  SYNOD_RETURN_IF_ERROR(check_peer_address(options.bind_host, {address}, options.tls.has_value(),
                                           options.allow_insecure));
  const std::lock_guard lock(impl_->mutex);
  impl_->configure(impl_->peer_of(peer), address);
  return {};
}

void TcpPeerTransport::forget_peer(PeerId peer) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->peers.find(peer);
  if (found == impl_->peers.end()) return;
  impl_->post_to_dialers(found->second, [](PeerDialer& dialer) { dialer.stop(); });
  impl_->peers.erase(found);
  dispatcher().post([impl = impl_.get(), peer] { impl->end_inbounds_of(peer); });
}

base::Status TcpPeerTransport::reload_certificates() {
  if (impl_->context.tls == nullptr) {
    return {base::StatusCode::kUnsupported, "the connections between nodes have no TLS"};
  }
  return impl_->context.tls->reload();
}

base::Dispatcher& TcpPeerTransport::dispatcher() { return impl_->worker.dispatcher(); }

// ---- Impl: the life of the transport

TcpPeerTransport::Impl::Impl(const TcpPeerOptions& options, Worker* borrowed)
    : own_worker(borrowed == nullptr ? std::make_unique<Worker>("peers") : nullptr),
      worker(borrowed == nullptr ? *own_worker : *borrowed),
      context(options, worker.dispatcher()),
      accepting(std::make_shared<ServerState>(accept_limits())),
      tick_interval(tick_interval_of(options.times)) {}

base::Result<std::uint16_t> TcpPeerTransport::Impl::listen() {
  const TcpPeerOptions& options = context.options;
  SYNOD_ASSIGN_OR_RETURN(UniqueFd socket, listen_tcp_socket(options.bind_host, options.bind_port));
  const std::uint16_t port = local_port(socket.get());
  listener = std::make_shared<Listener>(worker.dispatcher(), accepting,
                                        [this](UniqueFd fd) { accept(std::move(fd)); });
  SYNOD_RETURN_IF_ERROR(listener->open(std::move(socket)));
  return port;
}

void TcpPeerTransport::Impl::on_worker(const std::function<void()>& task) {
  std::promise<void> done;
  worker.dispatcher().post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void TcpPeerTransport::Impl::begin() {
  listener->start();
  tick();
}

void TcpPeerTransport::Impl::end() {
  listener->close();
  worker.dispatcher().cancel(tick_timer);
  for_each_dialer([](PeerDialer& dialer) { dialer.stop(); });
  while (!inbounds.empty()) {
    const auto inbound = inbounds.begin()->second;
    inbound->close();
    gone(*inbound);
  }
}

void TcpPeerTransport::Impl::tick() {
  const base::Nanos now = context.now();
  for_each_dialer([now](PeerDialer& dialer) { dialer.tick(now); });
  // Copied: whoever is late leaves the map.
  for (const auto& [key, inbound] : std::map(inbounds)) inbound->tick(now);
  tick_timer = worker.dispatcher().run_after(tick_interval, [this] { tick(); });
}

void TcpPeerTransport::Impl::recheck_cluster() {
  for_each_dialer([](PeerDialer& dialer) { dialer.recheck_cluster(); });
  for (const auto& [key, inbound] : std::map(inbounds)) inbound->recheck_cluster();
}

TcpPeerTransport::Impl::Peer& TcpPeerTransport::Impl::peer_of(PeerId id) {
  Peer& peer = peers[id];
  if (peer.state != nullptr) return peer;
  peer.state = std::make_shared<PeerState>(id, context.options.limits);
  for (std::size_t i = 0; i < kPeerClassCount; ++i) {
    peer.dialers[i] = std::make_shared<PeerDialer>(context, peer.state, static_cast<PeerClass>(i));
  }
  return peer;
}

void TcpPeerTransport::Impl::configure(Peer& peer, const PeerAddress& address) {
  peer.is_configured = true;
  peer.endpoint = format_peer_address(address);
  post_to_dialers(peer, [address](PeerDialer& dialer) { dialer.set_configured(address); });
}

void TcpPeerTransport::Impl::post_to_dialers(const Peer& peer, const DialerTask& task) {
  worker.dispatcher().post([dialers = peer.dialers, task] {
    for (const auto& dialer : dialers) task(*dialer);
  });
}

void TcpPeerTransport::Impl::for_each_dialer(const DialerTask& task) {
  std::vector<std::shared_ptr<PeerDialer>> all;  // a task may ask the transport for something
  {
    const std::lock_guard lock(mutex);
    for (const auto& [id, peer] : peers) {
      all.insert(all.end(), peer.dialers.begin(), peer.dialers.end());
    }
  }
  for (const auto& dialer : all) task(*dialer);
}

}  // namespace synod::net
