// SPDX-License-Identifier: Apache-2.0
#include "server/config/key_registry.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/assert.h"

namespace synod::server {
namespace {

constexpr std::uint64_t kKiB = 1U << 10;
constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kGiB = 1U << 30;
constexpr std::uint64_t kTiB = kGiB << 10;

/// Connects a row to its field; kSection and kField are member pointers.
template <auto kSection, auto kField>
struct Field {
  using Type = std::remove_cvref_t<decltype(std::declval<Config>().*kSection.*kField)>;

  static void store(Config& config, const Key& key, const KeyValue& value) {
    Type& field = config.*kSection.*kField;
    if constexpr (std::is_enum_v<Type>) {
      const auto found =
          std::find(key.choices.begin(), key.choices.end(), std::get<std::string>(value));
      SYNOD_ASSERT(found != key.choices.end(), "check_value precedes store");
      field = static_cast<Type>(found - key.choices.begin());
    } else if constexpr (std::is_same_v<Type, bool> || std::is_same_v<Type, std::string>) {
      field = std::get<Type>(value);
    } else {
      const std::uint64_t number = std::get<std::uint64_t>(value);
      SYNOD_ASSERT(number <= std::numeric_limits<Type>::max(), "a row's range fits its field");
      field = static_cast<Type>(number);
    }
  }

  static KeyValue load(const Config& config, const Key& key) {
    const Type& field = config.*kSection.*kField;
    if constexpr (std::is_enum_v<Type>) {
      return std::string(key.choices.at(static_cast<std::size_t>(field)));
    } else if constexpr (std::is_same_v<Type, bool> || std::is_same_v<Type, std::string>) {
      return field;
    } else {
      return static_cast<std::uint64_t>(field);
    }
  }
};

template <auto kSection, auto kField>
Key row(std::string_view table, std::string_view name, KeyKind kind, std::uint64_t min,
        std::uint64_t max, std::string_view doc) {
  using Row = Field<kSection, kField>;
  return {table, name, kind, min, max, {}, doc, Row::store, Row::load};
}

template <auto kSection, auto kField>
Key choice_row(std::string_view table, std::string_view name, std::vector<std::string_view> choices,
               std::string_view doc) {
  using Row = Field<kSection, kField>;
  return {table, name, KeyKind::kChoice, 0, 0, std::move(choices), doc, Row::store, Row::load};
}

void add_server(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::server;
  using S = ServerSection;
  using enum KeyKind;
  keys.push_back(row<kIn, &S::bind>("server", "bind", kText, 0, 0,
                                    "Address to listen on: an IPv4 or IPv6 address or localhost."));
  keys.push_back(row<kIn, &S::port>("server", "port", kInteger, 0, 65'535,
                                    "TCP port of the Thrift service; 0 takes any free one. "
                                    "THRIFT_PORT wins over every other source."));
  keys.push_back(row<kIn, &S::insecure_plaintext>(
      "server", "insecure_plaintext", kBool, 0, 0,
      "Required to bind anything but loopback: traffic is neither encrypted nor authenticated."));
  keys.push_back(row<kIn, &S::workers>("server", "workers", kInteger, 0, 1024,
                                       "Network threads; 0: one for each processor that the "
                                       "machine and its cgroup quota give, but one."));
  keys.push_back(row<kIn, &S::data_dir>("server", "data_dir", kText, 0, 0,
                                        "Folder of all data, created if absent."));
  keys.push_back(row<kIn, &S::node_id>("server", "node_id", kInteger, 0, 65'535,
                                       "Number of this node, shown in logs and diagnostics."));
  keys.push_back(row<kIn, &S::connections_max>("server", "connections_max", kInteger, 1, 1'000'000,
                                               "Connections served at once; more are closed."));
  keys.push_back(
      row<kIn, &S::in_flight_max>("server", "in_flight_max", kInteger, 1, 1'000'000,
                                  "Unanswered requests of one connection; reading pauses there."));
  keys.push_back(row<kIn, &S::output_bytes_max>(
      "server", "output_bytes_max", kBytes, kMiB, 4 * kGiB,
      "Unsent replies of one connection; a client further behind is closed."));
  keys.push_back(row<kIn, &S::message_bytes_max>("server", "message_bytes_max", kBytes, 64 * kKiB,
                                                 kGiB, "Largest request, headers included."));
  keys.push_back(row<kIn, &S::container_elements_max>(
      "server", "container_elements_max", kInteger, 1, 100'000'000,
      "Elements one list, set or map of a request may claim."));
  keys.push_back(row<kIn, &S::depth_max>("server", "depth_max", kInteger, 4, 1024,
                                         "Structs and containers inside each other."));
}

void add_limits(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::limits;
  using S = LimitsSection;
  using enum KeyKind;
  keys.push_back(
      row<kIn, &S::key_bytes_max>("limits", "key_bytes_max", kBytes, 1, kMiB, "Longest key."));
  keys.push_back(row<kIn, &S::value_bytes_max>("limits", "value_bytes_max", kBytes, 1, kGiB / 2,
                                               "Longest value."));
  keys.push_back(row<kIn, &S::commit_bytes_max>("limits", "commit_bytes_max", kBytes, 1, kGiB / 2,
                                                "All keys and values of one commit."));
  keys.push_back(row<kIn, &S::conflict_ranges_max>("limits", "conflict_ranges_max", kInteger, 0,
                                                   1'000'000, "Read-conflict ranges of a commit."));
  keys.push_back(row<kIn, &S::range_bytes_max>(
      "limits", "range_bytes_max", kBytes, 1, kGiB,
      "Keys and values of one range reply; the rest is fetched by another call."));
  keys.push_back(row<kIn, &S::range_bytes_framed_max>(
      "limits", "range_bytes_framed_max", kBytes, 1, kGiB,
      "The same for framed clients, which refuse frames of 16,384,000 bytes and more."));
}

void add_database_promises(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::database;
  using S = DatabaseSection;
  using enum KeyKind;
  keys.push_back(choice_row<kIn, &S::durability>(
      "database", "durability", {"sync", "batched", "async"},
      "What an acknowledged write survives: sync, loss of power; batched, all but the last "
      "batched_interval_ms; async, all but what the log buffers."));
  keys.push_back(row<kIn, &S::batched_interval_ms>("database", "batched_interval_ms", kInteger, 1,
                                                   10'000,
                                                   "Milliseconds between syncs in batched mode."));
  keys.push_back(row<kIn, &S::snapshot_window_ms>(
      "database", "snapshot_window_ms", kInteger, 0, 3'600'000,
      "Milliseconds for which old versions of values can be read."));
  keys.push_back(row<kIn, &S::conflict_window_ms>(
      "database", "conflict_window_ms", kInteger, 1000, 3'600'000,
      "Milliseconds between a transaction's read version and its commit; taken when the store is "
      "created."));
  keys.push_back(row<kIn, &S::memory_limit>(
      "database", "memory_limit", kBytes, 0, 64 * kTiB,
      "Tables, buffers and the backend's caches of all replicas in this process together. Values "
      "that do not fit are read from disk; when keys alone fill it, only reads and deletes are "
      "admitted. 0 for none."));
  keys.push_back(row<kIn, &S::cold_read_threads>(
      "database", "cold_read_threads", kInteger, 1, 256,
      "Threads of each replica that read values which left memory; with memory_limit only."));
  keys.push_back(row<kIn, &S::disk_reserve>(
      "database", "disk_reserve", kBytes, 0, 64 * kTiB,
      "Writes are refused while less than this is free; 0 takes the smaller of 256 MiB and a "
      "quarter of the file system."));
}

void add_database_sizes(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::database;
  using S = DatabaseSection;
  using enum KeyKind;
  keys.push_back(
      choice_row<kIn, &S::backend>("database", "backend", {"rocksdb", "leveldb", "memory"},
                                   "Store behind the tables; memory keeps only the log."));
  keys.push_back(row<kIn, &S::write_buffer_bytes>(
      "database", "write_buffer_bytes", kBytes, 0, 64 * kGiB,
      "The backend's memtables. 0 takes 64 MiB or, with memory_limit, at most a 32nd of it."));
  keys.push_back(row<kIn, &S::block_cache_bytes>(
      "database", "block_cache_bytes", kBytes, 0, kTiB,
      "The backend's cache of blocks. 0 takes 64 MiB or, with memory_limit, a 32nd of it."));
  keys.push_back(row<kIn, &S::log_segment_bytes>("database", "log_segment_bytes", kBytes, kMiB,
                                                 4 * kGiB, "One file of the log."));
  keys.push_back(row<kIn, &S::log_bytes_max>(
      "database", "log_bytes_max", kBytes, 4 * kMiB, 64 * kTiB,
      "The whole log; writes are refused while it is full and the backend is behind."));
  keys.push_back(row<kIn, &S::persistence_buffer_bytes_max>(
      "database", "persistence_buffer_bytes_max", kBytes, 0, kTiB,
      "Committed bytes that wait for the backend; writers wait beyond it. 0 takes 64 MiB or, with "
      "memory_limit, at most a 32nd of it."));
  keys.push_back(row<kIn, &S::pending_max>("database", "pending_max", kInteger, 1, 10'000'000,
                                           "Writes that wait to be ordered; more get BUSY."));
  keys.push_back(row<kIn, &S::pending_bytes_max>(
      "database", "pending_bytes_max", kBytes, 0, kTiB,
      "Their bytes; more get BUSY. 0 takes 64 MiB or, with memory_limit, at most an eighth of it, "
      "but room for two of the largest commits."));
}

void add_cluster(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::cluster;
  using S = ClusterSection;
  using enum KeyKind;
  keys.push_back(row<kIn, &S::replicated>(
      "cluster", "replicated", kBool, 0, 0,
      "Keep the data on several replicas that agree on every write. REPLICATED_MODE is the same."));
  keys.push_back(
      row<kIn, &S::peers>("cluster", "peers", kList, 0, 0,
                          "All nodes of the group as \"1=host:6001,2=host:6002,3=host:6003\", "
                          "numbered from 1: the same "
                          "list on every node, safe to keep for ever; server.node_id says which "
                          "one this is. Empty: this "
                          "process runs all replicas itself, with data in <data_dir>/replica_N."));
  keys.push_back(row<kIn, &S::replicas>("cluster", "replicas", kInteger, 1, 7,
                                        "Replicas in this process if peers is empty."));
  keys.push_back(
      row<kIn, &S::base_port>("cluster", "base_port", kInteger, 1, 65'535,
                              "Their TCP ports on loopback begin here, if peers is empty."));
  keys.push_back(row<kIn, &S::bind>(
      "cluster", "bind", kText, 0, 0,
      "Address to listen on for peers. Empty: that of this node's entry in peers, or every "
      "interface if the entry is a name."));
  keys.push_back(row<kIn, &S::advertise>(
      "cluster", "advertise", kText, 0, 0,
      "host:port at which nodes that do not list this one reach it. Empty: its entry in peers."));
  keys.push_back(row<kIn, &S::first_leader>(
      "cluster", "first_leader", kInteger, 0, 65'535,
      "Node that leads a new group first; 0 takes the lowest number. Without meaning later."));
  keys.push_back(row<kIn, &S::connect_timeout_ms>(
      "cluster", "connect_timeout_ms", kInteger, 100, 600'000,
      "Milliseconds for a connection to a peer to stand, TLS included."));
  keys.push_back(row<kIn, &S::insecure_peers>("cluster", "insecure_peers", kBool, 0, 0,
                                              "Let peers on other machines talk without TLS: only "
                                              "in a network where everybody is trusted."));
  keys.push_back(row<kIn, &S::tls_ca_file>("cluster", "tls_ca_file", kText, 0, 0,
                                           "PEM file of who signs the nodes' certificates."));
  keys.push_back(row<kIn, &S::tls_cert_file>("cluster", "tls_cert_file", kText, 0, 0,
                                             "PEM file of this node's certificate and its chain."));
  keys.push_back(row<kIn, &S::tls_key_file>("cluster", "tls_key_file", kText, 0, 0,
                                            "PEM file of its key, readable by its owner alone."));
  keys.push_back(row<kIn, &S::name>(
      "cluster", "name", kText, 0, 0,
      "Names in certificates are node-<number>.<name>; empty: synod-node-<number>."));
}

void add_consensus(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::consensus;
  using S = ConsensusSection;
  using enum KeyKind;
  keys.push_back(
      choice_row<kIn, &S::read_mode>("consensus", "read_mode", {"read_index", "lease"},
                                     "How a read is known to be up to date: read_index asks a "
                                     "majority; lease saves that round and "
                                     "needs clocks whose rates differ by less than 5 %."));
  keys.push_back(choice_row<kIn, &S::read_level>(
      "consensus", "read_level", {"linearizable", "leader", "local"},
      "For reads that name no level: linearizable sees every write acknowledged before it; leader "
      "is answered by whoever believes to lead; local by the asked node, perhaps out of date."));
  keys.push_back(
      row<kIn, &S::hold_ms>("consensus", "hold_ms", kInteger, 0, 600'000,
                            "Milliseconds for which requests wait while there is no leader."));
  keys.push_back(row<kIn, &S::request_timeout_ms>(
      "consensus", "request_timeout_ms", kInteger, 100, 600'000,
      "Milliseconds after which the outcome of a write is reported as unknown."));
  keys.push_back(row<kIn, &S::election_timeout_ms>(
      "consensus", "election_timeout_ms", kInteger, 50, 60'000,
      "Milliseconds of silence after which a leader is replaced; each node draws up to twice it."));
  keys.push_back(row<kIn, &S::heartbeat_interval_ms>(
      "consensus", "heartbeat_interval_ms", kInteger, 10, 10'000,
      "Milliseconds between heartbeats; at most a third of election_timeout_ms."));
  keys.push_back(row<kIn, &S::snapshot_every_slots>("consensus", "snapshot_every_slots", kInteger,
                                                    1'000, 1'000'000'000'000,
                                                    "Log slots between snapshots."));
  keys.push_back(row<kIn, &S::keep_slots>(
      "consensus", "keep_slots", kInteger, 0, 1'000'000'000'000,
      "Log slots kept below the newest snapshot, for replicas that are a little behind."));
}

void add_admin(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::admin;
  using S = AdminSection;
  using enum KeyKind;
  keys.push_back(row<kIn, &S::http_bind>("admin", "http_bind", kText, 0, 0,
                                         "Address of the HTTP service for health and metrics."));
  keys.push_back(row<kIn, &S::http_port>(
      "admin", "http_port", kInteger, 0, 65'535,
      "Its TCP port; 0 for none. If the default is taken by another process, the server goes on "
      "without it and says so."));
}

void add_log(std::vector<Key>& keys) {
  constexpr auto kIn = &Config::log;
  using S = LogSection;
  keys.push_back(choice_row<kIn, &S::level>("log", "level", {"debug", "info", "warning", "error"},
                                            "The least important lines that are written."));
  keys.push_back(choice_row<kIn, &S::format>("log", "format", {"text", "json"},
                                             "Text for people or one JSON object a line."));
  keys.push_back(row<kIn, &S::file>(
      "log", "file", KeyKind::kText, 0, 0,
      "Also write to this file, rotated at 64 MiB; empty for standard error only."));
  keys.push_back(row<&Config::fault_injection, &FaultInjectionSection::enabled>(
      "fault_injection", "enabled", KeyKind::kBool, 0, 0,
      "Let clients make the server fail on purpose. Tests only."));
}

std::vector<Key> make_keys() {
  std::vector<Key> keys;
  add_server(keys);
  add_limits(keys);
  add_database_promises(keys);
  add_database_sizes(keys);
  add_cluster(keys);
  add_consensus(keys);
  add_admin(keys);
  add_log(keys);
  return keys;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

const std::vector<Key>& all_keys() {
  static const std::vector<Key> keys = make_keys();
  return keys;
}

const std::vector<KeyTable>& all_tables() {
  static const std::vector<KeyTable> tables = {
      {"server", "Who may connect, and how much one client may hold."},
      {"limits", "How large one request or answer may be."},
      {"database", "What is kept, and what an acknowledgement promises."},
      {"cluster", "Replication: who the replicas are, and how they reach each other."},
      {"consensus", "How replicas agree, and what clients see meanwhile."},
      {"admin", "Monitoring."},
      {"log", "What the process says about itself."},
      {"fault_injection", "Faults on demand."},
  };
  return tables;
}

const Key* find_key(std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  for (const Key& key : all_keys()) {
    if (key.table == path.substr(0, dot) && key.name == path.substr(dot + 1)) return &key;
  }
  return nullptr;
}

std::vector<std::string> key_paths() {
  std::vector<std::string> paths;
  for (const Key& key : all_keys()) paths.push_back(key.path());
  return paths;
}

std::string nearest_hint(std::string_view name, const std::vector<std::string>& candidates) {
  // A typo, not another word: a third of the letters at most. Hostile names are not compared.
  constexpr std::size_t kNameBytesMax = 100;
  if (name.size() > kNameBytesMax) return "";
  std::size_t best_distance = std::max<std::size_t>(name.size() / 3, 1) + 1;
  std::string_view best;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : " (did you mean " + std::string(best) + "?)";
}

}  // namespace synod::server
