// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "server/config/config_load.h"

namespace synod::server {
namespace {

/// The error of a text that must not load; "" if it did.
std::string error_of(const std::string& text) {
  const auto loaded = load_toml(text, "synod.toml");
  return loaded.ok() ? "" : loaded.status().message();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ConfigToml, AnEmptyFileIsTheDefaults) {
  const auto loaded = load_toml("", "t");
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->config.server.bind, "127.0.0.1");
  EXPECT_EQ(loaded->config.server.port, 9090);
  EXPECT_EQ(loaded->config.database.durability, Durability::kSync);
  EXPECT_TRUE(loaded->origins.empty());
  EXPECT_TRUE(loaded->notes.empty());
}

TEST(ConfigToml, EveryKindOfValueReachesItsField) {
  const auto loaded = load_toml(
      "[server]\nport = 1234\nbind = '::1'\n"
      "[database]\ndurability = 'batched'\nbackend = 'leveldb'\nmemory_limit = '256MiB'\n"
      "block_cache_bytes = 4096\n[log]\nformat = 'json'\nlevel = 'warning'\n"
      "[fault_injection]\nenabled = true\n",
      "t");
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.server.port, 1234);
  EXPECT_EQ(loaded->config.server.bind, "::1");
  EXPECT_EQ(loaded->config.database.durability, Durability::kBatched);
  EXPECT_EQ(loaded->config.database.backend, BackendKind::kLevelDb);
  EXPECT_EQ(loaded->config.database.memory_limit, 256U << 20);
  EXPECT_EQ(loaded->config.database.block_cache_bytes, 4096U);
  EXPECT_EQ(loaded->config.log.format, LogFormat::kJson);
  EXPECT_EQ(loaded->config.log.level, base::LogLevel::kWarning);
  EXPECT_TRUE(loaded->config.fault_injection.enabled);
  EXPECT_EQ(loaded->origins.at("server.port"), "t:2");
}

TEST(ConfigToml, UnknownKeysNameTheirLineAndTheNearestKey) {
  EXPECT_EQ(error_of("[server]\n\nprot = 1\n"),
            "synod.toml:3: unknown key server.prot (did you mean server.port?)");
  EXPECT_EQ(error_of("[server]\nqwertyuiop = 1\n"), "synod.toml:2: unknown key server.qwertyuiop");
}

TEST(ConfigToml, UnknownTablesAndLooseKeysAreErrors) {
  EXPECT_EQ(error_of("[databse]\nx = 1\n"),
            "synod.toml:1: unknown table [databse] (did you mean database?)");
  EXPECT_TRUE(contains(error_of("port = 1\n"), "synod.toml:1: unknown key [port]"));
  EXPECT_EQ(error_of("server = 1\n"), "synod.toml:1: [server] must be a table");
  EXPECT_TRUE(contains(error_of("[[server]]\nport = 1\n"), "must be a table"));
}

TEST(ConfigToml, WrongTypesSayWhatWasExpected) {
  EXPECT_EQ(error_of("[server]\nport = 'x'\n"),
            "synod.toml:2: server.port: expected an integer from 0 to 65535, got \"x\"");
  EXPECT_EQ(error_of("[server]\nport = true\n"),
            "synod.toml:2: server.port: expected an integer from 0 to 65535, got true");
  EXPECT_TRUE(contains(error_of("[server]\nport = 1.5\n"), "got a value of type"));
  EXPECT_TRUE(contains(error_of("[server.port]\nx = 1\n"), "got a value of type table"));
  EXPECT_TRUE(contains(error_of("[log]\nlevel = 3\n"), "one of \"debug\" \"info\""));
  EXPECT_TRUE(contains(error_of("[fault_injection]\nenabled = 1\n"), "true or false, got 1"));
  EXPECT_TRUE(contains(error_of("[server]\nbind = 7\n"), "expected text, got 7"));
}

TEST(ConfigToml, OutOfRangeValuesAreErrors) {
  EXPECT_TRUE(contains(error_of("[server]\nport = 65536\n"), "from 0 to 65535, got 65536"));
  EXPECT_TRUE(contains(error_of("[server]\nport = -1\n"), "got -1"));
  EXPECT_TRUE(contains(error_of("[server]\nconnections_max = 0\n"), "from 1 to 1000000"));
  EXPECT_TRUE(contains(error_of("[limits]\nkey_bytes_max = '2MiB'\n"), "a size from 1 B to 1 MiB"));
  EXPECT_TRUE(contains(error_of("[limits]\nkey_bytes_max = 99999999999999999999\n"), ":2:"));
}

TEST(ConfigToml, ABadSizeIsAnError) {
  EXPECT_TRUE(contains(error_of("[database]\nmemory_limit = '1.5 parsecs'\n"), "a size from"));
}

TEST(ConfigToml, ControlCharactersDoNotGetIntoPaths) {
  EXPECT_TRUE(contains(error_of("[server]\ndata_dir = \"a\\u0000b\"\n"), "control characters"));
  EXPECT_TRUE(contains(error_of("[log]\nfile = \"a\\nb\"\n"), "control characters"));
}

// Found by config_fuzz: the library's parser fails an assertion on these.
TEST(ConfigToml, JunkWhereAKeyMustBeIsAnErrorWithItsLine) {
  EXPECT_EQ(error_of("[server]\nport = 1\n[$server]\n"),
            "synod.toml:3: malformed TOML: a key must follow");
  EXPECT_TRUE(error_of("[~").starts_with("synod.toml:1: "));
  EXPECT_TRUE(error_of("[server]\n\xc3\xa4 = 1\n").starts_with("synod.toml:2: "));
  EXPECT_TRUE(error_of("[\xef\xbb\xbfserver]\n").starts_with("synod.toml:1: "));
}

TEST(ConfigToml, ControlCharactersAreRefusedBeforeParsing) {
  EXPECT_TRUE(error_of("[server]\nport = 1\n[\vserver]\n").starts_with("synod.toml:3: "));
  EXPECT_TRUE(error_of("\x7f").starts_with("synod.toml:1: "));
  EXPECT_TRUE(error_of(std::string(1, '\0')).starts_with("synod.toml:1: "));
  EXPECT_EQ(error_of("[server]\r\n\tport = 1\r\n"), "");
}

TEST(ConfigToml, SyntaxErrorsAndDuplicatesNameTheirLine) {
  EXPECT_TRUE(error_of("[server]\nport = = 1\n").starts_with("synod.toml:2: "));
  EXPECT_TRUE(error_of("[server]\nport = 1\nport = 2\n").starts_with("synod.toml:3: "));
}

TEST(ConfigToml, EveryMistakeIsReportedAtOnce) {
  const std::string errors = error_of("[server]\nport = -1\nprot = 1\n[log]\nlevel = 'loud'\n");
  EXPECT_TRUE(contains(errors, "synod.toml:2:"));
  EXPECT_TRUE(contains(errors, "synod.toml:3:"));
  EXPECT_TRUE(contains(errors, "synod.toml:5:"));
}

TEST(ConfigToml, RulesBetweenSettingsAreChecked) {
  EXPECT_TRUE(contains(error_of("[limits]\nvalue_bytes_max = '17MiB'\n"), "commit_bytes_max"));
  EXPECT_TRUE(contains(error_of("[server]\nmessage_bytes_max = '16MiB'\n"), "message_bytes_max"));
  EXPECT_TRUE(contains(error_of("[limits]\nrange_bytes_max = '1MiB'\n"), "range_bytes_framed_max"));
  EXPECT_TRUE(contains(error_of("[database]\nlog_segment_bytes = '16MiB'\n"), "log_segment_bytes"));
  EXPECT_TRUE(contains(error_of("[database]\nlog_bytes_max = '64MiB'\n"), "two segments"));
  EXPECT_TRUE(contains(error_of("[database]\npending_bytes_max = '8MiB'\n"), "pending_bytes_max"));
  EXPECT_TRUE(contains(error_of("[server]\noutput_bytes_max = '32MiB'\n"), "largest reply"));
  EXPECT_TRUE(contains(error_of("[server]\ndata_dir = ''\n"), "must not be empty"));
}

TEST(ConfigToml, OnlyLoopbackIsBoundUnlessTold) {
  EXPECT_TRUE(contains(error_of("[server]\nbind = '0.0.0.0'\n"), "insecure_plaintext = true"));
  EXPECT_TRUE(contains(error_of("[server]\nbind = 'db.example.com'\n"), "no IPv4 or IPv6"));
  const auto told = load_toml("[server]\nbind = '0.0.0.0'\ninsecure_plaintext = true\n", "t");
  ASSERT_TRUE(told.ok());
  ASSERT_EQ(told->notes.size(), 1U);
  EXPECT_EQ(told->notes[0].level, base::LogLevel::kWarning);
}

TEST(IsLoopback, KnowsEveryWayOfWritingIt) {
  for (const char* address : {"127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(is_loopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::ffff:10.0.0.1", "",
                              "example.com", "127.0.0.1.example.com", "::2"}) {
    EXPECT_FALSE(is_loopback(address)) << address;
  }
}

}  // namespace
}  // namespace synod::server
