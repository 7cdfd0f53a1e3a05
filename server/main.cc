// SPDX-License-Identifier: Apache-2.0
// synod-server: reads the configuration, starts everything, waits for a signal, stops everything.
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "base/logging.h"
#include "base/text.h"
#include "server/config/start_up.h"
#include "server/log_tool.h"
#include "server/server_manager.h"

namespace {

using synod::server::ExitCode;

int exit_code(ExitCode code) { return static_cast<int>(code); }

/// Blocked before any thread exists, so that only main ever receives them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

ExitCode code_for(const synod::base::Status& status) {
  using synod::base::StatusCode;
  switch (status.code()) {
    case StatusCode::kAlreadyExists:
      return ExitCode::kPortInUse;
    case StatusCode::kCorruption:
    case StatusCode::kBusy:
    case StatusCode::kIoError:
    case StatusCode::kNoSpace:
    case StatusCode::kNotFound:
      return ExitCode::kDataFolder;
    default:
      return ExitCode::kFailed;
  }
}

/// A second signal does not wait: what is acknowledged is in the log already.
void force_on_second_signal(const sigset_t& signals) {
  std::thread([signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    synod::base::log_warning("server", "second signal: leaving without finishing");
    _exit(exit_code(ExitCode::kFailed));
  }).detach();
}

/// One heap for all threads: with a limit, what is free in one of many is of no use to the others.
/// Large buffers go back to the system when they are freed.
void bound_allocator(const synod::server::Config& config) {
  constexpr int kMappedBytesMin = 256 << 10;
  constexpr int kFreeBytesMax = 4 << 20;
  if (config.database.memory_limit == 0) return;
  const bool is_bound = mallopt(M_ARENA_MAX, 1) == 1 &&
                        mallopt(M_MMAP_THRESHOLD, kMappedBytesMin) == 1 &&
                        mallopt(M_TRIM_THRESHOLD, kFreeBytesMax) == 1;
  if (!is_bound) synod::base::log_warning("server", "the allocator takes no bounds");
}

int serve(const synod::server::Config& config, const sigset_t& signals) {
  auto manager = synod::server::ServerManager::start(config);
  if (!manager.ok()) {
    synod::base::log_error("server", manager.status().to_string());
    return exit_code(code_for(manager.status()));
  }
  synod::base::log_info(
      "server", synod::base::concat("serving Thrift on ", config.server.bind, ":",
                                    (*manager)->port(), ", data in ", config.server.data_dir));
  int signal = 0;
  sigwait(&signals, &signal);
  synod::base::log_info("server", "stopping");
  force_on_second_signal(signals);
  const synod::base::Status stopped = (*manager)->stop();
  if (!stopped.ok()) {
    synod::base::log_error("server", stopped.to_string());
    return exit_code(ExitCode::kFailed);
  }
  synod::base::log_info("server", "stopped");
  return exit_code(ExitCode::kOk);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "tool") {
    return synod::server::run_tool(std::vector<std::string>(argv + 2, argv + argc));
  }
  const auto start = synod::server::start_up(argc, argv, environ);
  if (!start.loaded) return exit_code(start.exit_code);
  const sigset_t signals = block_signals();
  synod::base::configure_logging(synod::server::log_options(start.loaded->config));
  synod::server::log_notes(*start.loaded);
  bound_allocator(start.loaded->config);
  return serve(start.loaded->config, signals);
}
