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
#include "server/metrics/status_sampler.h"
#include "server/metrics/store_metrics.h"

namespace synod::server {

/// All metric families of one server, and the observers that feed them.
///
/// Owned by ServerManager, made before what it observes and destroyed after it:
///
///   options.log.observer = &metrics.log();
///   options.pipeline.observer = &metrics.commits();          // replicated: also .consensus()
///   ThriftServer(limits, service, workers, &metrics.front("thrift"));
///   auto sources = metrics.serve({...});                      // once everything runs
///   AdminHttpServer::start(http_options, std::move(sources)); // stopped before all the rest
///
/// Invariants
///   SM1  Nothing here is asked on a hot path but counters: status, peers and files are looked at
///        only while somebody scrapes, on the thread that does.
///
/// Threads: the observers from those they observe; the rest belongs to the owner.
class ServerMetrics {
 public:
  /// `clock` outlives it.
  explicit ServerMetrics(const base::Clock& clock);
  ServerMetrics(const ServerMetrics&) = delete;
  ServerMetrics& operator=(const ServerMetrics&) = delete;

  [[nodiscard]] base::MetricRegistry& registry() { return registry_; }
  [[nodiscard]] storage::LogObserver& log() { return log_; }
  [[nodiscard]] router::CommitObserver& commits() { return commits_; }
  [[nodiscard]] consensus::RuntimeObserver& consensus() { return consensus_; }
  /// For the sessions of a front: "thrift", ... REQUIRES: each name once.
  [[nodiscard]] CallObserver& front(std::string name);

  /// Whom to ask at a scrape. What they refer to lives until the admin port is stopped.
  struct Sources {
    StatusSampler::Fetch status;
    std::function<router::DatabaseCounters()> database;
    std::function<std::vector<FrontCounters>()> fronts;
    std::function<std::vector<net::PeerView>()> peers;  ///< Null: there are none.
    std::string data_dir;
    std::string version;
  };
  /// Once: registers what is sampled; returns what the admin port serves.
  [[nodiscard]] AdminHttpServer::Sources serve(Sources sources);

 private:
  const base::Clock& clock_;
  base::MetricRegistry registry_;
  LogMetrics log_;
  CommitMetrics commits_;
  ConsensusMetrics consensus_;
  base::CounterFamily& requests_;
  base::DistributionFamily& durations_;
  std::vector<std::unique_ptr<FrontMetrics>> fronts_;
};

}  // namespace synod::server
