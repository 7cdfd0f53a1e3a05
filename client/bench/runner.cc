// SPDX-License-Identifier: Apache-2.0
#include "client/bench/runner.h"

#include <chrono>
#include <memory>
#include <vector>

#include "base/text.h"
#include "client/bench/engine.h"

namespace synod::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

SteadyClock::duration seconds(double count) {
  return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(count));
}

/// Shared by the connections of one run.
struct Course {
  const Workload& workload;
  BenchReport& report;
  SteadyClock::time_point measure_from;
  SteadyClock::time_point end;
  std::uint64_t begun = 0;  ///< Measured operations, for --operations.

  /// False once enough operations have begun or the time is over.
  bool take(SteadyClock::time_point now) {
    if (workload.operations == 0) return now < end;
    return now < measure_from || begun++ < workload.operations;
  }
};

/// One connection's closed loop.
class Driver final : public Caller {
 public:
  Driver(Course& course, std::uint64_t number)
      : course_(course), number_(number), random_(course.workload.seed + number) {}

  std::optional<Operation> next() override {
    begin_ = SteadyClock::now();
    if (!course_.take(begin_)) return std::nullopt;
    is_read_ = random_.unit() < course_.workload.read_ratio;
    key_ = random_.below(course_.workload.key_count);
    Operation operation{bench_key(key_), std::nullopt};
    if (!is_read_) {
      operation.value = bench_value(key_, (number_ << 40) + ++writes_, course_.workload.value_size);
    }
    return operation;
  }

  void on_reply(const Reply& reply) override {
    ++course_.report.answered;
    if (reply.is_refused) {
      ++course_.report.errors;
    } else if (is_read_ && !is_right(reply)) {
      ++course_.report.wrong;
    }
    if (begin_ < course_.measure_from) return;
    auto& histogram = is_read_ ? course_.report.reads : course_.report.writes;
    histogram.record(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now() - begin_).count()));
  }

  void on_lost(const base::Status& why) override {
    if (course_.report.first_error.empty()) course_.report.first_error = why.to_string();
  }

 private:
  [[nodiscard]] bool is_right(const Reply& reply) const {
    return reply.value && is_bench_value(key_, *reply.value, course_.workload.value_size);
  }

  Course& course_;
  const std::uint64_t number_;
  std::uint64_t writes_ = 0;
  base::Random random_;
  SteadyClock::time_point begin_;
  bool is_read_ = false;
  std::uint64_t key_ = 0;
};

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
  SYNOD_ASSIGN_OR_RETURN(const auto engine, open_engine(workload));
  if (workload.loads) SYNOD_RETURN_IF_ERROR(engine->load(workload));

  Course course{.workload = workload, .report = report, .measure_from = {}, .end = {}};
  std::vector<std::unique_ptr<Driver>> drivers;
  std::vector<Caller*> callers;
  for (std::uint32_t i = 0; i < workload.connections; ++i) {
    callers.push_back(drivers.emplace_back(std::make_unique<Driver>(course, i + 1)).get());
  }
  course.measure_from = SteadyClock::now() + seconds(workload.warmup_s);
  course.end = course.measure_from + seconds(workload.duration_s);
  engine->run(callers);
  report.seconds = std::chrono::duration<double>(SteadyClock::now() - course.measure_from).count();
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
      << ",\"seconds\":" << report.seconds << ",\"answered\":" << report.answered
      << ",\"operations_per_second\":" << per_second(report) << ",\"errors\":" << report.errors
      << ",\"wrong_values\":" << report.wrong
      << ",\"failed\":" << (report.first_error.empty() ? "false" : "true") << ",";
  json_histogram(out, "reads", report.reads);
  out << ",";
  json_histogram(out, "writes", report.writes);
  out << "}\n";
}

}  // namespace synod::client
