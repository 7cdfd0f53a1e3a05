// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_load.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace synod::server {
namespace {

/// A folder of its own for configuration files.
class ConfigLoad : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/synod_config_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  ConfigSources with_file(const std::string& text) {
    ConfigSources sources;
    sources.command.config_file = write("synod.toml", text);
    return sources;
  }

  std::string folder_;
};

TEST_F(ConfigLoad, NothingAtAllIsTheDefaults) {
  const auto loaded = load_config({});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->config.server.port, 9090);
}

TEST_F(ConfigLoad, CommandLineOverEnvironmentOverFilePerKey) {
  ConfigSources sources =
      with_file("[server]\nport = 1\nworkers = 2\nnode_id = 3\n[database]\ndurability = 'async'\n");
  sources.environment = {"SYNOD__SERVER__WORKERS=20", "SYNOD__SERVER__NODE_ID=30"};
  sources.command.settings = {{"server.node_id", "300", "--node-id"}};
  const auto loaded = load_config(sources);
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.server.port, 1);
  EXPECT_EQ(loaded->config.server.workers, 20U);
  EXPECT_EQ(loaded->config.server.node_id, 300U);
  EXPECT_EQ(loaded->config.database.durability, Durability::kAsync);
  EXPECT_EQ(loaded->origins.at("server.workers"), "SYNOD__SERVER__WORKERS");
  EXPECT_EQ(loaded->origins.at("server.node_id"), "--node-id");
}

TEST_F(ConfigLoad, ThriftPortWinsOverEverything) {
  ConfigSources sources = with_file("[server]\nport = 1\n");
  sources.command.settings = {{"server.port", "2", "--port"}};
  sources.environment = {"THRIFT_PORT=9191", "SYNOD__SERVER__PORT=3"};
  EXPECT_EQ(load_config(sources)->config.server.port, 9191);
}

TEST_F(ConfigLoad, AThriftPortThatIsNoPortIsIgnoredWithAWarning) {
  for (const char* value : {"", "x", "65536", "-1", "9090 "}) {
    ConfigSources sources;
    sources.environment = {std::string("THRIFT_PORT=") + value};
    const auto loaded = load_config(sources);
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded->config.server.port, 9090);
    ASSERT_EQ(loaded->notes.size(), 1U);
    EXPECT_EQ(loaded->notes[0].level, base::LogLevel::kWarning);
  }
}

TEST_F(ConfigLoad, VariablesWithTyposAreErrorsWithAHint) {
  ConfigSources sources;
  sources.environment = {"SYNOD__SERVER__PROT=1", "SYNODX=1", "PATH=/bin", "broken"};
  const auto loaded = load_config(sources);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().message(),
            "SYNOD__SERVER__PROT: unknown key server.prot (did you mean server.port?)");
}

TEST_F(ConfigLoad, TablesWithUnderscoresCanBeNamedInTheEnvironment) {
  ConfigSources sources;
  sources.environment = {"SYNOD__FAULT_INJECTION__ENABLED=true"};
  EXPECT_TRUE(load_config(sources)->config.fault_injection.enabled);
}

TEST_F(ConfigLoad, ReplicatedModeIsReadFromTheEnvironment) {
  const auto load = [](const std::string& value) {
    ConfigSources sources;
    sources.environment = {"REPLICATED_MODE=" + value};
    return load_config(sources);
  };
  for (const char* value : {"", "false", "False", "0", "no", "off"}) {
    EXPECT_FALSE(load(value)->config.cluster.replicated) << value;
  }
  for (const char* value : {"true", "TRUE", "1", "yes", "on"}) {
    EXPECT_TRUE(load(value)->config.cluster.replicated) << value;
  }
  EXPECT_FALSE(load("maybe").ok());
}

TEST_F(ConfigLoad, VariablesOfReplicatedModeMeanOurKeys) {
  ConfigSources sources;
  sources.environment = {"REPLICATED_MODE=true",           "REPLICATED_REPLICA_COUNT=5",
                         "REPLICATED_BASE_TCP_PORT=7001",  "REPLICATED_DB_BASE_PATH=./theirs",
                         "REPLICATED_NETWORK_TIMEOUT=20s", "REPLICATED_CONNECTION_TIMEOUT=1500ms",
                         "THRIFT_BIND_ADDRESS=127.0.0.2"};
  const auto loaded = load_config(sources);
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.cluster.replicas, 5U);
  EXPECT_EQ(loaded->config.cluster.base_port, 7001);
  EXPECT_EQ(loaded->config.server.data_dir, "./theirs");
  EXPECT_EQ(loaded->config.consensus.request_timeout_ms, 20'000U);
  EXPECT_EQ(loaded->config.cluster.connect_timeout_ms, 1'500U);
  EXPECT_EQ(loaded->config.server.bind, "127.0.0.2");
  sources.environment.insert(sources.environment.begin(), "SYNOD__SERVER__DATA_DIR=./ours");
  EXPECT_EQ(load_config(sources)->config.server.data_dir, "./ours");
}

TEST_F(ConfigLoad, TheDatabaseConfigPathIsAFileIfNoneIsGiven) {
  ConfigSources sources;
  sources.environment = {"REPLICATED_DB_CONFIG_PATH=" + write("db.toml", "[server]\nport = 77\n")};
  EXPECT_EQ(load_config(sources)->config.server.port, 77);
  sources.command.config_file = write("other.toml", "[server]\nworkers = 2\n");
  EXPECT_EQ(load_config(sources)->config.server.port, 9090);
}

TEST_F(ConfigLoad, TheFileBesideTheExecutableIsOptional) {
  ConfigSources sources;
  sources.executable_dir = folder_;
  EXPECT_TRUE(load_config(sources).ok());
  write("db_config.toml", "[server]\nport = 77\n");
  EXPECT_EQ(load_config(sources)->config.server.port, 77);
  sources.command.config_file = write("other.toml", "[server]\nworkers = 2\n");
  EXPECT_EQ(load_config(sources)->config.server.port, 9090);
}

TEST_F(ConfigLoad, FilesThatCannotBeReadAreErrors) {
  ConfigSources sources;
  sources.command.config_file = folder_ + "/none.toml";
  EXPECT_NE(load_config(sources).status().message().find("cannot be read"), std::string::npos);
  sources.command.config_file = folder_;
  EXPECT_NE(load_config(sources).status().message().find("is a folder"), std::string::npos);
  sources.command.config_file = write("huge.toml", std::string((1U << 20) + 1, '#'));
  EXPECT_NE(load_config(sources).status().message().find("larger than 1 MiB"), std::string::npos);
}

TEST_F(ConfigLoad, LogDirNamesTheFileAfterTheNode) {
  ConfigSources sources;
  sources.command.log_dir = "logs";
  sources.command.settings = {{"server.node_id", "4", "--node-id"}};
  EXPECT_EQ(load_config(sources)->config.log.file, "logs/synod-server-node-4.log");
}

TEST_F(ConfigLoad, MistakesOfAllSourcesAreReportedTogether) {
  ConfigSources sources = with_file("[server]\nprot = 1\n");
  sources.environment = {"SYNOD__LOG__LEVEL=loud"};
  sources.command.settings = {{"server.port", "x", "--port"}};
  const std::string message = load_config(sources).status().message();
  EXPECT_NE(message.find("synod.toml:2:"), std::string::npos);
  EXPECT_NE(message.find("SYNOD__LOG__LEVEL: log.level:"), std::string::npos);
  EXPECT_NE(message.find("--port: server.port:"), std::string::npos);
}

TEST_F(ConfigLoad, WorkersFollowTheMachineUnlessSet) {
  EXPECT_GE(worker_count(Config{}), 1U);
  Config config;
  config.server.workers = 7;
  EXPECT_EQ(worker_count(config), 7U);
}

TEST(DefaultWorkers, LeaveOneProcessorToWhatIsNoNetworkThread) {
  EXPECT_EQ(default_workers(1), 1U);
  EXPECT_EQ(default_workers(2), 1U);
  EXPECT_EQ(default_workers(3), 2U);
  EXPECT_EQ(default_workers(64), 63U);
}

}  // namespace
}  // namespace synod::server
