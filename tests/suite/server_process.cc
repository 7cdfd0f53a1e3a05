// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "tests/suite/raw_socket.h"

extern char** environ;  // NOLINT

namespace synod::suite {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kStartSeconds = 60;
constexpr int kPollMs = 10;

/// The environment of the child: ours, with some variables added or replaced.
std::vector<std::string> merged_environment(const ServerProcess::Command& command) {
  std::vector<std::string> merged;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text(*variable);
    bool replaced = false;
    for (const auto& [name, value] : command.environment) {
      replaced = replaced || text.starts_with(name + "=");
    }
    if (!replaced) merged.push_back(text);
  }
  for (const auto& [name, value] : command.environment) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Binds `port` of loopback, any for 0, and lets go of it; 0: it is taken.
std::uint16_t bound_port(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  std::uint16_t bound = 0;
  if (::bind(fd, raw, size) == 0 && ::getsockname(fd, raw, &size) == 0) {
    bound = ntohs(address.sin_port);
  }
  ::close(fd);
  return bound;
}

}  // namespace

ServerProcess::~ServerProcess() { kill_and_wait(); }

base::Status ServerProcess::start(const Command& command) {
  SYNOD_ASSERT(!running(), "one process at a time");
  std::vector<std::string> arguments{command.binary.string()};
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  std::vector<std::string> environment = merged_environment(command);
  const auto argv = pointers_to(arguments);
  const auto envp = pointers_to(environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return {base::StatusCode::kIoError, std::strerror(errno)};
  if (child == 0) {
    // Only calls that are safe after a fork with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    const int log = ::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    if (::chdir(command.directory.c_str()) != 0) ::_exit(126);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  pid_ = child;
  return {};
}

base::Status ServerProcess::wait_for_port(std::uint16_t port, const std::string& host) {
  const auto end = SteadyClock::now() + std::chrono::seconds(kStartSeconds);
  while (SteadyClock::now() < end) {
    if (RawSocket({host, port}).connected()) return {};
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return {base::StatusCode::kClosed,
              base::concat("the server ended while starting, wait status ", status)};
    }
    ::poll(nullptr, 0, kPollMs);
  }
  return {base::StatusCode::kTimeout, base::concat("nothing listens on port ", port)};
}

void ServerProcess::signal(int number) const {
  if (running()) ::kill(pid_, number);
}

base::Result<int> ServerProcess::wait(int seconds) {
  const auto end = SteadyClock::now() + std::chrono::seconds(seconds);
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (SteadyClock::now() > end) {
      return base::Status(base::StatusCode::kTimeout, "the server does not end");
    }
    ::poll(nullptr, 0, kPollMs);
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void ServerProcess::kill_and_wait() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

base::Result<Finished> run_to_end(const ServerProcess::Command& command, int seconds) {
  std::filesystem::remove(command.log);
  ServerProcess process;
  SYNOD_RETURN_IF_ERROR(process.start(command));
  const auto code = process.wait(seconds);
  std::ifstream log(command.log);
  std::string output{std::istreambuf_iterator<char>(log), {}};
  if (!code.ok()) return code.status().with_context(base::concat("'", output, "' and then: "));
  return Finished{*code, std::move(output)};
}

std::uint16_t free_port() { return bound_port(0); }

std::uint16_t free_ports(std::uint16_t count) {
  constexpr std::uint32_t kFirst = 10'000;
  constexpr std::uint32_t kLast = 32'000;
  // Processes that run at once begin at different places.
  static std::uint32_t next = static_cast<std::uint32_t>(::getpid()) * 7'919;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto first = static_cast<std::uint16_t>(kFirst + next % (kLast - kFirst - count));
    next += 16;
    std::uint16_t found = 0;
    while (found < count && bound_port(static_cast<std::uint16_t>(first + found)) != 0) ++found;
    if (found == count) return first;
  }
  return 0;
}

std::filesystem::path fresh_directory(const std::string& name) {
  static std::atomic<int> next{0};
  const std::filesystem::path path = std::filesystem::path(SYNOD_SUITE_WORK_DIR) /
                                     base::concat(name, "-", ::getpid(), "-", next.fetch_add(1));
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

std::uint64_t resident_bytes_of(pid_t pid) {
  std::ifstream statm(base::concat("/proc/", pid, "/statm"));
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace synod::suite
