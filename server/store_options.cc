// SPDX-License-Identifier: Apache-2.0
#include "server/store_options.h"

#include <algorithm>

#include "base/assert.h"
#include "server/config/memory_plan.h"

namespace synod::server {
namespace {

/// Between snapshots that are taken because the log in memory is large, and between two looks at
/// it: what is written meanwhile comes on top.
constexpr base::Nanos kSnapshotPauseUnderLimit = std::chrono::milliseconds(100);
constexpr base::Nanos kLookInterval = std::chrono::milliseconds(50);

router::Durability to_router(Durability durability) {
  switch (durability) {
    case Durability::kSync:
      return router::Durability::kSync;
    case Durability::kBatched:
      return router::Durability::kBatched;
    case Durability::kAsync:
      return router::Durability::kAsync;
  }
  SYNOD_ASSERT(false, "a Durability outside its enumeration");
}

router::ReadMode to_router(ReadMode mode) {
  return mode == ReadMode::kLease ? router::ReadMode::kLease : router::ReadMode::kReadIndex;
}

router::ReadLevel to_router(DefaultReadLevel level) {
  switch (level) {
    case DefaultReadLevel::kLinearizable:
      return router::ReadLevel::kLinearizable;
    case DefaultReadLevel::kLeader:
      return router::ReadLevel::kLeader;
    case DefaultReadLevel::kLocal:
      return router::ReadLevel::kLocal;
  }
  SYNOD_ASSERT(false, "a DefaultReadLevel outside its enumeration");
}

core::Limits limits_of(const Config& config) {
  core::Limits limits;
  limits.key_bytes_max = config.limits.key_bytes_max;
  limits.value_bytes_max = config.limits.value_bytes_max;
  limits.commit_bytes_max = config.limits.commit_bytes_max;
  limits.conflict_ranges_max = config.limits.conflict_ranges_max;
  return limits;
}

core::Policy policy_of(const Config& config) {
  core::Policy policy;
  policy.conflict_window_ms = config.database.conflict_window_ms;
  policy.value_bytes_max = config.limits.value_bytes_max;
  return policy;
}

storage::LogOptions log_of(const Config& config, std::uint64_t group_bytes_max) {
  storage::LogOptions log;
  log.segment_bytes = config.database.log_segment_bytes;
  // A group is closed before it exceeds its bound by more than one operation.
  log.frame_bytes_max = group_bytes_max + 2 * config.limits.commit_bytes_max +
                        config.limits.value_bytes_max + (64U << 20);
  return log;
}

core::PersistenceOptions persistence_of(const MemoryPlan& plan) {
  core::PersistenceOptions options;
  options.linger_bytes = std::min(options.linger_bytes, plan.linger_bytes);
  return options;
}

core::DatabaseOptions database_of(const Config& config, const MemoryPlan& plan) {
  core::DatabaseOptions options;
  options.snapshot_window = base::Millis(config.database.snapshot_window_ms);
  options.memory_bytes_max = plan.table_bytes;
  if (plan.table_bytes != 0) {
    options.old_bytes_max = std::min(options.old_bytes_max, plan.table_bytes / 8);
  }
  return options;
}

}  // namespace

router::StandaloneOptions standalone_options(const Config& config) {
  const MemoryPlan plan = plan_memory(config);
  router::StandaloneOptions options;
  options.directory = config.server.data_dir;
  options.node.node_id = static_cast<std::int32_t>(config.server.node_id);
  auto& pipeline = options.pipeline;
  pipeline.durability = to_router(config.database.durability);
  // `async` has no promise to keep but the buffer's bound; a second keeps idle data moving.
  pipeline.batched_interval = config.database.durability == Durability::kAsync
                                  ? base::Nanos(std::chrono::seconds(1))
                                  : base::Nanos(base::Millis(config.database.batched_interval_ms));
  pipeline.pending_max = config.database.pending_max;
  pipeline.pending_bytes_max = plan.pending_bytes_max;
  pipeline.backlog_bytes_max = plan.persistence_buffer_bytes_max;
  pipeline.group_bytes_max = plan.group_bytes_max;
  pipeline.log_bytes_max = config.database.log_bytes_max;
  options.persistence = persistence_of(plan);
  options.database = database_of(config, plan);
  options.table_bytes_max = plan.fixed_bytes_max;
  options.limits = limits_of(config);
  options.policy = policy_of(config);
  pipeline.unsynced_bytes_max = plan.group_bytes_max;
  options.log = log_of(config, plan.group_bytes_max);
  options.disk_reserve_bytes = config.database.disk_reserve;
  return options;
}

router::ReplicatedOptions replica_options(const Config& config, const PeerEntry& self) {
  const auto group = group_of(config);
  const MemoryPlan plan = plan_memory(config);
  router::ReplicatedOptions options;
  options.directory = replica_directory(config, self.id);
  options.node.node_id = static_cast<std::int32_t>(self.id);
  for (const PeerEntry& peer : group) options.members.push_back(peer.id);
  const std::uint32_t first = config.cluster.first_leader;
  options.first_leader = first != 0 ? first : group.front().id;
  options.read_mode = to_router(config.consensus.read_mode);
  options.default_read_level = to_router(config.consensus.read_level);
  options.hold = base::Millis(config.consensus.hold_ms);
  options.request_timeout = base::Millis(config.consensus.request_timeout_ms);
  options.pending_max = config.database.pending_max;
  options.pending_bytes_max = plan.pending_bytes_max;
  options.log_bytes_max = config.database.log_bytes_max;
  options.backlog_bytes_max = plan.persistence_buffer_bytes_max;
  options.log_memory_bytes_max = plan.log_memory_bytes_max;
  options.persistence = persistence_of(plan);
  options.table_bytes_max = plan.fixed_bytes_max;
  options.disk_reserve_bytes = config.database.disk_reserve;
  options.database = database_of(config, plan);
  options.limits = limits_of(config);
  options.policy = policy_of(config);
  auto& runtime = options.runtime;
  options.log = log_of(config, runtime.frame_bytes);
  runtime.replica.timing.election_min = base::Millis(config.consensus.election_timeout_ms);
  runtime.replica.timing.heartbeat = base::Millis(config.consensus.heartbeat_interval_ms);
  runtime.replica.reads_by_lease = config.consensus.read_mode == ReadMode::kLease;
  runtime.state.snapshot_every_slots = config.consensus.snapshot_every_slots;
  runtime.keep_slots = config.consensus.keep_slots;
  if (plan.log_memory_bytes_max != 0) {
    runtime.state.snapshot_pause = kSnapshotPauseUnderLimit;
    options.space_interval = kLookInterval;
  }
  return options;
}

base::Result<std::unique_ptr<storage::StorageBackend>> open_backend(const Config& config,
                                                                    const std::string& directory) {
  const MemoryPlan plan = plan_memory(config);
  storage::BackendOptions options;
  options.write_buffer_bytes = plan.write_buffer_bytes;
  options.block_cache_bytes = plan.block_cache_bytes;
  switch (config.database.backend) {
    case BackendKind::kRocksDb:
      return storage::open_rocksdb_backend(directory, options);
    case BackendKind::kLevelDb:
      return storage::open_leveldb_backend(directory, options);
    case BackendKind::kMemory:
      return storage::make_memory_backend();
  }
  SYNOD_ASSERT(false, "a BackendKind outside its enumeration");
}

}  // namespace synod::server
