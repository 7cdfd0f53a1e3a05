// SPDX-License-Identifier: Apache-2.0
#include "net/sim_peer_transport.h"

#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "base/random.h"
#include "base/text.h"

namespace synod::net {
namespace {

constexpr std::array kClasses{PeerClass::kConsensus, PeerClass::kForward, PeerClass::kBulk};

struct Endpoint {
  Endpoint(PeerId process, base::SimDispatcher& thread) : id(process), dispatcher(thread) {}

  const PeerId id;
  base::SimDispatcher& dispatcher;
  std::array<PeerTransport::Receiver, kPeerClassCount> receivers;
  std::array<PeerTransport::ConnectedHandler, kPeerClassCount> connected;
  std::map<PeerId, PeerView> views;

  PeerView& view(PeerId peer) {
    PeerView& view = views[peer];
    view.id = peer;
    view.endpoint = base::concat("sim:", peer.value());
    return view;
  }
};

struct Flight {
  base::Nanos due;
  base::Bytes frame;
};

/// The connection of one class from one process to another.
struct Link {
  std::uint64_t generation = 0;  ///< Counts ends; a timer of an earlier connection does nothing.
  bool is_connected = false;
  bool was_connected = false;
  std::deque<Flight> flights;  ///< Due times never decrease (PT2).
  std::size_t bytes = 0;
  base::Nanos last_due{0};
};

using Way = std::pair<PeerId, PeerId>;
using LinkKey = std::tuple<PeerId, PeerId, PeerClass>;

}  // namespace

struct SimNetwork::Impl : std::enable_shared_from_this<SimNetwork::Impl> {
  Impl(base::SimLoop& sim_loop, const SimNetworkOptions& sim_options)
      : loop(sim_loop),
        options(sim_options),
        random(sim_loop.random().fork()),
        wires(sim_loop.add_dispatcher()) {}

  base::Nanos draw(base::Nanos low, base::Nanos high) {
    return base::Nanos(random.between(low.count(), high.count()));
  }
  Endpoint* find(PeerId id) {
    const auto found = endpoints.find(id);
    return found == endpoints.end() ? nullptr : found->second.get();
  }
  [[nodiscard]] bool is_cut(const LinkKey& key) const {
    return cuts.contains({std::get<0>(key), std::get<1>(key)});
  }
  /// Runs `action` later unless the connection has ended by then.
  template <class Action>
  void later(const LinkKey& key, base::Nanos delay, Action action) {
    wires.run_after(delay,
                    [weak = weak_from_this(), key, generation = links[key].generation, action] {
                      const auto self = weak.lock();
                      if (self == nullptr) return;
                      Link& link = self->links[key];
                      if (link.generation == generation) action(*self, link);
                    });
  }

  void dial(const LinkKey& key);
  void connect(const LinkKey& key, Link& link);
  void break_link(const LinkKey& key);
  bool send(const LinkKey& key, base::Bytes frame);
  void expect_arrival(const LinkKey& key, base::Nanos due);
  void arrive(const LinkKey& key, Link& link);
  void deliver(const LinkKey& key, base::Bytes frame);
  void drop_process(PeerId id);
  void heal(const Way& way);

  base::SimLoop& loop;
  SimNetworkOptions options;
  base::Random random;
  base::SimDispatcher& wires;
  std::map<PeerId, std::shared_ptr<Endpoint>> endpoints;
  std::map<LinkKey, Link> links;
  std::set<Way> cuts;
};

// ---- connections

void SimNetwork::Impl::dial(const LinkKey& key) {
  later(key, draw(options.connect_min, options.connect_max),
        [key](Impl& impl, Link& link) { impl.connect(key, link); });
}

void SimNetwork::Impl::connect(const LinkKey& key, Link& link) {
  const auto& [from, to, peer_class] = key;
  Endpoint* sender = find(from);
  // A cut or a crash that came meanwhile dials again when it ends.
  if (link.is_connected || sender == nullptr || find(to) == nullptr || is_cut(key)) return;
  link.is_connected = true;
  PeerView& view = sender->view(to);
  if (std::exchange(link.was_connected, true)) ++view.reconnects;
  if (peer_class == PeerClass::kConsensus) view.is_connected = true;
  sender->dispatcher.post([weak = std::weak_ptr(endpoints[from]), peer = to, in = peer_class] {
    const auto alive = weak.lock();
    if (alive == nullptr) return;
    const auto& handler = alive->connected[static_cast<std::size_t>(in)];
    if (handler) handler(peer);
  });
}

void SimNetwork::Impl::break_link(const LinkKey& key) {
  Link& link = links[key];
  const auto& [from, to, peer_class] = key;
  if (Endpoint* sender = find(from); sender != nullptr) {
    PeerView& view = sender->view(to);
    view.queued_bytes -= link.bytes;
    view.frames_dropped += link.flights.size();
    if (peer_class == PeerClass::kConsensus) view.is_connected = false;
  }
  ++link.generation;
  link.is_connected = false;
  link.flights.clear();
  link.bytes = 0;
  link.last_due = base::Nanos(0);
  dial(key);
}

// ---- frames

bool SimNetwork::Impl::send(const LinkKey& key, base::Bytes frame) {
  const auto& [from, to, peer_class] = key;
  Link& link = links[key];
  if (!link.is_connected && !find(from)->views.contains(to)) return false;  // forgotten, or nobody
  PeerView& view = find(from)->view(to);
  const std::size_t limit = options.queue_bytes_max[static_cast<std::size_t>(peer_class)];
  if (!link.is_connected || frame.size() > limit - std::min(limit, link.bytes)) {
    ++view.frames_dropped;
    return false;
  }
  const base::Nanos delay = draw(options.delay_min, options.delay_max);
  view.round_trip = 2 * delay;
  view.queued_bytes += frame.size();
  ++view.frames_out;
  link.bytes += frame.size();
  link.last_due = std::max(link.last_due, loop.now() + delay);
  link.flights.push_back({link.last_due, std::move(frame)});
  expect_arrival(key, link.last_due);
  if (random.chance(options.break_chance)) {
    later(key, draw(base::Nanos(0), options.delay_max),
          [key](Impl& impl, Link&) { impl.break_link(key); });
  }
  return true;
}

void SimNetwork::Impl::expect_arrival(const LinkKey& key, base::Nanos due) {
  later(key, due - loop.now(), [key](Impl& impl, Link& link) { impl.arrive(key, link); });
}

void SimNetwork::Impl::arrive(const LinkKey& key, Link& link) {
  while (!link.flights.empty() && link.flights.front().due <= loop.now() && !is_cut(key)) {
    base::Bytes frame = std::move(link.flights.front().frame);
    link.flights.pop_front();
    link.bytes -= frame.size();
    find(std::get<0>(key))->view(std::get<1>(key)).queued_bytes -= frame.size();
    deliver(key, std::move(frame));
  }
}

void SimNetwork::Impl::deliver(const LinkKey& key, base::Bytes frame) {
  const auto& [from, to, peer_class] = key;
  Endpoint* receiver = find(to);
  SYNOD_ASSERT(receiver != nullptr, "a connection stands between living processes only");
  receiver->dispatcher.post([weak = std::weak_ptr(endpoints[to]), peer = from, in = peer_class,
                             now = loop.now(), bytes = std::move(frame)]() mutable {
    const auto alive = weak.lock();
    if (alive == nullptr) return;
    PeerView& view = alive->view(peer);
    ++view.frames_in;
    view.last_heard = now;
    const auto& handler = alive->receivers[static_cast<std::size_t>(in)];
    if (handler) handler(peer, std::move(bytes));
  });
}

// ---- processes and faults

void SimNetwork::Impl::drop_process(PeerId id) {
  if (find(id) == nullptr) return;
  for (auto& [key, link] : links) {
    if (std::get<0>(key) == id || std::get<1>(key) == id) break_link(key);
  }
  endpoints.erase(id);
}

void SimNetwork::Impl::heal(const Way& way) {
  if (cuts.erase(way) == 0) return;
  for (const PeerClass peer_class : kClasses) {
    const LinkKey key{way.first, way.second, peer_class};
    Link& link = links[key];
    if (!link.is_connected) {
      dial(key);
    } else if (!link.flights.empty()) {
      // What the cut held back comes in one burst.
      link.last_due =
          std::max(link.last_due, loop.now() + draw(options.delay_min, options.delay_max));
      for (Flight& flight : link.flights) flight.due = link.last_due;
      expect_arrival(key, link.last_due);
    }
  }
}

class SimNetwork::Transport final : public PeerTransport {
 public:
  Transport(std::weak_ptr<Impl> impl, const std::shared_ptr<Endpoint>& endpoint)
      : impl_(std::move(impl)), endpoint_(endpoint), self_(endpoint->id) {}
  ~Transport() override {
    const auto impl = impl_.lock();
    const auto endpoint = endpoint_.lock();
    if (impl != nullptr && endpoint != nullptr) impl->drop_process(self_);
  }
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  void on_frame(PeerClass peer_class, Receiver receiver) override {
    endpoint_.lock()->receivers[static_cast<std::size_t>(peer_class)] = std::move(receiver);
  }
  void on_connected(PeerClass peer_class, ConnectedHandler handler) override {
    endpoint_.lock()->connected[static_cast<std::size_t>(peer_class)] = std::move(handler);
  }
  bool send(PeerId to, PeerClass peer_class, base::Bytes frame) override {
    const auto impl = impl_.lock();
    if (impl == nullptr || endpoint_.expired()) return false;  // the process crashed
    return impl->send({self_, to, peer_class}, std::move(frame));
  }
  [[nodiscard]] std::vector<PeerView> views() const override {
    std::vector<PeerView> out;
    if (const auto endpoint = endpoint_.lock(); endpoint != nullptr) {
      for (const auto& [id, view] : endpoint->views) out.push_back(view);
    }
    return out;
  }
  /// Ways cost nothing here: only the view goes, until something of the peer arrives. It counts
  /// what is on its way, and stays as long as something is.
  void forget_peer(PeerId peer) override {
    const auto endpoint = endpoint_.lock();
    if (endpoint == nullptr) return;
    const auto found = endpoint->views.find(peer);
    if (found != endpoint->views.end() && found->second.queued_bytes == 0) {
      endpoint->views.erase(found);
    }
  }

 private:
  const std::weak_ptr<Impl> impl_;
  /// The network owns it while the process lives.
  const std::weak_ptr<Endpoint> endpoint_;
  const PeerId self_;
};

SimNetwork::SimNetwork(base::SimLoop& loop, const SimNetworkOptions& options)
    : impl_(std::make_shared<Impl>(loop, options)) {}

SimNetwork::~SimNetwork() = default;

std::unique_ptr<PeerTransport> SimNetwork::add(PeerId id, base::SimDispatcher& dispatcher) {
  SYNOD_ASSERT(impl_->find(id) == nullptr, "one process of an id at a time");
  auto endpoint = std::make_shared<Endpoint>(id, dispatcher);
  impl_->endpoints[id] = endpoint;
  for (const auto& [other, ignored] : impl_->endpoints) {
    if (other == id) continue;
    for (const PeerClass peer_class : kClasses) {
      impl_->dial({id, other, peer_class});
      impl_->dial({other, id, peer_class});
    }
  }
  return std::make_unique<Transport>(impl_, endpoint);
}

void SimNetwork::drop_process(PeerId id) { impl_->drop_process(id); }

void SimNetwork::cut(PeerId from, PeerId to) {
  if (!impl_->cuts.insert({from, to}).second) return;
  for (const PeerClass peer_class : kClasses) {
    const LinkKey key{from, to, peer_class};
    impl_->later(key, impl_->draw(impl_->options.stall_min, impl_->options.stall_max),
                 [key](Impl& impl, Link& link) {
                   if (impl.is_cut(key) && link.is_connected) impl.break_link(key);
                 });
  }
}

void SimNetwork::heal(PeerId from, PeerId to) { impl_->heal({from, to}); }

void SimNetwork::heal_all() {
  while (!impl_->cuts.empty()) impl_->heal(Way(*impl_->cuts.begin()));
}

void SimNetwork::break_connection(PeerId from, PeerId to, PeerClass peer_class) {
  impl_->break_link({from, to, peer_class});
}

void SimNetwork::set_break_chance(double chance) { impl_->options.break_chance = chance; }

bool SimNetwork::is_cut(PeerId from, PeerId to) const { return impl_->cuts.contains({from, to}); }

}  // namespace synod::net
