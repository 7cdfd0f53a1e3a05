// SPDX-License-Identifier: Apache-2.0
#include "server/server_manager.h"

#include <utility>

#include "base/logging.h"
#include "base/text.h"
#include "server/thrift/admin_service.h"
#include "server/thrift/kv_service.h"

namespace synod::server {
namespace {

constexpr base::Nanos kStopGrace = std::chrono::seconds(10);
constexpr base::Nanos kHandOver = std::chrono::seconds(1);
constexpr base::Nanos kReplicaWatch = std::chrono::milliseconds(200);

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

/// The stores of this process, as metrics call them.
std::vector<std::string> store_names(const Config& config) {
  if (shape_of(config) != Shape::kAllReplicas) return {""};
  std::vector<std::string> names;
  for (const PeerEntry& peer : group_of(config)) names.push_back(std::to_string(peer.id));
  return names;
}

/// Where clients reach this process, as far as one address can say it.
std::string thrift_endpoint(const Config& config) {
  std::string host = config.server.bind;
  const bool is_everywhere = host == "0.0.0.0" || host == "::";
  if (is_everywhere && shape_of(config) == Shape::kOneReplica) {
    for (const PeerEntry& peer : group_of(config)) {
      if (peer.id == config.server.node_id) host = peer.host;
    }
  }
  return format_endpoint(host, config.server.port);
}

}  // namespace

ServerManager::ServerManager(const Config& config)
    : config_(config),
      started_(clock_.boot_time()),
      files_(storage::make_posix_file_system()),
      metrics_(clock_, store_names(config)),
      usable_(replicas_here(config)) {
  const std::uint32_t count = worker_count(config);
  for (std::uint32_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<net::Worker>(base::concat("net-", i)));
  }
  for (auto& usable : usable_) usable.store(true);
}

ServerManager::~ServerManager() {
  if (!stopped_ && !hosts_.empty()) {
    const base::Status stopped = stop();
    if (!stopped.ok()) base::log_error("server", stopped.to_string());
  }
}

base::Result<std::unique_ptr<ServerManager>> ServerManager::start(const Config& config) {
  std::unique_ptr<ServerManager> manager(new ServerManager(config));
  SYNOD_RETURN_IF_ERROR(manager->open_stores());
  const base::Status started = manager->start_all();
  if (!started.ok()) {
    const base::Status stopped = manager->stop();
    if (!stopped.ok()) base::log_error("server", stopped.to_string());
    return started;
  }
  return manager;
}

base::Status ServerManager::open_stores() {
  const Shape shape = shape_of(config_);
  if (shape == Shape::kStandalone) {
    SYNOD_ASSIGN_OR_RETURN(auto host, open_standalone(config_, *files_, next_observers()));
    hosts_.push_back(std::move(host));
    return {};
  }
  const std::string& folder = config_.server.data_dir;
  if (shape == Shape::kAllReplicas && files_->exists(folder + "/IDENTITY")) {
    // Beside it, empty replicas would look like a loss of all data.
    return {base::StatusCode::kNotFound,
            base::concat(folder,
                         " holds the data of a single node, not folders of replicas; "
                         "cluster.replicated needs a folder of its own")};
  }
  for (const PeerEntry& peer : group_of(config_)) {
    if (shape == Shape::kOneReplica && peer.id != config_.server.node_id) continue;
    SYNOD_ASSIGN_OR_RETURN(auto host, open_replica(config_, peer, *files_, next_observers()));
    hosts_.push_back(std::move(host));
  }
  return {};
}

base::Status ServerManager::start_all() {
  for (auto& host : hosts_) SYNOD_RETURN_IF_ERROR(host->start());
  for (auto& worker : workers_) worker->start();
  return open_fronts();
}

/// Of the store that is opened next.
StoreObservers ServerManager::next_observers() {
  StoreMeters& meters = metrics_.store(hosts_.size());
  return {&meters.log, &meters.commits, &meters.consensus, &meters.storage};
}

std::shared_ptr<const ThriftService> ServerManager::make_front(StoreHost& host) {
  KvServiceOptions options;
  options.node_id = static_cast<std::int32_t>(host.node_id());
  options.range_bytes_max = config_.limits.range_bytes_max;
  options.framed_range_bytes_max = config_.limits.range_bytes_framed_max;
  if (config_.fault_injection.enabled) options.fault_injection_seed = random_seed();
  return make_kv_service(options, host.store().router(), workers_.front()->dispatcher());
}

base::Status ServerManager::open_fronts() {
  std::vector<net::Worker*> workers;
  for (auto& worker : workers_) workers.push_back(worker.get());
  for (auto& host : hosts_) services_.push_back(make_front(*host));
  const auto choose = [this]() -> const ThriftService& {
    for (std::size_t i = 0; i < services_.size(); ++i) {
      if (usable_[i].load()) return *services_[i];
    }
    return *services_.front();
  };
  thrift_ = std::make_unique<ThriftServer>(net_limits(config_), choose, workers,
                                           &metrics_.front("thrift"));
  for (auto& host : hosts_) SYNOD_RETURN_IF_ERROR(open_admin(*host, workers));
  if (shape_of(config_) == Shape::kAllReplicas) {
    SYNOD_RETURN_IF_ERROR(admins_.front()->listen_unix(config_.server.data_dir + "/admin.sock"));
    workers_.front()->dispatcher().post([this] { watch_replicas(); });
  }
  // The endpoint is known to diagnostics before the first client can ask for it.
  const std::string endpoint = thrift_endpoint(config_);
  for (auto& host : hosts_) host->store().set_endpoint(endpoint);
  SYNOD_ASSIGN_OR_RETURN(port_, thrift_->listen_tcp(config_.server.bind, config_.server.port));
  return open_monitoring();
}

base::Status ServerManager::open_monitoring() {
  if (config_.admin.http_port == 0) return {};
  ServerMetrics::Sources watched;
  for (auto& each : hosts_) {
    StoreHost& host = *each;
    watched.stores.push_back(
        {.status = [&host](auto done) { host.store().status(std::move(done)); },
         .database = [&host] { return host.store().router().counters(); },
         .peers = [&host] { return host.peers(); },
         .data_dir = host.directory()});
  }
  watched.fronts = [this] { return std::vector<FrontCounters>{{"thrift", thrift_->counters()}}; };
  watched.version = SYNOD_VERSION;
  auto sources = metrics_.serve(std::move(watched));
  AdminHttpOptions options;
  options.bind = config_.admin.http_bind;
  options.port = config_.admin.http_port;
  auto opened = AdminHttpServer::start(options, std::move(sources));
  if (opened.ok()) {
    monitoring_ = std::move(*opened);
    base::log_info("server", base::concat("metrics and health on http://", options.bind, ":",
                                          monitoring_->port()));
    return {};
  }
  // Several servers on one machine, all with the default: not worth to stay away for.
  const bool is_default_taken = opened.status().code() == base::StatusCode::kAlreadyExists &&
                                options.port == AdminSection().http_port;
  if (!is_default_taken) return opened.status();
  base::log_warning("server", base::concat("no metrics and health: ", opened.status().message()));
  return {};
}

base::Status ServerManager::open_admin(StoreHost& host, const std::vector<net::Worker*>& workers) {
  AdminContext context{host.store(),
                       static_cast<std::int32_t>(host.node_id()),
                       SYNOD_VERSION,
                       host.directory(),
                       host.peer_endpoint(),
                       started_,
                       clock_,
                       limits_report(config_),
                       [this] { return thrift_->counters().open; }};
  net::ServerLimits limits;
  limits.connections_max = 64;
  admins_.push_back(
      std::make_unique<ThriftServer>(limits, make_admin_service(std::move(context)), workers));
  return admins_.back()->listen_unix(host.directory() + "/admin.sock");
}

void ServerManager::watch_replicas() {
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    hosts_[i]->store().status([this, i](const router::StoreStatus& status) {
      usable_[i].store(status.group && status.group->has_leader);
    });
  }
  workers_.front()->dispatcher().run_after(kReplicaWatch, [this] { watch_replicas(); });
}

base::Status ServerManager::stop() {
  stopped_ = true;
  // While the front still serves. Replicas of one process all stop.
  if (shape_of(config_) == Shape::kOneReplica && port_ != 0) hosts_.front()->hand_over(kHandOver);
  if (monitoring_ != nullptr) monitoring_->stop();
  if (thrift_ != nullptr) thrift_->stop(kStopGrace);
  for (auto& admin : admins_) admin->stop(kStopGrace);
  for (auto& worker : workers_) worker->stop();
  for (auto& worker : workers_) worker->join();
  base::Status result;
  for (auto& host : hosts_) {
    const base::Status stopped = host->stop();
    if (!stopped.ok()) result = stopped;
  }
  return result;
}

}  // namespace synod::server
