// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "server/config/config_load.h"
#include "server/config/group_plan.h"
#include "server/config/key_registry.h"

namespace synod::server {
namespace {

TEST(SampleConfig, LoadsBackToTheDefaults) {
  const auto loaded = load_toml(sample_config(), "sample");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  const Config defaults;
  for (const Key& key : all_keys()) {
    EXPECT_EQ(key.load(loaded->config, key), key.load(defaults, key)) << key.path();
    EXPECT_TRUE(loaded->origins.contains(key.path())) << "not in the sample: " << key.path();
  }
}

TEST(SampleConfig, IsWhatTheRepositoryShips) {
  std::ifstream file(SYNOD_CONFIGS_DIR "/standalone.toml");
  const std::string shipped{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(shipped, sample_config())
      << "regenerate: synod-server --print-sample-config > configs/standalone.toml";
}

TEST(SampleConfig, TheFileOfAGroupServesEachOfItsNodes) {
  for (const char* node : {"1", "2", "3"}) {
    ConfigSources sources;
    sources.command.config_file = SYNOD_CONFIGS_DIR "/cluster/node.toml";
    sources.command.settings = {{"server.node_id", node, "--node-id"}};
    const auto loaded = load_config(sources);
    ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
    EXPECT_EQ(shape_of(loaded->config), Shape::kOneReplica);
  }
}

TEST(SampleConfig, LinesFitTheScreen) {
  const std::string sample = sample_config();
  std::size_t start = 0;
  for (std::size_t end; (end = sample.find('\n', start)) != std::string::npos; start = end + 1) {
    EXPECT_LE(end - start, 100U) << sample.substr(start, end - start);
  }
}

TEST(ExplainConfig, ShowsValueAndOriginAndLoadsBack) {
  const auto loaded =
      load_toml("[server]\nport = 7\ndata_dir = 'a\"\\b'\n[log]\nformat = 'json'\n", "f.toml");
  ASSERT_TRUE(loaded.ok());
  const std::string text = explain_config(*loaded);
  EXPECT_NE(text.find("port = 7  # f.toml:2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("depth_max = 64  # default\n"), std::string::npos);
  const auto again = load_toml(text, "g.toml");
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  EXPECT_EQ(again->config.server.data_dir, "a\"\\b");
  EXPECT_EQ(again->config.log.format, LogFormat::kJson);
}

}  // namespace
}  // namespace synod::server
