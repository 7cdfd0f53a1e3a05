// SPDX-License-Identifier: Apache-2.0
#include "client/bench/runner.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "TransactionalKV.h"
#include "base/text.h"
#include "client/cpp/connection.h"

namespace synod::client {
namespace {

using Link = Connection<api::TransactionalKVClient>;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kLoadBatch = 200;

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
  Driver(Course& course, Link& link, std::uint64_t number)
      : course_(course), link_(link), number_(number), random_(course.workload.seed + number) {}

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
    get_.__set_key(bench_key(key));
    api::GetResponse reply;
    SYNOD_RETURN_IF_ERROR(link_.call([&](auto& api) { api.get(reply, get_); }));
    if (reply.__isset.error) {
      course_.errors.fetch_add(1);
    } else if (!reply.found || !is_bench_value(key, reply.value, course_.workload.value_size)) {
      course_.wrong.fetch_add(1);
    }
    return {};
  }

  base::Status write(std::uint64_t key) {
    set_.__set_key(bench_key(key));
    set_.__set_value(bench_value(key, (number_ << 40) + ++writes_, course_.workload.value_size));
    api::SetResponse reply;
    SYNOD_RETURN_IF_ERROR(link_.call([&](auto& api) { api.setKey(reply, set_); }));
    if (!reply.success) course_.errors.fetch_add(1);
    return {};
  }

  Course& course_;
  Link& link_;
  std::uint64_t number_;
  std::uint64_t writes_ = 0;
  base::Random random_;
  api::GetRequest get_;
  api::SetRequest set_;
};

base::Status load(const Workload& workload, Link& link) {
  for (std::uint64_t key = 0; key < workload.key_count;) {
    api::AtomicCommitRequest request;
    while (request.operations.size() < kLoadBatch && key < workload.key_count) {
      auto& step = request.operations.emplace_back();
      step.__set_type("set");
      step.__set_key(bench_key(key));
      step.__set_value(bench_value(key, 0, workload.value_size));
      ++key;
    }
    api::AtomicCommitResponse reply;
    SYNOD_RETURN_IF_ERROR(link.call([&](auto& api) { api.atomicCommit(reply, request); }));
    if (!reply.success) {
      return {base::StatusCode::kInternal,
              base::concat("loading failed: ", reply.error_code, ": ", reply.error)};
    }
  }
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
  std::vector<std::unique_ptr<Link>> links;
  for (std::uint32_t i = 0; i < workload.connections; ++i) {
    SYNOD_ASSIGN_OR_RETURN(auto link, Link::open_tcp(workload.host, workload.port, {}));
    links.push_back(std::move(link));
  }
  SYNOD_RETURN_IF_ERROR(load(workload, *links.front()));

  Course course{.workload = workload, .report = report, .measure_from = {}, .end = {}, .mutex = {}};
  std::latch ready(workload.connections + 1);
  std::latch go(1);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < workload.connections; ++i) {
    threads.emplace_back([&, i] {
      Driver driver(course, *links[i], i + 1);
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
