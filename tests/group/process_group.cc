// SPDX-License-Identifier: Apache-2.0
#include "tests/group/process_group.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <thrift/Thrift.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace synod::group {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kStopSeconds = 60;
constexpr int kToolSeconds = 120;
constexpr int kPollMs = 20;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A free moment between two looks at a process that says nothing by itself.
void pause() { ::poll(nullptr, 0, kPollMs); }

}  // namespace

ProcessGroup::ProcessGroup(GroupOptions options)
    : options_(std::move(options)),
      directory_(options_.directory.empty() ? suite::fresh_directory(options_.name)
                                            : options_.directory),
      first_port_(suite::free_ports(2 * kNodes)) {
  // Clients of a node that is down would fill the output with refused connections.
  apache::thrift::GlobalOutput.setOutputFunction([](const char*) {});
}

ProcessGroup::~ProcessGroup() {
  for (suite::ServerProcess& process : processes_) process.kill_and_wait();
  if (!testing::Test::HasFailure() && options_.directory.empty()) {
    std::filesystem::remove_all(directory_);
  }
}

base::Status ProcessGroup::start() {
  for (std::size_t node = 0; node < kNodes; ++node) SYNOD_RETURN_IF_ERROR(launch(node));
  for (std::size_t node = 0; node < kNodes; ++node) SYNOD_RETURN_IF_ERROR(wait_for_port(node));
  return time_to_write(0, Seconds(30)).status();
}

base::Status ProcessGroup::launch(std::size_t node) {
  std::string peers;
  for (std::size_t i = 0; i < kNodes; ++i) {
    peers += base::concat(i == 0 ? "" : ",", i + 1, "=", options_.hosts[i], ":",
                          first_port_ + kNodes + i);
  }
  std::vector<std::string> words;
  if (options_.prefix) words = options_.prefix(node);
  for (const std::string& word :
       {std::string(SYNOD_SERVER_BINARY), std::string("--replicated"), std::string("--peers"),
        peers, std::string("--node-id"), std::to_string(node + 1), std::string("--port"),
        std::to_string(client_port(node)), std::string("--bind"), options_.hosts[node],
        std::string("--data-dir"), data_of(node).string()}) {
    words.push_back(word);
  }
  for (const std::string& setting : options_.settings) {
    words.emplace_back("--set");
    words.push_back(setting);
  }
  suite::ServerProcess::Command command;
  command.binary = words.front();
  command.arguments.assign(words.begin() + 1, words.end());
  command.environment = {{"SYNOD__ADMIN__HTTP_PORT", "0"}};
  command.directory = directory_;
  command.log = log_file_of(node);
  return processes_[node].start(command);
}

base::Status ProcessGroup::wait_for_port(std::size_t node) {
  return processes_[node]
      .wait_for_port(client_port(node), options_.hosts[node])
      .with_context(base::concat("see ", log_file_of(node).string(), ": "));
}

base::Result<int> ProcessGroup::stop(std::size_t node) {
  processes_[node].signal(SIGTERM);
  return processes_[node].wait(kStopSeconds);
}

client::Endpoint ProcessGroup::endpoint(std::size_t node) const {
  return {options_.hosts[node], client_port(node)};
}

std::vector<client::Endpoint> ProcessGroup::endpoints() const {
  std::vector<client::Endpoint> all;
  for (std::size_t node = 0; node < kNodes; ++node) all.push_back(endpoint(node));
  return all;
}

std::filesystem::path ProcessGroup::data_of(std::size_t node) const {
  return directory_ / base::concat("node_", node + 1);
}

std::filesystem::path ProcessGroup::log_file_of(std::size_t node) const {
  return directory_ / base::concat("node_", node + 1, ".log");
}

std::string ProcessGroup::log_of(std::size_t node) const { return text_of(log_file_of(node)); }

suite::Finished ProcessGroup::ctl(std::size_t node,
                                  const std::vector<std::string>& arguments) const {
  suite::ServerProcess::Command command;
  command.binary = SYNODCTL_BINARY;
  command.arguments = {"--data-dir", data_of(node).string()};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.directory = directory_;
  command.log = directory_ / "ctl.log";
  auto finished = suite::run_to_end(command, kToolSeconds);
  return finished.ok() ? std::move(*finished) : suite::Finished{-1, finished.status().to_string()};
}

std::string ProcessGroup::status_of(std::size_t node, const std::string& name) const {
  const suite::Finished finished = ctl(node, {"status"});
  std::istringstream lines(finished.output);
  std::string word;
  std::string rest;
  while (lines >> word && std::getline(lines >> std::ws, rest)) {
    if (word == name) return rest;
  }
  return {};
}

std::optional<std::size_t> ProcessGroup::leader(std::optional<std::size_t> except) const {
  for (std::size_t node = 0; node < kNodes; ++node) {
    if (node == except || !processes_[node].running()) continue;
    const std::string id = status_of(node, "leader_id");
    if (id.size() == 1 && id[0] >= '1' && id[0] <= '3') {
      return static_cast<std::size_t>(id[0] - '1');
    }
  }
  return std::nullopt;
}

base::Result<std::chrono::milliseconds> ProcessGroup::time_to_write(std::size_t node,
                                                                    Seconds limit) const {
  const auto begun = SteadyClock::now();
  base::Status last(base::StatusCode::kTimeout, "nothing was tried");
  while (SteadyClock::now() - begun < limit) {
    auto client = client::Client::connect({endpoint(node)});
    if (client.ok()) {
      const auto version = client->set("time-to-write", "x");
      if (version.ok()) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - begun);
      }
      last = version.status();
    } else {
      last = client.status();
    }
    pause();
  }
  return base::Status(base::StatusCode::kTimeout,
                      base::concat("no write at node ", node + 1, ": ", last.to_string()));
}

base::Status ProcessGroup::wait_for_equal_replicas(Seconds limit) const {
  const auto end = SteadyClock::now() + limit;
  suite::Finished finished;
  const bool all_run = std::all_of(processes_.begin(), processes_.end(),
                                   [](const auto& process) { return process.running(); });
  do {
    for (std::size_t node = 0; node < kNodes; ++node) {
      if (!processes_[node].running()) continue;
      finished = ctl(node, {"verify"});
      // Who runs must have been asked: just after its start it may not be connected yet.
      const bool is_whole = finished.output.find("not compared") == std::string::npos;
      if (finished.code == 0 && (is_whole || !all_run)) return {};
    }
    pause();
  } while (SteadyClock::now() < end);
  return {base::StatusCode::kInternal,
          base::concat("verify ended with ", finished.code, ": ", finished.output)};
}

std::uint16_t ProcessGroup::client_port(std::size_t node) const {
  return static_cast<std::uint16_t>(first_port_ + node);
}

}  // namespace synod::group
