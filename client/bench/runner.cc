// SPDX-License-Identifier: Apache-2.0
#include "client/bench/runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "base/text.h"
#include "client/bench/target.h"

namespace synod::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

SteadyClock::duration seconds(double count) {
  return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(count));
}

/// Shared by the threads of one run.
struct Course {
  const Workload& workload;
  BenchReport& report;
  SteadyClock::time_point measure_from;
  SteadyClock::time_point end;
  std::atomic<std::uint64_t> begun{0};  ///< Measured operations, for --operations.
  std::atomic<std::uint64_t> errors{0};
  std::atomic<std::uint64_t> wrong{0};
  std::mutex mutex;  ///< Guards report.first_error.

  void fail(const std::string& message) {
    const std::lock_guard lock(mutex);
    if (report.first_error.empty()) report.first_error = message;
  }

  /// False once enough operations have begun or the time is over.
  bool take(SteadyClock::time_point now) {
    if (workload.operations == 0) return now < end;
    return now < measure_from || begun.fetch_add(1) < workload.operations;
  }
};

/// One connection's closed loop.
class Driver {
 public:
  Driver(Course& course, Target& target, std::uint64_t number)
      : course_(course), target_(target), number_(number), random_(course.workload.seed + number) {}

  void run() {
    for (;;) {
      const auto begin = SteadyClock::now();
      if (!course_.take(begin)) return;
      const bool read = random_.unit() < course_.workload.read_ratio;
      const std::uint64_t key = random_.below(course_.workload.key_count);
      const base::Status status = read ? this->read(key) : write(key);
      if (!status.ok()) {
        course_.fail(status.to_string());
        return;
      }
      if (begin < course_.measure_from) continue;
      const auto spent = SteadyClock::now() - begin;
      auto& histogram = read ? course_.report.reads : course_.report.writes;
      histogram.record(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count()));
    }
  }

 private:
  base::Status read(std::uint64_t key) {
    SYNOD_ASSIGN_OR_RETURN(const auto reply, target_.read(bench_key(key)));
    if (reply.is_refused) {
      course_.errors.fetch_add(1);
    } else if (!reply.value || !is_bench_value(key, *reply.value, course_.workload.value_size)) {
      course_.wrong.fetch_add(1);
    }
    return {};
  }

  base::Status write(std::uint64_t key) {
    const auto value = bench_value(key, (number_ << 40) + ++writes_, course_.workload.value_size);
    SYNOD_ASSIGN_OR_RETURN(const bool done, target_.write(bench_key(key), value));
    if (!done) course_.errors.fetch_add(1);
    return {};
  }

  Course& course_;
  Target& target_;
  std::uint64_t number_;
  std::uint64_t writes_ = 0;
  base::Random random_;
};

/// Every key once, over a few connections: stores that take one write at a time are not slower
/// to fill than they have to be.
base::Status load(const Workload& workload, std::vector<std::unique_ptr<Target>>& targets) {
  const std::size_t loaders = std::min<std::size_t>(workload.loaders, targets.size());
  std::vector<base::Status> results(loaders);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < loaders; ++i) {
    threads.emplace_back([&, i] {
      results[i] = targets[i]->load(workload.key_count * i / loaders,
                                    workload.key_count * (i + 1) / loaders, workload.value_size);
    });
  }
  for (auto& thread : threads) thread.join();
  for (const base::Status& result : results) SYNOD_RETURN_IF_ERROR(result);
  return {};
}

void line(std::ostream& out, const char* name, const base::Histogram& histogram) {
  if (histogram.count() == 0) return;
  const auto us = [&](double fraction) {
    return std::to_string(histogram.percentile(fraction) / 1'000);
  };
  out << name << ": " << histogram.count() << " operations, us mean "
      << static_cast<std::uint64_t>(histogram.mean() / 1'000) << " p50 " << us(0.5) << " p90 "
      << us(0.9) << " p99 " << us(0.99) << " p99.9 " << us(0.999) << " max "
      << histogram.max() / 1'000 << '\n';
}

void json_histogram(std::ostream& out, const char* name, const base::Histogram& histogram) {
  out << "\"" << name << "\":{\"count\":" << histogram.count();
  const struct {
    const char* name;
    double fraction;
  } rows[] = {{"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p999_ns", 0.999}};
  for (const auto& row : rows) {
    out << ",\"" << row.name << "\":" << histogram.percentile(row.fraction);
  }
  out << ",\"max_ns\":" << histogram.max()
      << ",\"mean_ns\":" << static_cast<std::uint64_t>(histogram.mean()) << "}";
}

double per_second(const BenchReport& report) {
  const auto count = static_cast<double>(report.reads.count() + report.writes.count());
  return report.seconds > 0 ? count / report.seconds : 0;
}

}  // namespace

base::Status run_bench(const Workload& workload, BenchReport& report) {
  std::vector<std::unique_ptr<Target>> targets;
  for (std::uint32_t i = 0; i < workload.connections; ++i) {
    SYNOD_ASSIGN_OR_RETURN(auto target, open_target(workload, i));
    targets.push_back(std::move(target));
  }
  SYNOD_RETURN_IF_ERROR(load(workload, targets));

  Course course{.workload = workload, .report = report, .measure_from = {}, .end = {}, .mutex = {}};
  std::latch ready(workload.connections + 1);
  std::latch go(1);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < workload.connections; ++i) {
    threads.emplace_back([&, i] {
      Driver driver(course, *targets[i], i + 1);
      ready.count_down();
      go.wait();
      driver.run();
    });
  }
  ready.arrive_and_wait();
  course.measure_from = SteadyClock::now() + seconds(workload.warmup_s);
  course.end = course.measure_from + seconds(workload.duration_s);
  go.count_down();
  for (auto& thread : threads) thread.join();
  report.seconds = std::chrono::duration<double>(SteadyClock::now() - course.measure_from).count();
  report.errors = course.errors;
  report.wrong = course.wrong;
  return {};
}

void print_text(const Workload& workload, const BenchReport& report, std::ostream& out) {
  out << workload.connections << " connections, " << workload.key_count << " keys, values of "
      << workload.value_size << " bytes, reads " << workload.read_ratio << '\n'
      << static_cast<std::uint64_t>(per_second(report)) << " operations/s for " << report.seconds
      << " s\n";
  line(out, "reads", report.reads);
  line(out, "writes", report.writes);
  out << "errors " << report.errors << ", wrong values " << report.wrong << '\n';
  if (!report.first_error.empty()) out << "a connection failed: " << report.first_error << '\n';
}

void print_json(const Workload& workload, const BenchReport& report, std::ostream& out) {
  out << "{\"connections\":" << workload.connections << ",\"key_count\":" << workload.key_count
      << ",\"value_size\":" << workload.value_size << ",\"read_ratio\":" << workload.read_ratio
      << ",\"seconds\":" << report.seconds << ",\"operations_per_second\":" << per_second(report)
      << ",\"errors\":" << report.errors << ",\"wrong_values\":" << report.wrong
      << ",\"failed\":" << (report.first_error.empty() ? "false" : "true") << ",";
  json_histogram(out, "reads", report.reads);
  out << ",";
  json_histogram(out, "writes", report.writes);
  out << "}\n";
}

}  // namespace synod::client
