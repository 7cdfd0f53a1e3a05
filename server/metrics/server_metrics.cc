// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/server_metrics.h"

#include <utility>

#include "base/assert.h"
#include "base/process_metrics.h"

namespace synod::server {
namespace {

/// A store that takes longer is not well, and the scraper has a deadline of its own.
constexpr base::Nanos kStatusPatience = std::chrono::milliseconds(500);

void expose_build(base::Exposition& out, const std::string& version) {
  out.family("build_info", base::MetricType::kGauge, "Always 1; the label says what runs.");
  const base::Label label{"version", version};
  out.sample({&label, 1}, std::uint64_t{1});
}

}  // namespace

StoreMeters::StoreMeters(StoreFamilies& families, std::string name, const base::Clock& clock)
    : replica(std::move(name)),
      series(families, replica),
      log(series, clock),
      commits(series),
      consensus(series, commits),
      storage(series, clock) {}

ServerMetrics::ServerMetrics(const base::Clock& clock, const std::vector<std::string>& stores)
    : clock_(clock),
      registry_("synod_"),
      families_(registry_, stores.size() > 1),
      calls_{registry_.counters("requests_total", "Calls answered, by front, method and code.",
                                {"front", "op", "code"}),
             registry_.distributions("request_duration_seconds",
                                     "Time from the arrival of a call to its reply.",
                                     base::BucketLayout::durations(), {"front", "op"}),
             registry_.counters("slow_requests_total", "Calls that took 100 ms or longer.",
                                {"front", "op"})} {
  for (const std::string& name : stores) {
    stores_.push_back(
        std::make_unique<StoreMeters>(families_, stores.size() > 1 ? name : "", clock));
  }
}

CallObserver& ServerMetrics::front(std::string name) {
  fronts_.push_back(std::make_unique<FrontMetrics>(std::move(name), calls_));
  return *fronts_.back();
}

std::vector<StoreSample> ServerMetrics::sample(const Sources& sources, const Samplers& samplers) {
  std::vector<StoreSample> samples;
  for (std::size_t i = 0; i < sources.stores.size(); ++i) {
    const StoreSource& source = sources.stores[i];
    StoreSample sample;
    sample.replica = stores_[i]->replica;
    sample.status = samplers[i]->sample(kStatusPatience);
    sample.database = source.database();
    sample.engine = stores_[i]->storage.stats();
    if (source.peers) sample.peers = source.peers();
    sample.disk_bytes = bytes_below(source.data_dir);
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::vector<FullChannel> ServerMetrics::full_channels(
    const std::vector<StoreSample>& stores, const std::vector<FrontCounters>& fronts) const {
  FullChannel operations{"operations", 0};
  for (const auto& front : fronts_) operations.refusals += front->refused_as_busy();
  FullChannel peers{"peers", 0};
  for (const StoreSample& store : stores) {
    for (const net::PeerView& peer : store.peers) peers.refusals += peer.frames_dropped;
  }
  FullChannel connections{"connections", 0};
  for (const FrontCounters& front : fronts) {
    connections.refusals += front.counters.refused_over_limit;
  }
  return {connections, operations, peers};
}

AdminHttpServer::Sources ServerMetrics::serve(Sources sources) {
  SYNOD_ASSERT(sources.stores.size() == stores_.size(), "SM2: every store was announced");
  auto shared = std::make_shared<const Sources>(std::move(sources));
  auto samplers = std::make_shared<Samplers>();
  for (const StoreSource& store : shared->stores) {
    samplers->push_back(std::make_unique<StatusSampler>(store.status));
  }
  registry_.collect([this, shared, samplers](base::Exposition& out) {
    expose_build(out, shared->version);
    const std::vector<StoreSample> stores = sample(*shared, *samplers);
    const std::vector<FrontCounters> fronts = shared->fronts();
    expose_stores(out, stores);
    expose_peers(out, stores, clock_.boot_time());
    expose_fronts(out, fronts);
    expose_full_channels(out, full_channels(stores, fronts));
  });
  registry_.collect(base::collect_process_metrics);
  AdminHttpServer::Sources http;
  http.metrics = [this](std::string& out) { registry_.expose(out); };
  http.checks = [samplers] { return ready_checks(samplers->front()->sample(kStatusPatience)); };
  http.version = shared->version;
  return http;
}

}  // namespace synod::server
