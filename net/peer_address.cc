// SPDX-License-Identifier: Apache-2.0
#include "net/peer_address.h"

#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "base/bytes.h"
#include "base/text.h"

namespace synod::net {
namespace {

base::Status bad_address(std::string_view text, std::string_view why) {
  return {base::StatusCode::kInvalidArgument,
          base::concat("peer address \"", base::escape(text), "\": ", why)};
}

/// A host on its own: the characters of names and of numeric addresses.
bool is_host(std::string_view host) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
  return !host.empty() && host.find_first_not_of(kAllowed) == std::string_view::npos;
}

base::Status refuse_insecure(std::string_view what, const std::string& host) {
  return {base::StatusCode::kInvalidArgument,
          base::concat(what, " ", host,
                       " is not on this machine and the connections between nodes have no TLS: "
                       "whoever reaches them could vote and write. Configure the certificates, or "
                       "set cluster.insecure_peers = true if the network is trusted")};
}

}  // namespace

base::Result<PeerAddress> parse_peer_address(std::string_view text) {
  if (text.size() > kPeerEndpointBytesMax) return bad_address(text, "it is too long");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_address(text, "it must be host:port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad_address(text, "an address of IPv6 stands in brackets");
  }
  if (!is_host(host)) return bad_address(text, "the host is no name and no address");
  PeerAddress address{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc{} || end != port.data() + port.size() || address.port == 0) {
    return bad_address(text, "the port must be 1 to 65535");
  }
  return address;
}

std::string format_peer_address(const PeerAddress& address) {
  if (address.host.find(':') == std::string::npos) {
    return base::concat(address.host, ":", address.port);
  }
  return base::concat("[", address.host, "]:", address.port);
}

bool is_loopback_host(const std::string& host) {
  if (host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

bool is_wildcard_host(const std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return host.empty() || (!error && address.is_unspecified());
}

base::Status check_peer_address(const std::string& bind_host, const std::vector<PeerAddress>& peers,
                                bool has_tls, bool allow_insecure) {
  if (has_tls || allow_insecure) return {};
  if (!is_loopback_host(bind_host)) return refuse_insecure("the address for peers", bind_host);
  for (const PeerAddress& peer : peers) {
    if (!is_loopback_host(peer.host)) return refuse_insecure("the peer", peer.host);
  }
  return {};
}

}  // namespace synod::net
