// SPDX-License-Identifier: Apache-2.0
#include "server/server_manager.h"

#include <utility>

#include "base/logging.h"
#include "base/random.h"
#include "base/text.h"
#include "server/thrift/admin_service.h"
#include "server/thrift/kv_service.h"
#include "storage/storage_backend.h"

namespace synod::server {
namespace {

constexpr base::Nanos kStopGrace = std::chrono::seconds(10);

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  base::system_random(reinterpret_cast<char*>(&seed), sizeof seed);
  return seed;
}

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

router::StandaloneOptions store_options(const Config& config) {
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
  pipeline.pending_bytes_max = config.database.pending_bytes_max;
  pipeline.backlog_bytes_max = config.database.persistence_buffer_bytes_max;
  pipeline.log_bytes_max = config.database.log_bytes_max;
  options.database.snapshot_window = base::Millis(config.database.snapshot_window_ms);
  if (config.database.memory_limit != 0) {
    // The engine's buffers are part of the limit; the configuration check leaves the rest positive.
    options.table_bytes_max = config.database.memory_limit - config.database.write_buffer_bytes -
                              config.database.block_cache_bytes;
  }
  options.limits.key_bytes_max = config.limits.key_bytes_max;
  options.limits.value_bytes_max = config.limits.value_bytes_max;
  options.limits.commit_bytes_max = config.limits.commit_bytes_max;
  options.limits.conflict_ranges_max = config.limits.conflict_ranges_max;
  options.policy.conflict_window_ms = config.database.conflict_window_ms;
  options.policy.value_bytes_max = config.limits.value_bytes_max;
  options.log.segment_bytes = config.database.log_segment_bytes;
  // A group is closed before it exceeds its bound by more than one operation.
  options.log.frame_bytes_max = pipeline.group_bytes_max + 2 * config.limits.commit_bytes_max +
                                config.limits.value_bytes_max + (64U << 20);
  options.disk_reserve_bytes = config.database.disk_reserve;
  return options;
}

base::Result<std::unique_ptr<storage::StorageBackend>> open_backend(const Config& config,
                                                                    const std::string& directory) {
  storage::BackendOptions options;
  options.write_buffer_bytes = config.database.write_buffer_bytes;
  options.block_cache_bytes = config.database.block_cache_bytes;
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

net::ServerLimits net_limits(const Config& config) {
  net::ServerLimits limits;
  limits.connections_max = config.server.connections_max;
  limits.message_bytes_max = config.server.message_bytes_max;
  limits.depth_max = config.server.depth_max;
  limits.container_elements_max = config.server.container_elements_max;
  limits.in_flight_max = config.server.in_flight_max;
  limits.output_bytes_max = config.server.output_bytes_max;
  return limits;
}

std::vector<std::pair<std::string, std::string>> limits_report(const Config& config) {
  const auto text = [](std::uint64_t value) { return std::to_string(value); };
  return {{"limits.key_bytes_max", text(config.limits.key_bytes_max)},
          {"limits.value_bytes_max", text(config.limits.value_bytes_max)},
          {"limits.commit_bytes_max", text(config.limits.commit_bytes_max)},
          {"limits.conflict_ranges_max", text(config.limits.conflict_ranges_max)},
          {"limits.range_bytes_max", text(config.limits.range_bytes_max)},
          {"limits.range_bytes_framed_max", text(config.limits.range_bytes_framed_max)},
          {"server.message_bytes_max", text(config.server.message_bytes_max)},
          {"server.depth_max", text(config.server.depth_max)},
          {"server.connections_max", text(config.server.connections_max)},
          {"server.in_flight_max", text(config.server.in_flight_max)},
          {"server.output_bytes_max", text(config.server.output_bytes_max)},
          {"database.pending_max", text(config.database.pending_max)},
          {"database.log_bytes_max", text(config.database.log_bytes_max)}};
}

}  // namespace

ServerManager::ServerManager(const Config& config)
    : config_(config),
      started_(clock_.boot_time()),
      files_(storage::make_posix_file_system()),
      commit_(std::make_unique<net::Worker>("commit")),
      persistence_(std::make_unique<net::Worker>("persistence")),
      storage_(std::make_unique<net::Worker>("storage")) {
  const std::uint32_t count = worker_count(config);
  for (std::uint32_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<net::Worker>(base::concat("net-", i)));
  }
}

ServerManager::~ServerManager() {
  if (!stopped_ && store_ != nullptr) {
    const base::Status stopped = stop();
    if (!stopped.ok()) base::log_error("server", stopped.to_string());
  }
}

base::Result<std::unique_ptr<ServerManager>> ServerManager::start(const Config& config) {
  std::unique_ptr<ServerManager> manager(new ServerManager(config));
  SYNOD_RETURN_IF_ERROR(manager->open_store());
  manager->commit_->start();
  manager->persistence_->start();
  manager->storage_->start();
  for (auto& worker : manager->workers_) worker->start();
  const base::Status opened = manager->open_fronts();
  if (!opened.ok()) {
    const base::Status stopped = manager->stop();
    if (!stopped.ok()) base::log_error("server", stopped.to_string());
    return opened;
  }
  return manager;
}

base::Status ServerManager::open_store() {
  router::StandaloneSeams seams{
      *files_,
      commit_->dispatcher(),
      persistence_->dispatcher(),
      storage_->dispatcher(),
      base::Random(random_seed()),
      [this](const std::string& directory) { return open_backend(config_, directory); },
      [](const std::string& reason) { base::fail_stop("router", reason); }};
  SYNOD_ASSIGN_OR_RETURN(store_,
                         router::Standalone::open(std::move(seams), store_options(config_)));
  return store_->start();
}

base::Status ServerManager::open_fronts() {
  std::vector<net::Worker*> workers;
  for (auto& worker : workers_) workers.push_back(worker.get());
  KvServiceOptions options;
  options.node_id = static_cast<std::int32_t>(config_.server.node_id);
  options.range_bytes_max = config_.limits.range_bytes_max;
  options.framed_range_bytes_max = config_.limits.range_bytes_framed_max;
  if (config_.fault_injection.enabled) options.fault_injection_seed = random_seed();
  auto& timers = workers.front()->dispatcher();
  thrift_ = std::make_unique<ThriftServer>(
      net_limits(config_), make_kv_service(options, store_->router(), timers), workers);
  AdminContext context{*store_,
                       options.node_id,
                       SYNOD_VERSION,
                       config_.server.data_dir,
                       started_,
                       clock_,
                       limits_report(config_),
                       [this] { return thrift_->counters().open; }};
  net::ServerLimits admin_limits;
  admin_limits.connections_max = 64;
  admin_ =
      std::make_unique<ThriftServer>(admin_limits, make_admin_service(std::move(context)), workers);
  SYNOD_RETURN_IF_ERROR(admin_->listen_unix(config_.server.data_dir + "/admin.sock"));
  // The endpoint is known to diagnostics before the first client can ask for it.
  store_->router().set_endpoint(base::concat(config_.server.bind, ":", config_.server.port));
  SYNOD_ASSIGN_OR_RETURN(port_, thrift_->listen_tcp(config_.server.bind, config_.server.port));
  return {};
}

base::Status ServerManager::stop() {
  stopped_ = true;
  if (thrift_ != nullptr) thrift_->stop(kStopGrace);
  if (admin_ != nullptr) admin_->stop(kStopGrace);
  for (auto& worker : workers_) worker->stop();
  for (auto& worker : workers_) worker->join();
  // Upstream first: what a stopped thread posted is still run by the next one.
  commit_->stop();
  commit_->join();
  persistence_->stop();
  persistence_->join();
  store_->interrupt();
  storage_->stop();
  storage_->join();
  return store_->close();
}

}  // namespace synod::server
