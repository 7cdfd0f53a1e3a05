// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace synod::net {

/// Where a node listens for its peers. `host` is a numeric address or a name.
struct PeerAddress {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const PeerAddress&) const = default;
};

inline constexpr std::size_t kPeerEndpointBytesMax = 255;

/// "name:4711", "127.0.0.1:4711", "[::1]:4711"; at most kPeerEndpointBytesMax bytes.
[[nodiscard]] base::Result<PeerAddress> parse_peer_address(std::string_view text);
/// What parse_peer_address reads.
[[nodiscard]] std::string format_peer_address(const PeerAddress& address);

/// "localhost" and the addresses that never leave the machine. Any other name may mean anything.
[[nodiscard]] bool is_loopback_host(const std::string& host);
/// The address that means every interface: nobody can connect to it by that name.
[[nodiscard]] bool is_wildcard_host(const std::string& host);

/// Whoever reaches the port of the peers may vote and write. So without TLS peers talk within one
/// machine only, unless the operator says that the network is trusted. The message of a refusal
/// names the address and the settings.
[[nodiscard]] base::Status check_peer_address(const std::string& bind_host,
                                              const std::vector<PeerAddress>& peers, bool has_tls,
                                              bool allow_insecure);

}  // namespace synod::net
