// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "server/config/config_load.h"
#include "server/config/key_registry.h"
#include "server/config/legacy_keys.h"

namespace synod::server {
namespace {

base::Result<LoadedConfig> load_file(const std::string& path) {
  ConfigSources sources;
  sources.command.config_file = path;
  return load_config(sources);
}

TEST(LegacyFiles, AWholeOlderFileLoadsAndItsCounterpartsAreTaken) {
  const auto loaded = load_file(SYNOD_TEST_DATA_DIR "/older_single.toml");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.server.data_dir, "./data/kv-thrift");
  EXPECT_EQ(loaded->config.database.write_buffer_bytes, 32U << 20);
  EXPECT_EQ(loaded->config.database.block_cache_bytes, 96U << 20);
}

TEST(LegacyFiles, KeysWithoutEffectAreMentionedOnce) {
  const auto loaded = load_file(SYNOD_TEST_DATA_DIR "/older_single.toml");
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded->notes.size(), 1U);
  EXPECT_EQ(loaded->notes[0].level, base::LogLevel::kInfo);
  EXPECT_NE(loaded->notes[0].text.find("have no effect"), std::string::npos);
}

TEST(LegacyFiles, OurNameWinsOverTheOlderOneWhateverTheOrder) {
  for (const char* text : {"[server]\ndata_dir = 'ours'\n[database]\nbase_path = 'theirs'\n",
                           "[database]\nbase_path = 'theirs'\n[server]\ndata_dir = 'ours'\n"}) {
    const auto loaded = load_toml(text, "t");
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded->config.server.data_dir, "ours");
  }
}

TEST(LegacyFiles, AListOfNodesNumberedFromZeroIsRefusedClearly) {
  const char* text = "[deployment]\nmode = 'replicated'\nreplica_endpoints = ['localhost:9090']\n";
  const auto loaded = load_toml(text, "cluster.toml");
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.status().message().find("cluster.peers"), std::string::npos);
  EXPECT_NE(loaded.status().message().find("cluster.toml:3"), std::string::npos);
}

TEST(LegacyFiles, ReplicatedTablesMeanOurKeys) {
  const auto loaded = load_toml(
      "[deployment]\nmode = 'replicated'\n"
      "[replicated]\nreplica_count = 5\nbase_tcp_port = 7001\ndb_base_path = './d'\n"
      "[consensus]\nrequest_timeout = '20s'\nview_change_timeout = '5s'\nmax_batch_size = 9\n"
      "[network]\nconnection_timeout = 1500\nretry_attempts = 3\nretry_backoff = '100ms'\n"
      "[thrift]\nport = 9191\nbind_address = '127.0.0.2'\nmax_connections = 1000\n",
      "t");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  const Config& config = loaded->config;
  EXPECT_TRUE(config.cluster.replicated);
  EXPECT_EQ(config.cluster.replicas, 5U);
  EXPECT_EQ(config.cluster.base_port, 7001);
  EXPECT_EQ(config.server.data_dir, "./d");
  EXPECT_EQ(config.consensus.request_timeout_ms, 20'000U);
  EXPECT_EQ(config.consensus.election_timeout_ms, 5'000U);
  EXPECT_EQ(config.cluster.connect_timeout_ms, 1'500U);
  EXPECT_EQ(config.server.port, 9191);
  EXPECT_EQ(config.server.bind, "127.0.0.2");
  EXPECT_EQ(config.server.connections_max, 1'000U);
}

TEST(LegacyFiles, WrongValuesOfTranslatedKeysAreErrors) {
  for (const char* text :
       {"[database]\nbase_path = 7\n", "[database]\nbase_path = ''\n",
        "[rocksdb]\nblock_cache_size_mb = 'many'\n", "[rocksdb]\nwrite_buffer_size_mb = -1\n",
        "[rocksdb]\nblock_cache_size_mb = 9223372036854775807\n", "[deployment]\nmode = 'paxos'\n",
        "[network]\nconnection_timeout = '5 parsecs'\n", "[replicated]\nreplica_count = 0\n"}) {
    EXPECT_FALSE(load_toml(text, "t").ok()) << text;
  }
}

TEST(LegacyFiles, ATypoInAnOlderTableIsStillAnError) {
  const auto loaded = load_toml("[compaction]\ncompaction_priorty = 'x'\n", "t");
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.status().message().find("did you mean compaction.compaction_priority?"),
            std::string::npos);
}

TEST(LegacyFiles, EveryTranslationHasATarget) {
  for (const LegacyKey& row : all_legacy_keys()) {
    const std::string path = std::string(row.table) + "." + std::string(row.name);
    EXPECT_EQ(find_legacy_key(path), &row);
    EXPECT_EQ(find_key(path), nullptr) << "two meanings of " << path;
    EXPECT_EQ(find_key(row.target) == nullptr, row.target.empty()) << path;
  }
}

}  // namespace
}  // namespace synod::server
