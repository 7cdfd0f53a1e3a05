// SPDX-License-Identifier: Apache-2.0
#include <iomanip>
#include <ostream>
#include <string>

#include "base/text.h"
#include "client/bench/runner.h"

namespace synod::client {
namespace {

struct Percentile {
  const char* shown;
  const char* field;
  double fraction;
};
constexpr Percentile kPercentiles[] = {{"p50", "p50_ns", 0.5},
                                       {"p90", "p90_ns", 0.9},
                                       {"p99", "p99_ns", 0.99},
                                       {"p99.9", "p999_ns", 0.999},
                                       {"p99.99", "p9999_ns", 0.9999}};

const char* name_of(Target target) {
  return target == Target::kThrift ? "thrift" : target == Target::kResp ? "resp" : "etcd";
}

const char* name_of(Distribution distribution) {
  switch (distribution) {
    case Distribution::kUniform:
      return "uniform";
    case Distribution::kZipf:
      return "zipf";
    case Distribution::kSequential:
      return "sequential";
  }
  return "";
}

std::string sizes_text(ValueSizes sizes) {
  return sizes.min == sizes.max ? std::to_string(sizes.min)
                                : base::concat(sizes.min, "-", sizes.max);
}

void line(std::ostream& out, const char* name, const LatencyHistogram& histogram) {
  if (histogram.count() == 0) return;
  const auto us = [](auto ns) { return static_cast<double>(ns) / 1'000; };
  out << name << ": " << histogram.count() << " operations, us mean " << us(histogram.mean());
  for (const Percentile& each : kPercentiles) {
    out << ' ' << each.shown << ' ' << us(histogram.percentile(each.fraction));
  }
  out << " max " << us(histogram.max()) << '\n';
}

void error_lines(std::ostream& out, const char* when, const ErrorCounts& errors) {
  for (const auto& [code, count] : errors.by_code()) {
    out << when << ": " << count << " x " << code << '\n';
  }
}

/// Quotes and escapes; bytes that are not ASCII become \u00NN.
std::string json_string(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      out += '\\';
      out += each;
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += each;
    }
  }
  return out + '"';
}

void json_histogram(std::ostream& out, const char* name, const LatencyHistogram& histogram) {
  out << '"' << name << "\":{\"count\":" << histogram.count();
  for (const Percentile& each : kPercentiles) {
    out << ",\"" << each.field << "\":" << histogram.percentile(each.fraction);
  }
  out << ",\"max_ns\":" << histogram.max()
      << ",\"mean_ns\":" << static_cast<std::uint64_t>(histogram.mean()) << '}';
}

void json_errors(std::ostream& out, const ErrorCounts& errors) {
  out << '{';
  const char* separator = "";
  for (const auto& [code, count] : errors.by_code()) {
    out << separator << json_string(code) << ':' << count;
    separator = ",";
  }
  out << '}';
}

void json_configuration(std::ostream& out, const Workload& workload) {
  out << "\"configuration\":{\"target\":\"" << name_of(workload.target) << "\",\"endpoints\":[";
  const char* separator = "";
  for (const BenchEndpoint& each : workload.endpoints) {
    out << separator << json_string(base::concat(each.host, ":", each.port));
    separator = ",";
  }
  out << "],\"connections\":" << workload.connections << ",\"pipeline\":" << workload.pipeline
      << ",\"threads\":" << workload.threads << ",\"keys\":" << workload.key_count
      << ",\"value_size_min\":" << workload.value_sizes.min
      << ",\"value_size_max\":" << workload.value_sizes.max << ",\"distribution\":\""
      << name_of(workload.distribution) << "\",\"theta\":" << workload.theta
      << ",\"read_share\":" << workload.read_share << ",\"rate\":" << workload.rate
      << ",\"warm_up_s\":" << workload.warm_up_s << ",\"duration_s\":" << workload.duration_s
      << ",\"operations\":" << workload.operations << ",\"seed\":" << workload.seed
      << ",\"verify\":" << (workload.verify ? "true" : "false") << '}';
}

void json_load(std::ostream& out, const BenchReport::Load& load) {
  out << "\"load\":{\"keys\":" << load.keys << ",\"seconds\":" << load.seconds << ",\"errors\":";
  json_errors(out, load.errors);
  out << ',';
  json_histogram(out, "requests", load.requests);
  out << '}';
}

}  // namespace

void print_text(const Workload& workload, const BenchReport& report, std::ostream& out) {
  const Tally& tally = report.tally;
  out << std::fixed << std::setprecision(1);
  if (report.load.keys > 0) {
    out << "loaded " << report.load.keys << " keys in " << report.load.seconds << " s\n";
  }
  error_lines(out, "loading", report.load.errors);
  if (workload.load_only) return;
  out << name_of(workload.target) << ", " << workload.connections << " connections x "
      << workload.pipeline << ", " << workload.key_count << " keys ("
      << name_of(workload.distribution) << "), values of " << sizes_text(workload.value_sizes)
      << " bytes, " << 100 * workload.read_share << " % reads, ";
  if (workload.rate > 0) {
    out << "due at " << workload.rate << "/s\n";
  } else {
    out << "closed loop\n";
  }
  out << static_cast<std::uint64_t>(report.per_second()) << " operations/s for " << report.seconds
      << " s, " << report.cpu_us_per_op << " us of this process each\n";
  line(out, "reads", tally.reads);
  line(out, "writes", tally.writes);
  out << "errors " << tally.errors.total() << ", missing " << tally.missing << ", wrong values "
      << tally.wrong << (workload.verify ? "" : " (not verified)") << ", unsent " << tally.unsent
      << '\n';
  error_lines(out, "error", tally.errors);
  if (!tally.first_loss.empty()) out << "a connection failed: " << tally.first_loss << '\n';
}

void print_json(const Workload& workload, const BenchReport& report, std::ostream& out) {
  const Tally& tally = report.tally;
  out << std::setprecision(10) << '{';
  json_configuration(out, workload);
  out << ',';
  json_load(out, report.load);
  out << ",\"seconds\":" << report.seconds << ",\"answered\":" << tally.answered
      << ",\"operations_per_second\":" << report.per_second()
      << ",\"client_cpu_us_per_operation\":" << report.cpu_us_per_op
      << ",\"errors\":" << tally.errors.total() << ",\"errors_by_code\":";
  json_errors(out, tally.errors);
  out << ",\"missing\":" << tally.missing << ",\"wrong_values\":" << tally.wrong
      << ",\"unsent\":" << tally.unsent << ",\"failed\":" << (report.good() ? "false" : "true")
      << ",\"first_loss\":" << json_string(tally.first_loss) << ',';
  json_histogram(out, "reads", tally.reads);
  out << ',';
  json_histogram(out, "writes", tally.writes);
  out << ",\"per_second\":[";
  const char* separator = "";
  for (const std::uint64_t count : tally.per_second) {
    out << separator << count;
    separator = ",";
  }
  out << "]}\n";
}

}  // namespace synod::client
