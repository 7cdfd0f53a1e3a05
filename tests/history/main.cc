// SPDX-License-Identifier: Apache-2.0
//
// synod-history check FILE...
// synod-history run --endpoint host:port[,host:port...] --workload NAME --seconds N --seed S
//                   --out FILE [--threads N] [--keys N] [--prefix TEXT]
//
// Exit code: 0 all is well, 1 a history is bad, 2 undecided or too few operations were ok, 64 wrong
// use, 74 a file or the store could not be read or written. `run` writes the history and checks it.
#include <charconv>
#include <fstream>
#include <iostream>
#include <map>

#include "base/text.h"
#include "tests/history/thrift_client.h"
#include "tests/history/workloads.h"

namespace synod::history {
namespace {

constexpr int kExitBad = 1;
constexpr int kExitUnknown = 2;
constexpr int kExitUsage = 64;
constexpr int kExitIo = 74;

using Flags = std::map<std::string, std::string>;

int usage() {
  std::cerr << "usage: synod-history check FILE...\n"
               "       synod-history run --endpoint HOST:PORT[,...] --workload NAME --seconds N\n"
               "                         --seed S --out FILE [--threads N] [--keys N]"
               " [--prefix TEXT]\n"
               "workloads:";
  for (const std::string_view name : kWorkloads) std::cerr << ' ' << name;
  std::cerr << '\n';
  return kExitUsage;
}

int report(const std::string& name, const std::vector<Event>& events) {
  const base::SystemClock clock;
  const auto operations = operations_of(events);
  if (!operations.ok()) {
    std::cerr << name << ": " << operations.status().to_string() << '\n';
    return kExitIo;
  }
  const base::Nanos start = clock.boot_time();
  const auto found = check_history(events, clock);
  if (!found.ok()) {
    std::cerr << name << ": " << found.status().to_string() << '\n';
    return kExitIo;
  }
  const auto millis = std::chrono::duration_cast<base::Millis>(clock.boot_time() - start);
  std::cout << name << ": " << summarize(*operations).to_string() << "; checked in "
            << millis.count() << " ms: " << found->to_string();
  return found->verdict() == Verdict::kOk    ? 0
         : found->verdict() == Verdict::kBad ? kExitBad
                                             : kExitUnknown;
}

int check_files(const std::vector<std::string>& files) {
  if (files.empty()) return usage();
  int worst = 0;
  for (const std::string& name : files) {
    std::ifstream in(name);
    const auto events =
        in ? read_history(in) : base::Status(base::StatusCode::kIoError, "it cannot be opened");
    if (!events.ok()) {
      std::cerr << name << ": " << events.status().to_string() << '\n';
      return kExitIo;
    }
    const int code = report(name, *events);
    // Bad outweighs undecided.
    if (code == kExitBad || worst == 0 || code >= kExitUsage) worst = code;
  }
  return worst;
}

template <class Number>
bool parse(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_endpoints(std::string_view text, std::vector<client::Endpoint>& endpoints) {
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    const std::size_t colon = one.rfind(':');
    if (colon == std::string_view::npos) return false;
    client::Endpoint endpoint;
    endpoint.host = std::string(one.substr(0, colon));
    if (!parse(std::string(one.substr(colon + 1)), endpoint.port)) return false;
    endpoints.push_back(std::move(endpoint));
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool take_flags(const std::vector<std::string>& words, Flags& flags) {
  if (words.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (!words[i].starts_with("--") || !flags.emplace(words[i], words[i + 1]).second) return false;
  }
  return true;
}

/// Fills the options from flags that it removes.
bool take_options(Flags& flags, WorkloadOptions& options) {
  int seconds = 1;
  const auto number = [&](const char* name, auto& into) {
    const auto node = flags.extract(name);
    return node.empty() || parse(node.mapped(), into);
  };
  const auto text = [&](const char* name, std::string& into) {
    const auto node = flags.extract(name);
    if (!node.empty()) into = node.mapped();
  };
  text("--workload", options.workload);
  text("--prefix", options.prefix);
  const bool good = number("--seconds", seconds) && number("--seed", options.seed) &&
                    number("--threads", options.threads) && number("--keys", options.keys);
  options.duration = std::chrono::seconds(seconds);
  options.operations_max = UINT64_MAX;
  return good && seconds > 0 && options.threads > 0 && options.keys >= 4 && !options.prefix.empty();
}

int run(const std::vector<std::string>& words) {
  Flags flags;
  WorkloadOptions options;
  std::vector<client::Endpoint> endpoints;
  if (!take_flags(words, flags) || !take_options(flags, options)) return usage();
  const std::string out = flags["--out"];
  if (out.empty() || !parse_endpoints(flags["--endpoint"], endpoints)) return usage();
  flags.erase("--out");
  flags.erase("--endpoint");
  if (!flags.empty()) return usage();

  const base::SystemClock clock;
  std::ofstream file(out, std::ios::trunc);
  Recorder recorder(clock, &file);
  const base::Status status =
      run_workload(options, thrift_clients(endpoints, client::ClientOptions{}), clock, recorder);
  const auto events = recorder.finish();
  if (!events.ok()) {
    std::cerr << out << ": " << events.status().to_string() << '\n';
    return kExitIo;
  }
  const int code = report(out, *events);
  if (code == kExitBad) return code;
  if (!status.ok()) {
    std::cerr << status.to_string() << '\n';
    return kExitIo;
  }
  const auto operations = operations_of(*events);
  if (code != 0 || !operations.ok()) return code;
  const HistorySummary summary = summarize(*operations);
  if (summary.applied * 2 >= summary.total()) return 0;
  std::cout << "fewer than half of the operations were ok: that tests little\n";
  return kExitUnknown;
}

int run_main(const std::vector<std::string>& words) {
  if (words.empty()) return usage();
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (words[0] == "check") return check_files(rest);
  return words[0] == "run" ? run(rest) : usage();
}

}  // namespace
}  // namespace synod::history

int main(int argc, char** argv) {
  return synod::history::run_main(std::vector<std::string>(argv + 1, argv + argc));
}
