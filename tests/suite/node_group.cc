// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/node_group.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace synod::suite {
namespace {

using base::concat;
using SteadyClock = std::chrono::steady_clock;

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

bool eventually(const std::function<bool()>& condition, int seconds) {
  const auto end = SteadyClock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (SteadyClock::now() > end) return false;
    ::poll(nullptr, 0, 20);
  }
  return true;
}

NodeGroup::NodeGroup(const std::string& name, int nodes, int members)
    : nodes_(nodes),
      members_(members),
      directory_(fresh_directory(name)),
      first_port_(free_ports(static_cast<std::uint16_t>(2 * nodes))) {}

NodeGroup::~NodeGroup() {
  for (auto& [node, process] : processes_) process.kill_and_wait();
  if (!::testing::Test::HasFailure()) std::filesystem::remove_all(directory_);
}

std::uint16_t NodeGroup::peer_port(int node) const {
  return static_cast<std::uint16_t>(first_port_ + nodes_ + node - 1);
}

NodeEndpoint NodeGroup::endpoint(int node) const {
  return {"127.0.0.1", static_cast<std::uint16_t>(first_port_ + node - 1)};
}

std::string NodeGroup::peers(int count, const std::map<int, std::uint16_t>& instead) const {
  std::string text;
  for (int node = 1; node <= count; ++node) {
    const auto other = instead.find(node);
    text += concat(node == 1 ? "" : ",", node,
                   "=127.0.0.1:", other == instead.end() ? peer_port(node) : other->second);
  }
  return text;
}

std::filesystem::path NodeGroup::log_of(int node) const {
  return directory_ / concat("node_", node, ".log");
}

base::Status NodeGroup::start(int node) {
  Setup& setup = setups_[node];
  if (setup.peers.empty()) setup.peers = peers(std::max(node, members_));
  if (setup.number == 0) setup.number = node;
  if (setup.directory.empty()) setup.directory = directory_ / concat("node_", node);
  ServerProcess::Command command;
  command.binary = SYNOD_SERVER_BINARY;
  command.arguments = {"--replicated",
                       "--peers",
                       setup.peers,
                       "--node-id",
                       std::to_string(setup.number),
                       "--port",
                       std::to_string(endpoint(node).port),
                       "--data-dir",
                       setup.directory.string()};
  command.arguments.insert(command.arguments.end(), setup.flags.begin(), setup.flags.end());
  command.environment = {{"SYNOD__ADMIN__HTTP_PORT", "0"}};
  command.directory = directory_;
  command.log = log_of(node);
  return processes_[node].start(command);
}

base::Status NodeGroup::start_members() {
  for (int node = 1; node <= members_; ++node) SYNOD_RETURN_IF_ERROR(start(node));
  for (int node = 1; node <= members_; ++node) SYNOD_RETURN_IF_ERROR(wait_until_ready(node));
  return {};
}

base::Status NodeGroup::wait_until_ready(int node) {
  SYNOD_RETURN_IF_ERROR(processes_[node].wait_for_port(endpoint(node).port));
  if (eventually([&] { return ctl(node, {"health"}).code == 0; }, 60)) return {};
  return {base::StatusCode::kTimeout,
          concat("node ", node, " is not ready; see ", log_of(node).string())};
}

int NodeGroup::exit_code(int node) {
  const auto code = processes_[node].wait(30);
  return code.ok() ? *code : -1000;
}

Finished NodeGroup::ctl(int node, std::vector<std::string> arguments) const {
  static std::atomic<int> next{0};
  const auto setup = setups_.find(node);
  if (setup == setups_.end()) return {-1, "it was never started"};
  ServerProcess::Command command;
  command.binary = SYNODCTL_BINARY;
  command.arguments = {"--data-dir", setup->second.directory.string()};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.directory = directory_;
  command.log = directory_ / concat("ctl-", next.fetch_add(1), ".out");
  const auto finished = run_to_end(command, 120);
  std::filesystem::remove(command.log);
  EXPECT_TRUE(finished.ok() || finished.status().code() == base::StatusCode::kTimeout)
      << finished.status().to_string();
  return finished.ok() ? *finished : Finished{-1000, finished.status().to_string()};
}

std::string NodeGroup::field(int node, const std::string& name) const {
  const std::string text = ctl(node, {"status"}).output;
  std::size_t at = text.starts_with(name + " ") ? 0 : text.find("\n" + name + " ");
  if (at == std::string::npos) return "";
  at = text.find_first_not_of(' ', text.find(name, at) + name.size());
  return text.substr(at, text.find('\n', at) - at);
}

int NodeGroup::leader_at(int node) const { return std::atoi(field(node, "leader_id").c_str()); }

std::string NodeGroup::log(int node) const { return contents(log_of(node)); }

void NodeGroup::put(int node, const std::string& key, const std::string& value) const {
  api::SetRequest request;
  request.__set_key(key);
  request.__set_value(value);
  api::SetResponse reply;
  const bool is_done = eventually([&] {
    Peer peer(endpoint(node));
    peer->setKey(reply, request);
    return reply.success;
  });
  EXPECT_TRUE(is_done) << key << " at node " << node << ": " << reply.error;
}

std::string NodeGroup::read(int node, const std::string& key) const {
  api::GetRequest request;
  request.__set_key(key);
  api::GetResponse reply;
  const bool is_done = eventually([&] {
    Peer peer(endpoint(node));
    reply = {};
    peer->get(reply, request);
    return !reply.__isset.error;
  });
  EXPECT_TRUE(is_done) << key << " at node " << node << ": " << reply.error;
  return reply.found ? reply.value : "(missing)";
}

}  // namespace synod::suite
