// SPDX-License-Identifier: Apache-2.0
#include "base/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace synod::base {
namespace {

namespace fs = std::filesystem;

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// A stat file of /proc: the name in parentheses, which may hold anything, and the fields from the
/// third on.
struct ProcStat {
  std::string name;
  std::vector<std::string> fields;

  /// By its number in proc(5), which counts from 1.
  [[nodiscard]] double field(std::size_t number) const {
    constexpr std::size_t kFirst = 3;
    if (number - kFirst >= fields.size()) return 0;
    return std::strtod(fields[number - kFirst].c_str(), nullptr);
  }
  [[nodiscard]] double cpu_seconds() const {
    return (field(14) + field(15)) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
};

std::optional<ProcStat> read_stat(const std::string& path) {
  const std::string text = read_text(path);
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  ProcStat stat;
  stat.name = text.substr(open + 1, close - open - 1);
  std::istringstream rest(text.substr(close + 1));
  for (std::string field; rest >> field;) stat.fields.push_back(field);
  return stat;
}

/// Unix time at which the machine started.
double boot_seconds() {
  std::ifstream in("/proc/stat");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("btime ")) return std::strtod(line.c_str() + 6, nullptr);
  }
  return 0;
}

void collect_descriptors(Exposition& out) {
  std::error_code failed;
  std::uint64_t open = 0;
  for (fs::directory_iterator each("/proc/self/fd", failed), end; !failed && each != end;
       each.increment(failed)) {
    ++open;
  }
  if (!failed && open > 0) {
    // One of them is the directory that is being read.
    out.gauge("process_open_fds", "File descriptors in use.", static_cast<double>(open - 1));
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    out.gauge("process_max_fds", "File descriptors allowed.", static_cast<double>(limit.rlim_cur));
  }
}

void collect_threads(Exposition& out) {
  std::map<std::string, double> seconds;
  std::uint64_t threads = 0;
  std::error_code failed;
  for (fs::directory_iterator each("/proc/self/task", failed), end; !failed && each != end;
       each.increment(failed)) {
    // A thread may end between the listing and the reading.
    const auto stat = read_stat(each->path().string() + "/stat");
    if (!stat) continue;
    seconds[stat->name] += stat->cpu_seconds();
    ++threads;
  }
  out.gauge("process_threads", "Threads that run now.", static_cast<double>(threads));
  out.family("thread_cpu_seconds_total", MetricType::kCounter,
             "Processor time of the threads that run now, by name.");
  for (const auto& [name, value] : seconds) {
    const Label label{"name", name};
    out.sample({&label, 1}, value);
  }
}

}  // namespace

void collect_process_metrics(Exposition& out) {
  if (const auto stat = read_stat("/proc/self/stat")) {
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    out.counter("process_cpu_seconds_total", "User and system processor time.",
                stat->cpu_seconds());
    out.gauge("process_virtual_memory_bytes", "Size of the address space.", stat->field(23));
    out.gauge("process_resident_memory_bytes", "Memory in core.", stat->field(24) * page);
    out.gauge("process_start_time_seconds", "Unix time at which the process started.",
              boot_seconds() + stat->field(22) / ticks);
  }
  collect_descriptors(out);
  collect_threads(out);
}

}  // namespace synod::base
