// SPDX-License-Identifier: Apache-2.0
#include <thrift/Thrift.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/runner.h"

namespace synod::client {
namespace {

constexpr std::uint32_t kConnectionsMax = 256;

bool parse_endpoints(const std::vector<std::string>& texts, std::vector<BenchEndpoint>& out) {
  out.clear();
  for (const std::string& text : texts) {
    const std::size_t colon = text.rfind(':');
    unsigned port = 0;
    const char* end = text.data() + text.size();
    if (colon == std::string::npos || colon == 0) return false;
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || stop != end || port == 0 || port > 65'535) return false;
    out.push_back({text.substr(0, colon), static_cast<std::uint16_t>(port)});
  }
  return true;
}

int run(int argc, char** argv) {
  apache::thrift::GlobalOutput.setOutputFunction([](const char*) {});
  Workload workload;
  bool json = false;
  CLI::App app("synod-bench: closed-loop load over a network interface; verifies what it reads",
               "synod-bench");
  BenchEndpoint& first = workload.endpoints.front();
  app.add_option("--host", first.host)->capture_default_str();
  auto* port = app.add_option("--port", first.port)->capture_default_str();
  std::vector<std::string> endpoints;
  app.add_option("--endpoints", endpoints, "host:port,…; connections go to them in turn")
      ->delimiter(',')
      ->excludes(port);
  const std::map<std::string, Protocol> protocols = {{"thrift", Protocol::kThrift},
                                                     {"etcd", Protocol::kEtcd}};
  app.add_option("--protocol", workload.protocol, "thrift (default) or etcd's gRPC interface")
      ->transform(CLI::CheckedTransformer(protocols));
  app.add_option("--loaders", workload.loaders, "Connections that write the keys first")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("!--no-load", workload.loads, "The keys are there from an earlier run");
  app.add_option("--connections", workload.connections, "Each with one operation under way")
      ->capture_default_str()
      ->check(CLI::Range(1U, kConnectionsMax));
  app.add_option("--value-size", workload.value_size, "Bytes")
      ->capture_default_str()
      ->check(CLI::Range(kValueBytesMin, 64U << 20));
  app.add_option("--key-count", workload.key_count)
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--read-ratio", workload.read_ratio, "Share of reads")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  auto* duration = app.add_option("--duration", workload.duration_s, "Seconds to measure")
                       ->capture_default_str()
                       ->check(CLI::PositiveNumber);
  app.add_option("--operations", workload.operations, "Stop after so many instead")
      ->check(CLI::PositiveNumber)
      ->excludes(duration);
  app.add_option("--warmup", workload.warmup_s, "Seconds before measuring")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", workload.seed, "Of the choice of keys")->capture_default_str();
  app.add_flag("--json", json, "One JSON object");
  app.footer("Exit codes: 0 all well, 1 an error or a wrong value, 2 usage, 4 no server.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!endpoints.empty() && !parse_endpoints(endpoints, workload.endpoints)) {
    std::cerr << "synod-bench: an endpoint is host:port\n";
    return 2;
  }
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
