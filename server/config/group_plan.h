// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "server/config/config.h"

namespace synod::server {

/// The three ways to run this binary.
enum class Shape : std::uint8_t {
  kStandalone,   ///< No group.
  kOneReplica,   ///< This process is one member; cluster.peers names all of them.
  kAllReplicas,  ///< This process is the whole group, its replicas talk over loopback.
};
[[nodiscard]] Shape shape_of(const Config& config);

/// One member as configured: where the others reach it.
struct PeerEntry {
  std::uint32_t id = 0;
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const PeerEntry&) const = default;
};

/// "1=host:6001,2=[::1]:6002": ids from 1, each id and each address once, in the order of ids.
[[nodiscard]] base::Result<std::vector<PeerEntry>> parse_peers(std::string_view text);
/// "host:port", "[::1]:port".
[[nodiscard]] base::Status parse_endpoint(std::string_view text, std::string& host,
                                          std::uint16_t& port);
[[nodiscard]] std::string format_endpoint(const std::string& host, std::uint16_t port);

/// The members in the order of their ids, from cluster.peers or, without it, cluster.replicas of
/// them on loopback. REQUIRES: the configuration is valid, the shape is not kStandalone.
[[nodiscard]] std::vector<PeerEntry> group_of(const Config& config);

/// Where the replica that is `self` listens for its peers: cluster.bind; without it the address of
/// its own entry, or every interface if that is a name.
[[nodiscard]] std::string peer_bind_of(const Config& config, const PeerEntry& self);

/// The data directory of a replica.
[[nodiscard]] std::string replica_directory(const Config& config, std::uint32_t id);

/// Stores in this process; what the process may use is shared by so many.
[[nodiscard]] std::uint32_t replicas_here(const Config& config);

/// What contradicts itself in [cluster] and [consensus]; one sentence each.
[[nodiscard]] std::vector<std::string> broken_group_rules(const Config& config);

}  // namespace synod::server
