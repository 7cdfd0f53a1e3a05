// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>

#include "base/text.h"
#include "tests/suite/node_group.h"
#include "tests/suite/peer.h"
#include "tests/suite/raw_socket.h"
#include "tests/suite/server_process.h"

namespace synod::suite {
namespace {

/// How a group in one process is started, refused and administered.
class GroupProcess : public ::testing::Test {
 protected:
  GroupProcess() {
    command_.binary = SYNOD_SERVER_BINARY;
    command_.directory = directory_;
    command_.log = directory_ / "server.log";
    command_.environment = {{"REPLICATED_MODE", "true"},
                            {"THRIFT_PORT", std::to_string(port_)},
                            {"REPLICATED_BASE_TCP_PORT", std::to_string(port_ + 1)},
                            {"SYNOD__ADMIN__HTTP_PORT", "0"}};
  }
  ~GroupProcess() override {
    process_.kill_and_wait();
    if (!HasFailure()) std::filesystem::remove_all(directory_);
  }

  void start() {
    ASSERT_TRUE(process_.start(command_).ok());
    const base::Status ready = process_.wait_for_port(port_);
    ASSERT_TRUE(ready.ok()) << ready.to_string();
  }

  void stop() {
    process_.signal(SIGTERM);
    const auto code = process_.wait(60);
    ASSERT_TRUE(code.ok()) << code.status().to_string();
    EXPECT_EQ(*code, 0);
  }

  void put(const std::string& value) {
    Peer peer({"127.0.0.1", port_});
    api::SetRequest request;
    request.__set_key("k");
    request.__set_value(value);
    api::SetResponse reply;
    peer->setKey(reply, request);
    EXPECT_TRUE(reply.success) << reply.error;
  }

  std::string read() {
    Peer peer({"127.0.0.1", port_});
    api::GetRequest request;
    request.__set_key("k");
    api::GetResponse reply;
    peer->get(reply, request);
    EXPECT_FALSE(reply.__isset.error) << reply.error;
    return reply.value;
  }

  int exit_code_of_start() {
    EXPECT_TRUE(process_.start(command_).ok());
    const auto code = process_.wait(30);
    return code.ok() ? *code : -1000;
  }

  /// Runs synodctl; its output goes to `output_`.
  int ctl(std::vector<std::string> arguments, const std::string& folder = "data") {
    ServerProcess::Command command;
    command.binary = SYNODCTL_BINARY;
    command.arguments = {"--data-dir", (directory_ / folder).string()};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.directory = directory_;
    command.log = directory_ / "ctl.log";
    const auto finished = run_to_end(command, 60);
    EXPECT_TRUE(finished.ok() || finished.status().code() == base::StatusCode::kTimeout)
        << finished.status().to_string();
    output_ = finished.ok() ? finished->output : finished.status().to_string();
    return finished.ok() ? finished->code : -1000;
  }

  std::string log() {
    std::ifstream file(command_.log);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::filesystem::path directory_ = fresh_directory("group");
  const std::uint16_t port_ = free_ports(4);
  ServerProcess::Command command_;
  ServerProcess process_;
  std::string output_;
};

TEST_F(GroupProcess, OneVariableMakesThreeReplicasThatComeBackWithTheSameCommand) {
  start();
  put("v");
  for (const char* replica : {"replica_1", "replica_2", "replica_3"}) {
    EXPECT_TRUE(std::filesystem::is_directory(directory_ / "data" / replica)) << replica;
  }
  stop();
  start();
  EXPECT_EQ(read(), "v");
  put("w");
  process_.kill_and_wait();
  start();
  EXPECT_EQ(read(), "w");
  stop();
}

TEST_F(GroupProcess, OperatorsSeeTheGroup) {
  start();
  put("v");
  EXPECT_EQ(ctl({"health"}), 0) << output_;
  EXPECT_NE(output_.find("leader is node"), std::string::npos) << output_;
  EXPECT_EQ(ctl({"status"}), 0) << output_;
  EXPECT_NE(output_.find("role"), std::string::npos) << output_;
  EXPECT_EQ(ctl({"members"}), 0) << output_;
  for (const char* node : {"node 1", "node 2", "node 3"}) {
    EXPECT_NE(output_.find(node), std::string::npos) << output_;
  }
  EXPECT_EQ(ctl({"status", "--json"}, "data/replica_3"), 0) << output_;
  EXPECT_NE(output_.find("\"node_id\":3"), std::string::npos) << output_;
}

TEST_F(GroupProcess, ADeepVerificationComparesTheReplicas) {
  start();
  put("v");
  EXPECT_EQ(ctl({"verify", "--deep"}), 0) << output_;
}

TEST_F(GroupProcess, SnapshotsAndBackupsAreTakenWhileItServes) {
  start();
  put("v");
  EXPECT_EQ(ctl({"snapshot"}, "data/replica_2"), 0) << output_;
  EXPECT_EQ(ctl({"backup", "b"}, "data/replica_2"), 0) << output_;
  EXPECT_EQ(ctl({"flush"}), 0) << output_;
  EXPECT_EQ(ctl({"compact"}), 0) << output_;
}

TEST_F(GroupProcess, LeadershipMovesToWhomTheOperatorNames) {
  start();
  put("v");
  // Whoever leads is asked; one of three is.
  int moved = 0;
  for (int replica = 1; replica <= 3; ++replica) {
    const std::string target = std::to_string(replica % 3 + 1);
    const int code = ctl({"transfer-leader", target}, base::concat("data/replica_", replica));
    if (code == 0) {
      ++moved;
    } else {
      EXPECT_NE(output_.find("leads"), std::string::npos) << output_;
    }
  }
  EXPECT_GE(moved, 1);
  put("w");
  EXPECT_EQ(read(), "w");
}

TEST_F(GroupProcess, MetricsTellTheReplicasApart) {
  const std::uint16_t http = free_ports(1);
  command_.environment.back().second = std::to_string(http);
  start();
  put("v");
  std::string page;
  const auto has = [&](const std::string& series) {
    return page.find("\nsynod_" + series + " ") != std::string::npos;
  };
  // The engine is looked at now and then.
  EXPECT_TRUE(eventually([&] {
    RawSocket socket({"127.0.0.1", http});
    static_cast<void>(socket.send("GET /metrics HTTP/1.0\r\n\r\n"));
    page = socket.receive(1U << 20U);
    return has("rocksdb_memtable_bytes{replica=\"3\"}");
  })) << page;
  for (const char* replica : {"{replica=\"1\"}", "{replica=\"2\"}", "{replica=\"3\"}"}) {
    for (const char* name : {"consensus_has_leader", "log_fsync_duration_seconds_count",
                             "rocksdb_sst_bytes", "rocksdb_block_cache_bytes",
                             "rocksdb_write_stall", "storage_write_duration_seconds_count",
                             "consensus_leader_changes_total", "storage_size_bytes"}) {
      EXPECT_TRUE(has(base::concat(name, replica))) << name << replica;
    }
  }
  EXPECT_TRUE(has("peer_connected{replica=\"1\",peer=\"2\"}"));
  EXPECT_TRUE(has("channel_full_total{channel=\"operations\"}"));
  EXPECT_TRUE(has("slow_requests_total{front=\"thrift\",op=\"setKey\"}"));
  stop();
}

TEST_F(GroupProcess, RefusesTheFolderOfASingleNode) {
  command_.environment = {{"THRIFT_PORT", std::to_string(port_)}, {"SYNOD__ADMIN__HTTP_PORT", "0"}};
  start();
  stop();
  command_.environment.emplace_back("REPLICATED_MODE", "true");
  EXPECT_EQ(exit_code_of_start(), 3);
  EXPECT_NE(log().find("data of a single node"), std::string::npos) << log();
}

TEST_F(GroupProcess, ASingleNodeRefusesTheFolderOfAGroup) {
  start();
  put("v");
  stop();
  command_.environment = {{"THRIFT_PORT", std::to_string(port_)}, {"SYNOD__ADMIN__HTTP_PORT", "0"}};
  EXPECT_EQ(exit_code_of_start(), 3);
}

TEST_F(GroupProcess, RefusesAContradictionAndNamesIt) {
  command_.arguments = {"--durability", "async"};
  EXPECT_EQ(exit_code_of_start(), 2);
  EXPECT_NE(log().find("database.durability"), std::string::npos) << log();
}

TEST_F(GroupProcess, RefusesAPeerPortInUse) {
  start();
  ServerProcess second;
  command_.environment[1].second = std::to_string(free_ports(1));
  command_.arguments = {"--data-dir", "other"};
  ASSERT_TRUE(second.start(command_).ok());
  const auto code = second.wait(30);
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(*code, 4);
}

}  // namespace
}  // namespace synod::suite
