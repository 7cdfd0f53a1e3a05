// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/sim_loop.h"
#include "net/peer_transport.h"

namespace synod::net {

struct SimNetworkOptions {
  base::Nanos delay_min = base::Micros(100);  ///< Of one frame, drawn for each.
  base::Nanos delay_max = base::Millis(2);
  base::Nanos connect_min = base::Millis(1);  ///< Until a connection stands, or stands again.
  base::Nanos connect_max = base::Millis(50);
  base::Nanos stall_min = base::Millis(50);  ///< A cut way holds frames so long, then breaks.
  base::Nanos stall_max = base::Millis(3000);
  double break_chance = 0;  ///< For each frame: its connection breaks soon after it was sent.
  std::array<std::size_t, kPeerClassCount> queue_bytes_max{64U << 20U, 64U << 20U, 32U << 20U};
};

/// The simulated twin of TcpPeerTransport: processes in one loop and the ways between them.
///
/// A way from one process to another has one connection for each class. A frame takes a time drawn
/// from the seed; within a connection order is kept, between connections it is not. What breaks a
/// connection loses everything under way on it; a new one comes after a while, if both processes
/// live and the way is not cut, and is told to the sender's on_connected. A cut is one-way. It
/// first holds frames back: those of a cut that heals in time arrive late.
///
/// Invariants: PT1 to PT3 of PeerTransport.
///
/// Threads: confined to the loop's. Handlers of a process run on the dispatcher it was added with.
/// Lifetime: transports, network and loop may go in any order, as long as the loop no longer runs.
class SimNetwork {
 public:
  SimNetwork(base::SimLoop& loop, const SimNetworkOptions& options);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  /// A process that starts. Its handlers are set before the loop's next step. The transport's end
  /// is the process's, as in drop_process.
  /// REQUIRES: no process of this id lives.
  [[nodiscard]] std::unique_ptr<PeerTransport> add(PeerId id, base::SimDispatcher& dispatcher);
  /// The process crashes: its handlers are never called again, all its connections break, what was
  /// under way from and to it is lost. A no-op if none lives.
  void drop_process(PeerId id);

  /// Nothing passes from `from` to `to` any more; the other direction is not touched.
  void cut(PeerId from, PeerId to);
  void heal(PeerId from, PeerId to);
  void heal_all();
  void break_connection(PeerId from, PeerId to, PeerClass peer_class);
  void set_break_chance(double chance);
  [[nodiscard]] bool is_cut(PeerId from, PeerId to) const;

 private:
  class Transport;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace synod::net
