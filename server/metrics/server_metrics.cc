// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/server_metrics.h"

#include <utility>

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

ServerMetrics::ServerMetrics(const base::Clock& clock)
    : clock_(clock),
      registry_("synod_"),
      log_(registry_, clock),
      commits_(registry_),
      consensus_(registry_, commits_),
      requests_(registry_.counters("requests_total", "Calls answered, by front, method and code.",
                                   {"front", "op", "code"})),
      durations_(registry_.distributions("request_duration_seconds",
                                         "Time from the arrival of a call to its reply.",
                                         base::BucketLayout::durations(), {"front", "op"})) {}

CallObserver& ServerMetrics::front(std::string name) {
  fronts_.push_back(std::make_unique<FrontMetrics>(std::move(name), requests_, durations_));
  return *fronts_.back();
}

AdminHttpServer::Sources ServerMetrics::serve(Sources sources) {
  auto shared = std::make_shared<const Sources>(std::move(sources));
  auto sampler = std::make_shared<StatusSampler>(shared->status);
  registry_.collect([this, shared, sampler](base::Exposition& out) {
    expose_build(out, shared->version);
    expose_store(out, sampler->sample(kStatusPatience));
    expose_database(out, shared->database());
    expose_fronts(out, shared->fronts());
    if (shared->peers) expose_peers(out, shared->peers(), clock_.boot_time());
    out.gauge("storage_size_bytes", "Size of all files in the data directory.",
              static_cast<double>(bytes_below(shared->data_dir)));
  });
  registry_.collect(base::collect_process_metrics);
  AdminHttpServer::Sources http;
  http.metrics = [this](std::string& out) { registry_.expose(out); };
  http.checks = [sampler] { return ready_checks(sampler->sample(kStatusPatience)); };
  http.version = shared->version;
  return http;
}

}  // namespace synod::server
