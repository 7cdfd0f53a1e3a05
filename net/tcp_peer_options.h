// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/peer_address.h"
#include "net/peer_transport.h"

namespace synod::net {

/// Indexed by PeerClass: consensus, forward, bulk.
struct PeerLimits {
  /// What may wait for one peer, beside one frame and 256 KiB on their way into the socket.
  std::array<std::size_t, kPeerClassCount> queue_bytes_max{64U << 20U, 64U << 20U, 32U << 20U};
  /// REQUIRES: at most the queue's. All nodes have the same.
  std::array<std::uint32_t, kPeerClassCount> frame_bytes_max{64U << 20U, 64U << 20U, 32U << 20U};
  std::size_t strangers_max = 64;  ///< Inbound, no hello yet; one more ends the oldest.
  std::size_t learned_max = 64;    ///< Peers that are not configured.
};

struct PeerTimes {
  base::Nanos backoff_min = base::Millis(20);
  base::Nanos backoff_max = base::Millis(1000);
  base::Nanos hello_timeout = base::Millis(5000);  ///< To connect, do TLS and say hello.
  base::Nanos probe_interval = base::Millis(1000);
  base::Nanos dead_after = base::Millis(3000);  ///< A probe without answer, or a write that stands.
  base::Nanos inbound_idle = base::Millis(10000);  ///< An inbound connection without any byte.
};

/// Mutual TLS 1.3. All files are PEM.
struct TlsOptions {
  std::string ca_file;    ///< Who may sign a node's certificate.
  std::string cert_file;  ///< Ours, with what is between it and the CA.
  std::string key_file;   ///< Others than its owner and group may not read it.
  /// Empty: node 2 is "synod-node-2". Otherwise it is "node-2.<cluster_name>", so that clusters
  /// which share a CA do not accept each other's nodes.
  std::string cluster_name;
};

struct TcpPeerOptions {
  PeerId self;
  std::string bind_host = "127.0.0.1";
  std::uint16_t bind_port = 0;  ///< 0: a free one.
  /// "host:port" at which others reach this node. Empty: the bound one, unless it is a wildcard.
  std::string advertised;
  /// An entry for `self` is passed over.
  std::map<PeerId, PeerAddress> peers;
  std::optional<TlsOptions> tls;
  bool allow_insecure = false;  ///< cluster.insecure_peers; see check_peer_address.
  std::uint64_t cluster = 0;    ///< 0: not known yet; set_cluster says it later.
  std::uint64_t seed = 0;       ///< Of the jitter; 0: from the operating system.
  PeerLimits limits;
  PeerTimes times;
};

/// Monotonic since the transport was made, except the first two.
struct PeerCounters {
  std::uint64_t inbound = 0;            ///< Inbound connections now.
  std::uint64_t outbound = 0;           ///< Outbound connections that stand now.
  std::uint64_t refused_strangers = 0;  ///< Ended for a newer one: strangers_max.
  std::uint64_t hello_timeouts = 0;
  std::uint64_t bad_hellos = 0;      ///< Garbage where a hello belongs.
  std::uint64_t wrong_receiver = 0;  ///< This and the next two on either side.
  std::uint64_t wrong_cluster = 0;
  std::uint64_t wrong_identity = 0;  ///< The certificate names another node, or none.
  std::uint64_t tls_failures = 0;
  std::uint64_t bad_frames = 0;
  std::uint64_t dead_peers = 0;  ///< Connections closed because the peer did not answer.
  std::uint64_t learned = 0;     ///< Endpoints taken from a hello.
  std::uint64_t learned_refused = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

}  // namespace synod::net
