// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "server/http/admin_http_server.h"
#include "server/metrics/consensus_metrics.h"
#include "server/metrics/front_metrics.h"
#include "server/metrics/log_metrics.h"
#include "server/metrics/measured_backend.h"
#include "server/metrics/status_sampler.h"
#include "server/metrics/store_metrics.h"
#include "server/metrics/store_series.h"

namespace synod::server {

/// What one store of the process is observed by.
struct StoreMeters {
  StoreMeters(StoreFamilies& families, std::string name, const base::Clock& clock);

  const std::string replica;  ///< Value of the label; empty: the only store of the process.
  StoreSeries series;
  LogMetrics log;
  CommitMetrics commits;
  ConsensusMetrics consensus;
  StorageMetrics storage;
};

/// All metric families of one server, and the observers that feed them.
///
/// Owned by ServerManager, made before what it observes and destroyed after it:
///
///   options.log.observer = &metrics.store(0).log;
///   options.pipeline.observer = &metrics.store(0).commits;   // replicated: also .consensus
///   ThriftServer(limits, service, workers, &metrics.front("thrift"));
///   auto sources = metrics.serve({...});                      // once everything runs
///   AdminHttpServer::start(http_options, std::move(sources)); // stopped before all the rest
///
/// Invariants
///   SM1  Nothing here is asked on a hot path but counters: status, peers and files are looked at
///        only while somebody scrapes, on the thread that does.
///   SM2  The series of a store carry the label `replica` if and only if the process has several.
///
/// Threads: the observers from those they observe; the rest belongs to the owner.
class ServerMetrics {
 public:
  /// One name for each store of the process; of an only one it does not matter. `clock` outlives
  /// it.
  ServerMetrics(const base::Clock& clock, const std::vector<std::string>& stores);
  ServerMetrics(const ServerMetrics&) = delete;
  ServerMetrics& operator=(const ServerMetrics&) = delete;

  [[nodiscard]] base::MetricRegistry& registry() { return registry_; }
  [[nodiscard]] StoreMeters& store(std::size_t index) { return *stores_.at(index); }
  /// For the sessions of a front: "thrift", ... REQUIRES: each name once.
  [[nodiscard]] CallObserver& front(std::string name);

  struct StoreSource {
    StatusSampler::Fetch status;
    std::function<router::DatabaseCounters()> database;
    std::function<std::vector<net::PeerView>()> peers;  ///< Null: there are none.
    std::string data_dir;
  };
  /// Whom to ask at a scrape. What they refer to lives until the admin port is stopped.
  struct Sources {
    std::vector<StoreSource> stores;  ///< As many as there are names. The first decides readiness.
    std::function<std::vector<FrontCounters>()> fronts;
    std::string version;
  };
  /// Once: registers what is sampled; returns what the admin port serves.
  [[nodiscard]] AdminHttpServer::Sources serve(Sources sources);

 private:
  using Samplers = std::vector<std::unique_ptr<StatusSampler>>;
  [[nodiscard]] std::vector<StoreSample> sample(const Sources& sources, const Samplers& samplers);
  [[nodiscard]] std::vector<FullChannel> full_channels(
      const std::vector<StoreSample>& stores, const std::vector<FrontCounters>& fronts) const;

  const base::Clock& clock_;
  base::MetricRegistry registry_;
  StoreFamilies families_;
  std::vector<std::unique_ptr<StoreMeters>> stores_;
  CallFamilies calls_;
  std::vector<std::unique_ptr<FrontMetrics>> fronts_;
};

}  // namespace synod::server
