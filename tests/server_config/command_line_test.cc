// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/config/config_load.h"

namespace synod::server {
namespace {

Config config_of(std::vector<std::string> arguments) {
  ConfigSources sources;
  auto command = parse_command_line(std::move(arguments));
  EXPECT_TRUE(command.ok()) << command.status().to_string();
  sources.command = *std::move(command);
  auto loaded = load_config(sources);
  EXPECT_TRUE(loaded.ok()) << loaded.status().to_string();
  return loaded.ok() ? loaded->config : Config{};
}

TEST(CommandLine, NoArgumentsAreTheDefaults) {
  const auto command = parse_command_line({});
  ASSERT_TRUE(command.ok());
  EXPECT_FALSE(command->print);
  EXPECT_FALSE(command->check_config);
  EXPECT_TRUE(command->settings.empty());
}

TEST(CommandLine, ShortAndLongFlagsMeanTheSame) {
  const Config shorts = config_of({"-p", "1", "-d", "here", "-n", "3", "-v"});
  const Config longs = config_of({"--port=1", "--data-dir", "here", "--node-id", "3", "--verbose"});
  for (const Config& config : {shorts, longs}) {
    EXPECT_EQ(config.server.port, 1);
    EXPECT_EQ(config.server.data_dir, "here");
    EXPECT_EQ(config.server.node_id, 3U);
    EXPECT_EQ(config.log.level, base::LogLevel::kDebug);
  }
  EXPECT_EQ(config_of({"--db-path", "old"}).server.data_dir, "old");
}

TEST(CommandLine, EveryFlagReachesItsSetting) {
  const Config config =
      config_of({"--bind", "::1", "--workers", "3", "--durability", "batched", "--log-level",
                 "error", "--log-dir", "logs", "--insecure-plaintext"});
  EXPECT_EQ(config.server.bind, "::1");
  EXPECT_EQ(config.server.workers, 3U);
  EXPECT_EQ(config.database.durability, Durability::kBatched);
  EXPECT_EQ(config.log.level, base::LogLevel::kError);
  EXPECT_EQ(config.log.file, "logs/synod-server-node-0.log");
  EXPECT_TRUE(config.server.insecure_plaintext);
}

TEST(CommandLine, SetReachesEverySettingAndMayBeRepeated) {
  const Config config = config_of(
      {"--set", "log.format=json", "--set", "database.memory_limit=1GiB", "--set", "log.file=a=b"});
  EXPECT_EQ(config.log.format, LogFormat::kJson);
  EXPECT_EQ(config.database.memory_limit, 1U << 30);
  EXPECT_EQ(config.log.file, "a=b");
}

TEST(CommandLine, AnExplicitLevelWinsOverVerboseAndSetOverFlags) {
  EXPECT_EQ(config_of({"--log-level", "error", "-v"}).log.level, base::LogLevel::kError);
  EXPECT_EQ(config_of({"--set", "server.port=2", "-p", "1"}).server.port, 2);
  EXPECT_EQ(config_of({"-p", "1", "-p", "2"}).server.port, 2);
}

TEST(CommandLine, MistakesAreErrorsNotExceptions) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--prot", "1"}, {"positional"}, {"--port"}, {"--set", "novalue"}, {"--config"}}) {
    EXPECT_EQ(parse_command_line(arguments).status().code(), base::StatusCode::kInvalidArgument);
  }
}

TEST(CommandLine, HelpVersionAndSampleArePrinted) {
  const auto help = parse_command_line({"--help"});
  ASSERT_TRUE(help.ok() && help->print);
  for (const char* flag : {"--config", "--port", "--db-path", "--node-id", "--log-dir", "--verbose",
                           "--bind", "--set", "--check-config", "--print-sample-config"}) {
    EXPECT_NE(help->print->find(flag), std::string::npos) << flag;
  }
  EXPECT_EQ(*parse_command_line({"--version"})->print, version_text() + "\n");
  EXPECT_EQ(*parse_command_line({"--print-sample-config"})->print, sample_config());
}

TEST(CommandLine, CheckConfigAndFileArePassedOn) {
  const auto command = parse_command_line({"--check-config", "-c", "a.toml"});
  ASSERT_TRUE(command.ok());
  EXPECT_TRUE(command->check_config);
  EXPECT_EQ(command->config_file, "a.toml");
}

}  // namespace
}  // namespace synod::server
