// SPDX-License-Identifier: Apache-2.0
#include "server/config/group_plan.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

namespace synod::server {

using base::concat;
using base::Status;
using base::StatusCode;

namespace {

constexpr std::uint32_t kMembersMax = 7;
constexpr std::uint32_t kIdMax = 65'535;

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Status malformed(std::string_view text) {
  return {StatusCode::kInvalidArgument,
          concat("\"", base::escape(text), "\" is no \"number=host:port\" (numbers from 1)")};
}

base::Result<PeerEntry> parse_peer(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return malformed(text);
  PeerEntry entry;
  const bool is_number = parse_number(trimmed(text.substr(0, equals)), entry.id);
  if (!is_number || entry.id == 0 || entry.id > kIdMax) return malformed(text);
  if (!parse_endpoint(trimmed(text.substr(equals + 1)), entry.host, entry.port).ok()) {
    return malformed(text);
  }
  return entry;
}

Status check_distinct(const std::vector<PeerEntry>& ordered) {
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = i + 1; j < ordered.size(); ++j) {
      const PeerEntry& a = ordered[i];
      const PeerEntry& b = ordered[j];
      if (a.id == b.id) {
        return {StatusCode::kInvalidArgument, concat("node ", a.id, " is listed twice")};
      }
      if (a.host == b.host && a.port == b.port) {
        return {StatusCode::kInvalidArgument,
                concat("nodes ", a.id, " and ", b.id, " have the same address ",
                       format_endpoint(a.host, a.port))};
      }
    }
  }
  return {};
}

/// Collects sentences.
class Rules {
 public:
  void require(bool holds, std::string rule) {
    if (!holds) broken_.push_back(std::move(rule));
  }
  std::vector<std::string> take() { return std::move(broken_); }

 private:
  std::vector<std::string> broken_;
};

std::string ids_of(const std::vector<PeerEntry>& peers) {
  std::string text;
  for (const PeerEntry& peer : peers) text += concat(text.empty() ? "" : ", ", peer.id);
  return text;
}

bool has_id(const std::vector<PeerEntry>& peers, std::uint32_t id) {
  return std::any_of(peers.begin(), peers.end(),
                     [id](const PeerEntry& peer) { return peer.id == id; });
}

bool has_tls(const ClusterSection& cluster) {
  return !cluster.tls_ca_file.empty() || !cluster.tls_cert_file.empty() ||
         !cluster.tls_key_file.empty();
}

void check_database(const Config& config, Rules& rules) {
  rules.require(config.database.durability == Durability::kSync,
                "database.durability: must be \"sync\" if cluster.replicated is true: a replica "
                "that forgets what it has promised breaks the group");
  rules.require(config.database.backend == BackendKind::kRocksDb,
                "database.backend: must be \"rocksdb\" if cluster.replicated is true: snapshots "
                "between replicas are made of its checkpoints");
}

void check_limits(const Config& config, Rules& rules) {
  constexpr std::uint64_t kCommitBytesMax = 16U << 20;
  rules.require(
      config.limits.commit_bytes_max <= kCommitBytesMax,
      concat("limits.commit_bytes_max: must not exceed ", base::format_bytes(kCommitBytesMax),
             " if cluster.replicated is true, so that every operation fits into one "
             "frame between replicas"));
}

void check_timing(const Config& config, Rules& rules) {
  const auto& consensus = config.consensus;
  rules.require(consensus.heartbeat_interval_ms <= consensus.election_timeout_ms / 3,
                "consensus.heartbeat_interval_ms: must be at most a third of "
                "consensus.election_timeout_ms, or one late heartbeat deposes the leader");
}

void check_peer_security(const Config& config, const std::vector<PeerEntry>& peers, Rules& rules) {
  const auto& cluster = config.cluster;
  const bool all_or_none =
      !has_tls(cluster) || (!cluster.tls_ca_file.empty() && !cluster.tls_cert_file.empty() &&
                            !cluster.tls_key_file.empty());
  rules.require(all_or_none,
                "cluster.tls_ca_file, tls_cert_file and tls_key_file: all three or none of them");
  rules.require(has_tls(cluster) || cluster.name.empty(),
                concat("cluster.name: \"", base::escape(cluster.name),
                       "\" is a part of the names in certificates; without cluster.tls_*_file "
                       "nobody would look at it"));
  if (has_tls(cluster) || cluster.insecure_peers) return;
  for (const PeerEntry& peer : peers) {
    rules.require(is_loopback(peer.host),
                  concat("cluster.peers: node ", peer.id, " is at ", peer.host,
                         ", beyond this machine, and there is no TLS: whoever reaches its port "
                         "could write everything; set cluster.tls_*_file or, for a network that "
                         "is trusted, cluster.insecure_peers = true"));
  }
  rules.require(cluster.bind.empty() || !is_address(cluster.bind) || is_loopback(cluster.bind),
                concat("cluster.bind: ", cluster.bind,
                       " is reachable from other machines and there is no TLS; set "
                       "cluster.tls_*_file or cluster.insecure_peers = true"));
}

void check_one_replica(const Config& config, Rules& rules) {
  const auto& cluster = config.cluster;
  const auto peers = parse_peers(cluster.peers);
  if (!peers.ok()) {
    rules.require(false, concat("cluster.peers: ", peers.status().message()));
    return;
  }
  rules.require(has_id(*peers, config.server.node_id),
                concat("server.node_id: ", config.server.node_id,
                       " is not in cluster.peers, which has ", ids_of(*peers), " (--node-id)"));
  rules.require(cluster.first_leader == 0 || has_id(*peers, cluster.first_leader),
                concat("cluster.first_leader: ", cluster.first_leader,
                       " is not in cluster.peers, which has ", ids_of(*peers)));
  std::string host;
  std::uint16_t port = 0;
  rules.require(
      cluster.advertise.empty() || parse_endpoint(cluster.advertise, host, port).ok(),
      concat("cluster.advertise: \"", base::escape(cluster.advertise), "\" is no host:port"));
  check_peer_security(config, *peers, rules);
  rules.require(cluster.bind.empty() || is_address(cluster.bind),
                concat("cluster.bind: \"", base::escape(cluster.bind),
                       "\" is no IPv4 or IPv6 address and not localhost"));
}

void check_all_replicas(const Config& config, Rules& rules) {
  const auto& cluster = config.cluster;
  rules.require(config.server.node_id == 0,
                concat("server.node_id: is ", config.server.node_id,
                       ", but without cluster.peers this process runs all replicas itself; list "
                       "them in cluster.peers or leave the number out"));
  const std::uint32_t last = cluster.base_port + cluster.replicas - 1;
  rules.require(last <= 65'535, concat("cluster.base_port: the ports of ", cluster.replicas,
                                       " replicas from ", cluster.base_port, " end at ", last));
  rules.require(config.server.port < cluster.base_port || config.server.port > last,
                concat("server.port: ", config.server.port, " is one of the replicas' ports ",
                       cluster.base_port, " to ", last, " (cluster.base_port)"));
  rules.require(cluster.first_leader <= cluster.replicas,
                concat("cluster.first_leader: ", cluster.first_leader, " is none of the ",
                       cluster.replicas, " replicas"));
  rules.require(cluster.bind.empty() && cluster.advertise.empty() && !has_tls(cluster),
                "cluster.bind, advertise and tls_*_file: need cluster.peers; without it the "
                "replicas talk inside this process's machine");
}

}  // namespace

Shape shape_of(const Config& config) {
  if (!config.cluster.replicated) return Shape::kStandalone;
  return config.cluster.peers.empty() ? Shape::kAllReplicas : Shape::kOneReplica;
}

Status parse_endpoint(std::string_view text, std::string& host, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  const Status wrong{StatusCode::kInvalidArgument,
                     concat("\"", base::escape(text), "\" is no host:port")};
  if (colon == std::string_view::npos) return wrong;
  std::string_view name = text.substr(0, colon);
  const bool is_bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
  if (is_bracketed) name = name.substr(1, name.size() - 2);
  const bool has_space = name.find(' ') != std::string_view::npos;
  const bool is_ambiguous = !is_bracketed && name.find(':') != std::string_view::npos;
  if (name.empty() || name.size() > 253 || has_space || is_ambiguous) return wrong;
  if (!parse_number(text.substr(colon + 1), port) || port == 0) return wrong;
  host = name;
  return {};
}

std::string format_endpoint(const std::string& host, std::uint16_t port) {
  const bool is_six = host.find(':') != std::string::npos;
  return is_six ? concat("[", host, "]:", port) : concat(host, ":", port);
}

base::Result<std::vector<PeerEntry>> parse_peers(std::string_view text) {
  std::vector<PeerEntry> peers;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    SYNOD_ASSIGN_OR_RETURN(auto peer, parse_peer(trimmed(text.substr(0, comma))));
    peers.push_back(std::move(peer));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (peers.empty() || peers.size() > kMembersMax) {
    return Status(StatusCode::kInvalidArgument,
                  concat("a group has 1 to ", kMembersMax, " nodes, not ", peers.size()));
  }
  std::sort(peers.begin(), peers.end(),
            [](const PeerEntry& a, const PeerEntry& b) { return a.id < b.id; });
  SYNOD_RETURN_IF_ERROR(check_distinct(peers));
  return peers;
}

std::vector<PeerEntry> group_of(const Config& config) {
  const Shape shape = shape_of(config);
  SYNOD_ASSERT(shape != Shape::kStandalone, "a standalone server has no group");
  if (shape == Shape::kOneReplica) {
    auto peers = parse_peers(config.cluster.peers);
    SYNOD_ASSERT(peers.ok(), "checked when the configuration was loaded");
    return *std::move(peers);
  }
  std::vector<PeerEntry> peers;
  for (std::uint32_t i = 0; i < config.cluster.replicas; ++i) {
    peers.push_back({i + 1, "127.0.0.1", static_cast<std::uint16_t>(config.cluster.base_port + i)});
  }
  return peers;
}

std::string peer_bind_of(const Config& config, const PeerEntry& self) {
  const std::string& host = config.cluster.bind.empty() ? self.host : config.cluster.bind;
  if (host == "localhost") return "127.0.0.1";
  return is_address(host) ? host : "0.0.0.0";
}

std::string replica_directory(const Config& config, std::uint32_t id) {
  if (shape_of(config) == Shape::kOneReplica) return config.server.data_dir;
  return concat(config.server.data_dir, "/replica_", id);
}

std::uint32_t replicas_here(const Config& config) {
  return shape_of(config) == Shape::kAllReplicas ? config.cluster.replicas : 1;
}

std::vector<std::string> broken_group_rules(const Config& config) {
  Rules rules;
  const Shape shape = shape_of(config);
  rules.require(shape != Shape::kStandalone || config.cluster.peers.empty(),
                "cluster.peers: lists a group, but cluster.replicated is false; set it to true "
                "(REPLICATED_MODE, --replicated) or leave the list out");
  if (shape == Shape::kStandalone) return rules.take();
  check_database(config, rules);
  check_limits(config, rules);
  check_timing(config, rules);
  if (shape == Shape::kOneReplica) {
    check_one_replica(config, rules);
  } else {
    check_all_replicas(config, rules);
  }
  return rules.take();
}

}  // namespace synod::server
