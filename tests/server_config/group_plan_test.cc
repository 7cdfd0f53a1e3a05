// SPDX-License-Identifier: Apache-2.0
#include "server/config/group_plan.h"

#include <gtest/gtest.h>

#include <string>

#include "server/config/config_load.h"

namespace synod::server {
namespace {

constexpr const char* kThree = "1=127.0.0.1:6001,2=127.0.0.1:6002,3=127.0.0.1:6003";

/// The complaints about a configuration that is replicated and differs by `text`.
std::string complaints(const std::string& cluster, const std::string& rest = "") {
  const auto loaded = load_toml("[cluster]\nreplicated = true\n" + cluster + "\n" + rest, "t");
  return loaded.ok() ? "" : loaded.status().message();
}

std::string peers_line(const std::string& peers) { return "peers = '" + peers + "'"; }

const std::string kNodeTwo = "[server]\nnode_id = 2\n";  // NOLINT(cert-err58-cpp)

TEST(ParsePeers, OrdersByNumberAndReadsEveryKindOfAddress) {
  const auto peers = parse_peers("3=[::1]:6003, 1=db1.example:6001 ,2=10.0.0.2:6001");
  ASSERT_TRUE(peers.ok()) << peers.status().to_string();
  const std::vector<PeerEntry> expected = {
      {1, "db1.example", 6001}, {2, "10.0.0.2", 6001}, {3, "::1", 6003}};
  EXPECT_EQ(*peers, expected);
  EXPECT_EQ(format_endpoint("::1", 6003), "[::1]:6003");
}

TEST(ParsePeers, RefusesWhatNamesNoGroup) {
  for (const char* text :
       {"", "x", "1", "1=", "1=host", "1=host:", "1=host:0", "1=host:65536", "0=host:1",
        "-1=host:1", "65536=host:1", "1=:6001", "1=::1:6001", "1=a b:1", "1=a:1,", "1=a:1,,2=b:1",
        "1=a:1,2=a:2,3=a:3,4=a:4,5=a:5,6=a:6,7=a:7,8=a:8"}) {
    EXPECT_EQ(parse_peers(text).ok(), std::string(text) == "1=a:1,") << text;
  }
}

TEST(ParsePeers, NamesWhatIsThereTwice) {
  EXPECT_NE(parse_peers("1=a:1,1=b:1").status().message().find("node 1 is listed twice"),
            std::string::npos);
  EXPECT_NE(parse_peers("1=a:1,2=a:1").status().message().find("same address a:1"),
            std::string::npos);
}

TEST(GroupPlan, NothingButReplicatedIsThreeReplicasInThisProcess) {
  const auto loaded = load_toml("[cluster]\nreplicated = true\n", "t");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(shape_of(loaded->config), Shape::kAllReplicas);
  const std::vector<PeerEntry> expected = {
      {1, "127.0.0.1", 6001}, {2, "127.0.0.1", 6002}, {3, "127.0.0.1", 6003}};
  EXPECT_EQ(group_of(loaded->config), expected);
  EXPECT_EQ(replica_directory(loaded->config, 2), "./data/replica_2");
}

TEST(GroupPlan, PeersMakeThisProcessOneReplica) {
  const auto loaded = load_toml(
      "[cluster]\nreplicated = true\npeers = ['1=127.0.0.1:6001', '2=localhost:6002']\n" + kNodeTwo,
      "t");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(shape_of(loaded->config), Shape::kOneReplica);
  EXPECT_EQ(group_of(loaded->config).size(), 2U);
  EXPECT_EQ(replica_directory(loaded->config, 2), "./data");
}

TEST(GroupPlan, ListensWhereItsEntrySaysUnlessToldOtherwise) {
  Config config;
  EXPECT_EQ(peer_bind_of(config, {1, "127.0.0.1", 1}), "127.0.0.1");
  EXPECT_EQ(peer_bind_of(config, {1, "localhost", 1}), "127.0.0.1");
  EXPECT_EQ(peer_bind_of(config, {1, "db1.example", 1}), "0.0.0.0");
  config.cluster.bind = "::";
  EXPECT_EQ(peer_bind_of(config, {1, "db1.example", 1}), "::");
}

TEST(GroupPlan, ContradictionsAreNamed) {
  const auto expect = [](const std::string& complaint, const std::string& part) {
    EXPECT_NE(complaint.find(part), std::string::npos) << "\"" << complaint << "\"";
  };
  expect(load_toml(std::string("[cluster]\n") + peers_line(kThree), "t").status().message(),
         "cluster.replicated is false");
  expect(complaints(peers_line(kThree)), "server.node_id: 0 is not in cluster.peers");
  expect(complaints(peers_line(kThree), "[server]\nnode_id = 4\n"), "which has 1, 2, 3");
  expect(complaints("", kNodeTwo), "this process runs all replicas itself");
  expect(complaints("", "[database]\ndurability = 'batched'\n"), "database.durability");
  expect(complaints("", "[database]\nbackend = 'memory'\n"), "database.backend");
  expect(complaints("", "[database]\nbackend = 'leveldb'\n"), "database.backend");
  expect(complaints("", "[consensus]\nheartbeat_interval_ms = 500\n"), "heartbeat_interval_ms");
  expect(complaints("base_port = 65534"), "end at 65536");
  expect(complaints("", "[server]\nport = 6002\n"), "one of the replicas' ports");
  expect(complaints("first_leader = 4"), "none of the 3 replicas");
  expect(complaints(peers_line("1=db1:6001,2=db2:6001"), kNodeTwo), "node 1 is at db1");
  expect(complaints(peers_line(kThree) + "\nbind = '0.0.0.0'", kNodeTwo), "cluster.bind: 0.0.0.0");
  expect(complaints(peers_line(kThree) + "\nbind = 'db1'", kNodeTwo), "cluster.bind: \"db1\"");
  expect(complaints(peers_line(kThree) + "\ntls_ca_file = 'ca'", kNodeTwo), "all three");
  expect(complaints(peers_line(kThree) + "\nname = 'a'", kNodeTwo), "cluster.name: \"a\"");
  expect(complaints(peers_line(kThree) + "\nadvertise = 'x'", kNodeTwo), "cluster.advertise");
  expect(complaints(peers_line(kThree) + "\nfirst_leader = 9", kNodeTwo), "cluster.first_leader");
}

TEST(GroupPlan, PeersElsewhereNeedTlsOrAnExplicitWord) {
  const std::string far = peers_line("1=10.0.0.1:6001,2=10.0.0.2:6001");
  EXPECT_EQ(complaints(far + "\ninsecure_peers = true", kNodeTwo), "");
  EXPECT_EQ(
      complaints(far + "\ntls_ca_file = 'a'\ntls_cert_file = 'b'\ntls_key_file = 'c'", kNodeTwo),
      "");
}

}  // namespace
}  // namespace synod::server
