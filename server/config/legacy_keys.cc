// SPDX-License-Identifier: Apache-2.0
#include "server/config/legacy_keys.h"

#include <charconv>
#include <limits>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"

namespace synod::server {

using base::Status;
using base::StatusCode;

namespace {

constexpr const char* kNumberedFromOne =
    "is not taken over, as older servers number nodes from 0: list the nodes, numbered from 1, in "
    "cluster.peers and name this one with --node-id";

void no_effect(std::vector<LegacyKey>& rows, std::string_view table,
               std::initializer_list<std::string_view> names) {
  for (const auto name : names) rows.push_back({table, name, LegacyUse::kNoEffect, ""});
}

void add_replicated(std::vector<LegacyKey>& rows) {
  using enum LegacyUse;
  rows.push_back({"replicated", "replica_count", kSame, "cluster.replicas"});
  rows.push_back({"replicated", "base_tcp_port", kSame, "cluster.base_port"});
  rows.push_back({"replicated", "db_base_path", kSame, "server.data_dir"});
  rows.push_back({"consensus", "request_timeout", kDuration, "consensus.request_timeout_ms"});
  rows.push_back({"consensus", "view_change_timeout", kDuration, "consensus.election_timeout_ms"});
  rows.push_back({"network", "connection_timeout", kDuration, "cluster.connect_timeout_ms"});
  no_effect(rows, "network", {"retry_attempts", "retry_backoff"});
  rows.push_back({"thrift", "port", kSame, "server.port"});
  rows.push_back({"thrift", "bind_address", kSame, "server.bind"});
  rows.push_back({"thrift", "max_connections", kSame, "server.connections_max"});
}

std::vector<LegacyKey> make_rows() {
  std::vector<LegacyKey> rows;
  rows.push_back({"database", "base_path", LegacyUse::kDataDir, "server.data_dir"});
  rows.push_back(
      {"rocksdb", "write_buffer_size_mb", LegacyUse::kMebibytes, "database.write_buffer_bytes"});
  rows.push_back(
      {"rocksdb", "block_cache_size_mb", LegacyUse::kMebibytes, "database.block_cache_bytes"});
  no_effect(rows, "rocksdb",
            {"max_write_buffer_number", "block_size_kb", "max_background_jobs", "bytes_per_sync",
             "dynamic_level_bytes"});
  no_effect(rows, "bloom_filter", {"enabled", "bits_per_key"});
  no_effect(rows, "compression", {"l0_compression", "l1_compression", "bottom_compression"});
  no_effect(rows, "concurrency", {"max_read_concurrency"});
  no_effect(rows, "compaction",
            {"compaction_priority", "target_file_size_base_mb", "target_file_size_multiplier",
             "max_bytes_for_level_base_mb", "max_bytes_for_level_multiplier"});
  no_effect(rows, "cache",
            {"cache_index_and_filter_blocks", "pin_l0_filter_and_index_blocks_in_cache",
             "high_priority_pool_ratio"});
  no_effect(rows, "memory", {"write_buffer_manager_limit_mb", "enable_write_buffer_manager"});
  no_effect(rows, "logging", {"log_level", "max_log_file_size_mb", "keep_log_file_num"});
  no_effect(rows, "performance",
            {"statistics_level", "enable_statistics", "stats_dump_period_sec"});
  rows.push_back({"deployment", "mode", LegacyUse::kMode, "cluster.replicated"});
  no_effect(rows, "deployment", {"instance_id"});
  rows.push_back({"deployment", "replica_endpoints", LegacyUse::kEndpoints, ""});
  no_effect(rows, "consensus",
            {"algorithm", "max_batch_size", "max_outstanding_proposals", "endpoints"});
  no_effect(rows, "reads", {"consistency_level", "allow_stale_reads", "max_staleness_ms"});
  no_effect(rows, "cluster",
            {"health_check_interval_ms", "leader_discovery_timeout_ms", "node_timeout_ms"});
  add_replicated(rows);
  return rows;
}

}  // namespace

const std::vector<LegacyKey>& all_legacy_keys() {
  static const std::vector<LegacyKey> rows = make_rows();
  return rows;
}

const LegacyKey* find_legacy_key(std::string_view path) {
  for (const LegacyKey& row : all_legacy_keys()) {
    if (path.size() == row.table.size() + 1 + row.name.size() && path.starts_with(row.table) &&
        path[row.table.size()] == '.' && path.ends_with(row.name)) {
      return &row;
    }
  }
  return nullptr;
}

const std::vector<LegacyVariable>& all_legacy_variables() {
  using enum LegacyUse;
  static const std::vector<LegacyVariable> variables = {
      {"REPLICATED_REPLICA_COUNT", kSame, "cluster.replicas"},
      {"REPLICATED_BASE_TCP_PORT", kSame, "cluster.base_port"},
      {"REPLICATED_DB_BASE_PATH", kSame, "server.data_dir"},
      {"REPLICATED_NETWORK_TIMEOUT", kDuration, "consensus.request_timeout_ms"},
      {"REPLICATED_CONNECTION_TIMEOUT", kDuration, "cluster.connect_timeout_ms"},
      {"THRIFT_BIND_ADDRESS", kSame, "server.bind"},
  };
  return variables;
}

base::Result<KeyValue> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t millis;
  };
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"", 1}};
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  for (const Unit& known : kUnits) {
    const bool fits = number <= std::numeric_limits<std::uint64_t>::max() / known.millis;
    if (parsed.ec == std::errc() && unit == known.name && fits) {
      return KeyValue(number * known.millis);
    }
  }
  return Status(
      StatusCode::kInvalidArgument,
      base::concat("expected a duration such as 10s or 100ms, got \"", base::escape(text), "\""));
}

base::Result<KeyValue> translate_legacy(const LegacyKey& row, const KeyValue& value) {
  if (row.use == LegacyUse::kSame) return value;
  if (row.use == LegacyUse::kMode) {
    return KeyValue(std::get<std::string>(value) == "replicated");
  }
  if (row.use == LegacyUse::kDuration) {
    if (const auto* text = std::get_if<std::string>(&value)) return parse_duration(*text);
    if (std::holds_alternative<std::uint64_t>(value)) return value;
    return Status(StatusCode::kInvalidArgument, "expected a duration such as 10s or 100ms");
  }
  if (row.use == LegacyUse::kDataDir) {
    const auto* base_path = std::get_if<std::string>(&value);
    if (base_path == nullptr || base_path->empty()) {
      return Status(StatusCode::kInvalidArgument, "expected the text of a path");
    }
    return KeyValue(*base_path + "-thrift");
  }
  SYNOD_ASSERT(row.use == LegacyUse::kMebibytes, "only rows with a target are translated");
  const auto* mebibytes = std::get_if<std::uint64_t>(&value);
  if (mebibytes == nullptr || *mebibytes > (std::numeric_limits<std::uint64_t>::max() >> 20)) {
    return Status(StatusCode::kInvalidArgument, "expected a number of MiB");
  }
  return KeyValue(*mebibytes << 20);
}

Status check_legacy(const LegacyKey& row, const KeyValue& value) {
  if (row.use == LegacyUse::kEndpoints) {
    return Status(StatusCode::kUnsupported, kNumberedFromOne);
  }
  if (row.use == LegacyUse::kMode) {
    const auto* mode = std::get_if<std::string>(&value);
    if (mode != nullptr && (*mode == "standalone" || *mode == "replicated")) return Status();
    return Status(StatusCode::kInvalidArgument, "expected \"standalone\" or \"replicated\"");
  }
  return Status();
}

}  // namespace synod::server
