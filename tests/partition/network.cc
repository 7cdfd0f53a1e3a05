// SPDX-License-Identifier: Apache-2.0
#include "tests/partition/network.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "tests/suite/server_process.h"

namespace synod::partition {
namespace {

constexpr unsigned kNumbers = 250;
constexpr int kToolSeconds = 30;
constexpr const char* kIp = "/sbin/ip";

/// Holds a name that only one process of this network namespace can have, and that is free when it
/// ends: an address of the abstract kind. -1: somebody has it.
int locked(unsigned number) {
  const std::string name = base::concat("synod-partition-", number);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(&address.sun_path[1], name.data(), name.size());  // the first byte stays zero
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(sizeof(sa_family_t) + 1 + name.size());
  if (fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

base::Result<std::unique_ptr<Network>> Network::create() {
  for (unsigned number = 1; number <= kNumbers; ++number) {
    const int lock = locked(number);
    if (lock < 0) continue;
    std::unique_ptr<Network> network(new Network(lock, number, suite::fresh_directory("network")));
    SYNOD_RETURN_IF_ERROR(network->remove());  // N3
    if (const base::Status made = network->make(); !made.ok()) {
      return base::Status(base::StatusCode::kUnsupported,
                          base::concat("this machine must permit network namespaces, bridges and "
                                       "nftables (root, or CAP_NET_ADMIN and CAP_SYS_ADMIN; "
                                       "packages iproute2 and nftables): ",
                                       made.message()));
    }
    return network;
  }
  return base::Status(base::StatusCode::kLimitExceeded, "too many networks on this machine");
}

Network::~Network() {
  remove().ignore();  // N3: the next owner of the number tries again
  std::filesystem::remove_all(directory_);
  ::close(lock_);
}

std::string Network::name() const { return base::concat("synodp", number_); }

std::string Network::space(std::size_t node) const { return base::concat(name(), "-", node + 1); }

std::string Network::host(std::size_t node) const {
  return base::concat("10.77.", number_, ".", node + 1);
}

std::vector<std::string> Network::prefix(std::size_t node) const {
  return {kIp, "netns", "exec", space(node)};
}

base::Status Network::shell(const std::string& script) const {
  suite::ServerProcess::Command command;
  command.binary = "/bin/sh";
  command.arguments = {"-c", "PATH=$PATH:/usr/sbin:/sbin; " + script};
  command.directory = directory_;
  command.log = directory_ / "tools.log";
  SYNOD_ASSIGN_OR_RETURN(const auto finished, suite::run_to_end(command, kToolSeconds));
  if (finished.code == 0) return {};
  return {base::StatusCode::kInternal,
          base::concat(script, " ended with ", finished.code, ": ", finished.output)};
}

base::Status Network::make() const {
  const std::string bridge = name();
  std::string script =
      base::concat("set -e; ip link add ", bridge, " type bridge; ip addr add ", "10.77.", number_,
                   ".254/24 dev ", bridge, "; ip link set ", bridge, " up; ");
  for (std::size_t node = 0; node < kNodes; ++node) {
    const std::string here = space(node);
    const std::string inside = base::concat("ip -n ", here, " ");
    script += base::concat("ip netns add ", here, "; ip link add ", here,
                           " type veth peer name eth0 netns ", here, "; ip link set ", here,
                           " master ", bridge, " up; ");
    script += base::concat(inside, "addr add ", host(node), "/24 dev eth0; ", inside,
                           "link set lo up; ", inside, "link set eth0 up; ");
    script += base::concat("ip netns exec ", here,
                           " nft 'add table ip synod; add chain ip synod faults "
                           "{ type filter hook input priority 0; policy accept; }'; ");
  }
  return shell(script);
}

base::Status Network::remove() const {
  std::string script;
  for (std::size_t node = 0; node < kNodes; ++node) {
    script += base::concat("ip netns del ", space(node), " 2>/dev/null; ip link del ", space(node),
                           " 2>/dev/null; ");
  }
  return shell(base::concat(script, "ip link del ", name(), " 2>/dev/null; true"));
}

std::string Network::rules_of(std::size_t node) const {
  std::string rules = "flush chain ip synod faults; ";
  for (std::size_t from = 0; from < kNodes; ++from) {
    if (from == node) continue;
    const std::string rule = base::concat("add rule ip synod faults ip saddr ", host(from), " ");
    if (cut_[node][from]) rules += rule + "drop; ";
    if (loss_ > 0) rules += base::concat(rule, "numgen random mod 100 < ", loss_, " drop; ");
  }
  return rules;
}

base::Status Network::apply() const {
  std::string script = "set -e; ";
  for (std::size_t node = 0; node < kNodes; ++node) {
    script += base::concat("ip netns exec ", space(node), " nft '", rules_of(node), "'; ");
  }
  return shell(script);
}

base::Status Network::cut(std::size_t from, std::size_t to) {
  cut_[to][from] = true;
  return apply();
}

base::Status Network::cut_both(std::size_t one, std::size_t other) {
  cut_[one][other] = true;
  return cut(one, other);
}

base::Status Network::isolate(std::size_t node) {
  for (std::size_t other = 0; other < kNodes; ++other) {
    if (other != node) cut_[node][other] = cut_[other][node] = true;
  }
  return apply();
}

base::Status Network::lose(unsigned percent) {
  SYNOD_ASSERT(percent <= 100, "of a hundred");
  loss_ = percent;
  return apply();
}

base::Status Network::heal() {
  cut_ = {};
  loss_ = 0;
  return apply();
}

group::GroupOptions options_in(const Network& network, const std::string& name) {
  group::GroupOptions options;
  options.name = name;
  options.settings = {"server.insecure_plaintext=true", "cluster.insecure_peers=true",
                      "consensus.hold_ms=1000", "consensus.request_timeout_ms=2000",
                      // So that who was away often comes back by an image, not by the log.
                      "consensus.snapshot_every_slots=1000", "consensus.keep_slots=10"};
  if (const char* mode = std::getenv("SYNOD_PARTITION_READ_MODE")) {
    options.settings.push_back(base::concat("consensus.read_mode=", mode));
  }
  for (std::size_t node = 0; node < kNodes; ++node) options.hosts[node] = network.host(node);
  options.prefix = [&network](std::size_t node) { return network.prefix(node); };
  return options;
}

}  // namespace synod::partition
