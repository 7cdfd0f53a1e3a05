// SPDX-License-Identifier: Apache-2.0
#include "client/bench/runner.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "client/bench/engine.h"
#include "client/bench/lane.h"

namespace synod::client {
namespace {

double to_seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint32_t thread_count(const Workload& workload) {
  return std::min(workload.threads, workload.connections);
}

/// One for each thread, the connections dealt out as evenly as they go.
base::Result<std::vector<std::unique_ptr<Engine>>> open_engines(const Workload& workload) {
  std::vector<std::unique_ptr<Engine>> engines;
  const std::uint64_t threads = thread_count(workload);
  for (std::uint64_t i = 0; i < threads; ++i) {
    const auto first = static_cast<std::uint32_t>(workload.connections * i / threads);
    const auto end = static_cast<std::uint32_t>(workload.connections * (i + 1) / threads);
    SYNOD_ASSIGN_OR_RETURN(auto engine, open_engine(workload, first, end - first));
    engines.push_back(std::move(engine));
  }
  return engines;
}

void load(const Workload& workload, Engine& engine, BenchReport& report) {
  LoadLane lane(workload, engine.load_batch());
  const std::int64_t begin = monotonic_ns();
  engine.run(lane, workload.loaders, 1);
  report.load.seconds = to_seconds(monotonic_ns() - begin);
  report.load.keys = lane.keys();
  report.load.requests = lane.requests();
  report.load.errors = lane.errors();
  report.tally.first_loss = lane.first_loss();
}

void run_lanes(const Workload& workload, std::vector<std::unique_ptr<Engine>>& engines,
               BenchReport& report) {
  const double cpu_before = cpu_seconds();
  const std::int64_t start = monotonic_ns();
  std::vector<std::unique_ptr<RunLane>> lanes;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    lanes.push_back(std::make_unique<RunLane>(workload, i, start));
  }
  for (std::size_t i = 1; i < engines.size(); ++i) {
    threads.emplace_back(
        [&, i] { engines[i]->run(*lanes[i], workload.connections, workload.pipeline); });
  }
  engines[0]->run(*lanes[0], workload.connections, workload.pipeline);
  for (std::thread& thread : threads) thread.join();
  for (const auto& lane : lanes) report.tally.merge(lane->tally());
  report.seconds = std::max(1e-9, to_seconds(monotonic_ns() - lanes[0]->measures_from()));
  report.cpu_us_per_op = (cpu_seconds() - cpu_before) * 1e6 /
                         static_cast<double>(std::max<std::uint64_t>(1, report.tally.answered));
}

}  // namespace

double BenchReport::per_second() const {
  return seconds > 0 ? static_cast<double>(tally.measured() - tally.unsent) / seconds : 0;
}

base::Status run_bench(const Workload& asked, BenchReport& report) {
  Workload workload = asked;
  workload.threads = thread_count(asked);
  SYNOD_ASSIGN_OR_RETURN(auto engines, open_engines(workload));
  if (workload.loads || workload.load_only) {
    load(workload, *engines.front(), report);
    if (!report.good()) return {};
  }
  if (!workload.load_only) run_lanes(workload, engines, report);
  return {};
}

}  // namespace synod::client
