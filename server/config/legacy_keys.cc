// SPDX-License-Identifier: Apache-2.0
#include "server/config/legacy_keys.h"

#include <limits>

#include "base/assert.h"
#include "base/text.h"

namespace synod::server {

using base::Status;
using base::StatusCode;

namespace {

constexpr const char* kStandaloneOnly =
    "this build runs a single standalone node; a replicated deployment cannot be started from it";

void no_effect(std::vector<LegacyKey>& rows, std::string_view table,
               std::initializer_list<std::string_view> names) {
  for (const auto name : names) rows.push_back({table, name, LegacyUse::kNoEffect, ""});
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
  rows.push_back({"deployment", "mode", LegacyUse::kMode, ""});
  no_effect(rows, "deployment", {"instance_id"});
  rows.push_back({"deployment", "replica_endpoints", LegacyUse::kEndpoints, ""});
  no_effect(rows, "consensus",
            {"algorithm", "election_timeout_ms", "heartbeat_interval_ms", "max_batch_size",
             "max_outstanding_proposals", "endpoints"});
  no_effect(rows, "reads", {"consistency_level", "allow_stale_reads", "max_staleness_ms"});
  no_effect(rows, "cluster",
            {"health_check_interval_ms", "leader_discovery_timeout_ms", "node_timeout_ms"});
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

base::Result<KeyValue> translate_legacy(const LegacyKey& row, const KeyValue& value) {
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
    return Status(StatusCode::kUnsupported, kStandaloneOnly);
  }
  if (row.use == LegacyUse::kMode) {
    const auto* mode = std::get_if<std::string>(&value);
    if (mode != nullptr && *mode == "standalone") return Status();
    if (mode != nullptr && *mode == "replicated") {
      return Status(StatusCode::kUnsupported, kStandaloneOnly);
    }
    return Status(StatusCode::kInvalidArgument, "expected \"standalone\" or \"replicated\"");
  }
  return Status();
}

}  // namespace synod::server
