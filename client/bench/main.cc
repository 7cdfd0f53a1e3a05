// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <atomic>
#include <charconv>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/runner.h"

namespace synod::client {
namespace {

/// Set by a signal, which has no other way to say something.
std::atomic<bool> stop_asked = false;

constexpr std::uint32_t kConnectionsMax = 20'000;
constexpr std::uint32_t kValueBytesMax = 64U << 20U;

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

bool parse_endpoints(const std::vector<std::string>& texts, std::vector<BenchEndpoint>& out) {
  out.clear();
  for (const std::string& text : texts) {
    const std::size_t colon = text.rfind(':');
    std::uint16_t port = 0;
    if (colon == std::string::npos || colon == 0) return false;
    if (!parse_number(std::string_view(text).substr(colon + 1), port) || port == 0) return false;
    out.push_back({text.substr(0, colon), port});
  }
  return true;
}

/// "100" or "16-4096".
bool parse_sizes(std::string_view text, ValueSizes& sizes) {
  const std::size_t dash = text.find('-');
  if (!parse_number(text.substr(0, dash), sizes.min)) return false;
  sizes.max = sizes.min;
  if (dash != std::string_view::npos && !parse_number(text.substr(dash + 1), sizes.max)) {
    return false;
  }
  return kValueBytesMin <= sizes.min && sizes.min <= sizes.max && sizes.max <= kValueBytesMax;
}

/// What is on the command line as text and becomes part of a Workload after it was parsed.
struct Texts {
  std::vector<std::string> endpoints;
  std::string sizes = "100";
};

void add_where(CLI::App& app, Workload& workload, Texts& texts) {
  BenchEndpoint& first = workload.endpoints.front();
  app.add_option("--host", first.host)->capture_default_str();
  auto* port = app.add_option("--port", first.port)->capture_default_str();
  app.add_option("--endpoints", texts.endpoints, "host:port,…; connections go to them in turn")
      ->delimiter(',')
      ->excludes(port);
  const std::map<std::string, Target> targets = {
      {"thrift", Target::kThrift}, {"resp", Target::kResp}, {"etcd", Target::kEtcd}};
  app.add_option("--target,--protocol", workload.target,
                 "thrift (default), resp, or etcd's gRPC interface")
      ->transform(CLI::CheckedTransformer(targets));
  app.add_option("--connections", workload.connections)
      ->capture_default_str()
      ->check(CLI::Range(1U, kConnectionsMax));
  app.add_option("--pipeline", workload.pipeline, "Operations under way on each connection at most")
      ->capture_default_str()
      ->check(CLI::Range(1U, 65'536U));
  app.add_option("--threads", workload.threads, "Connections are spread over them")
      ->capture_default_str()
      ->check(CLI::Range(1U, 256U));
}

void add_what(CLI::App& app, Workload& workload, Texts& texts) {
  app.add_option("--keys,--key-count", workload.key_count)
      ->capture_default_str()
      ->check(CLI::Range(std::uint64_t{1}, kKeysMax));
  app.add_option("--value-size", texts.sizes, "Bytes, or MIN-MAX")->capture_default_str();
  const std::map<std::string, Distribution> distributions = {
      {"uniform", Distribution::kUniform},
      {"zipf", Distribution::kZipf},
      {"sequential", Distribution::kSequential}};
  app.add_option("--distribution", workload.distribution,
                 "Of keys: uniform (default), zipf, or sequential, which does not warm up")
      ->transform(CLI::CheckedTransformer(distributions));
  app.add_option("--theta", workload.theta, "How skewed zipf is")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 10.0));
  app.add_option("--read-share,--read-ratio", workload.read_share, "0 to 1")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", workload.seed, "Of the choice of keys")->capture_default_str();
  auto* no_load = app.add_flag("!--no-load,--load", workload.loads,
                               "Write the keys first (default), or not: they are there already");
  app.add_flag("--load-only", workload.load_only, "Write the keys, and nothing else")
      ->excludes(no_load);
  app.add_option("--loaders", workload.loaders, "Connections that write the keys first")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

void add_when(CLI::App& app, Workload& workload) {
  app.add_option("--rate", workload.rate,
                 "Operations due each second, whatever is answered; their latency counts from when "
                 "they were due. 0: as fast as answers come")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--warm-up,--warmup", workload.warm_up_s, "Seconds before measuring")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  auto* duration = app.add_option("--duration", workload.duration_s, "Seconds to measure")
                       ->capture_default_str()
                       ->check(CLI::PositiveNumber);
  app.add_option("--operations", workload.operations, "Stop after so many instead")
      ->check(CLI::PositiveNumber)
      ->excludes(duration);
}

int run(int argc, char** argv) {
  Workload workload;
  Texts texts;
  bool json = false;
  CLI::App app("synod-bench: load over a network interface, and how long answers take",
               "synod-bench");
  add_where(app, workload, texts);
  add_what(app, workload, texts);
  add_when(app, workload);
  app.add_flag("--verify", workload.verify, "Compare each value read; missing keys count as wrong");
  app.add_flag("--json", json, "One JSON object");
  app.footer(
      "A first SIGINT or SIGTERM ends the run and reports it, a second one ends the process.\n"
      "Exit codes: 0 all well, 1 an error or a wrong value, 2 usage, 4 no server.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!texts.endpoints.empty() && !parse_endpoints(texts.endpoints, workload.endpoints)) {
    std::cerr << "synod-bench: an endpoint is host:port\n";
    return 2;
  }
  if (!parse_sizes(texts.sizes, workload.value_sizes)) {
    std::cerr << "synod-bench: --value-size is a number from " << kValueBytesMin << " to "
              << kValueBytesMax << ", or two: MIN-MAX\n";
    return 2;
  }
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int again) {
      stop_asked = true;
      std::signal(again, SIG_DFL);
    });
  }
  workload.stop = &stop_asked;
  const auto report = std::make_unique<BenchReport>();
  const base::Status status = run_bench(workload, *report);
  if (!status.ok()) {
    std::cerr << "synod-bench: " << status.message() << '\n';
    return status.code() == base::StatusCode::kClosed ? 4 : 1;
  }
  (json ? print_json : print_text)(workload, *report, std::cout);
  return report->good() ? 0 : 1;
}

}  // namespace
}  // namespace synod::client

int main(int argc, char** argv) { return synod::client::run(argc, argv); }
