// SPDX-License-Identifier: Apache-2.0
// The binaries on damaged, restored and inspected data directories.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/suite/peer.h"
#include "tests/suite/server_process.h"

namespace synod::suite {
namespace {

class DataDirectoryOf : public ::testing::Test {
 protected:
  ~DataDirectoryOf() override {
    process_.kill_and_wait();
    if (!HasFailure()) std::filesystem::remove_all(directory_);
  }

  /// Runs a binary to its end and returns its exit code; its output is in output().
  int run(const std::string& binary, std::vector<std::string> arguments) {
    ServerProcess process;
    if (!process.start(command(binary, std::move(arguments), "run.log")).ok()) return -1;
    const auto code = process.wait(60);
    return code.ok() ? *code : -1;
  }
  [[nodiscard]] std::string output() const {
    std::ifstream file(directory_ / "run.log");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  void serve(const std::string& data) {
    port_ = free_port();
    ASSERT_TRUE(
        process_
            .start(command(SYNOD_SERVER_BINARY,
                           {"--port", std::to_string(port_), "--data-dir", data}, "server.log"))
            .ok());
    const base::Status ready = process_.wait_for_port(port_);
    ASSERT_TRUE(ready.ok()) << ready.to_string();
  }
  void set(const std::string& key, const std::string& value) {
    Peer peer({"127.0.0.1", port_});
    api::SetRequest request;
    request.__set_key(key);
    request.__set_value(value);
    api::SetResponse reply;
    peer->setKey(reply, request);
    ASSERT_TRUE(reply.success) << reply.error;
  }
  std::string get(const std::string& key) {
    Peer peer({"127.0.0.1", port_});
    api::GetRequest request;
    request.__set_key(key);
    api::GetResponse reply;
    peer->get(reply, request);
    return reply.found ? reply.value : "missing";
  }

  /// Inverts a byte of the log's first segment.
  void damage_log(std::streamoff offset) {
    const auto path = directory_ / "data" / "log" / "0000000000000001.seg";
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(file.is_open()) << path;
    file.seekg(offset);
    const char byte = static_cast<char>(file.get());
    file.seekp(offset);
    file.put(static_cast<char>(~byte));
  }

  ServerProcess::Command command(const std::string& binary, std::vector<std::string> arguments,
                                 const std::string& log) {
    ServerProcess::Command command;
    command.binary = binary;
    command.arguments = std::move(arguments);
    command.directory = directory_;
    command.log = directory_ / log;
    return command;
  }

  const std::filesystem::path directory_ = fresh_directory("damage");
  std::uint16_t port_ = 0;
  ServerProcess process_;
};

TEST_F(DataDirectoryOf, ADamagedLogIsRefusedWithFileAndOffset) {
  serve("data");
  for (int i = 0; i < 5; ++i) set("k" + std::to_string(i), std::string(2'000, 'v'));
  process_.kill_and_wait();
  EXPECT_EQ(run(SYNOD_SERVER_BINARY, {"tool", "verify", "data"}), 0) << output();
  damage_log(3 * 4096 + 1'000);
  const std::string port = std::to_string(free_port());
  EXPECT_EQ(run(SYNOD_SERVER_BINARY, {"--port", port, "--data-dir", "data"}), 3);
  EXPECT_NE(output().find("0000000000000001.seg: damaged at offset"), std::string::npos)
      << output();
  EXPECT_EQ(run(SYNOD_SERVER_BINARY, {"tool", "verify", "data"}), 5) << output();
}

TEST_F(DataDirectoryOf, ABackupRestoresToAServerOfItsOwn) {
  serve("data");
  set("before", "kept");
  ASSERT_EQ(run(SYNODCTL_BINARY, {"--data-dir", "data", "backup", "first"}), 0) << output();
  set("after", "not in the backup");
  ASSERT_EQ(run(SYNODCTL_BINARY, {"--data-dir", "data", "verify", "--deep"}), 0) << output();
  process_.kill_and_wait();
  ASSERT_EQ(
      run(SYNODCTL_BINARY, {"restore", "--from", "data/backup/first", "--data-dir", "restored"}), 0)
      << output();
  serve("restored");
  EXPECT_EQ(get("before"), "kept");
  EXPECT_EQ(get("after"), "missing");
  set("after", "written anew");
  EXPECT_EQ(run(SYNODCTL_BINARY, {"--data-dir", "restored", "verify", "--deep"}), 0) << output();
  process_.kill_and_wait();
  serve("restored");
  EXPECT_EQ(get("after"), "written anew");
}

TEST_F(DataDirectoryOf, TheLogToolShowsEveryOperation) {
  serve("data");
  set("shown", "v");
  process_.kill_and_wait();
  EXPECT_EQ(run(SYNOD_SERVER_BINARY, {"tool", "log-dump", "data"}), 0);
  EXPECT_NE(output().find("set ns='' key='shown' value_bytes=1"), std::string::npos) << output();
  EXPECT_EQ(run(SYNOD_SERVER_BINARY, {"tool", "log-dump", "nowhere"}), 3) << output();
  EXPECT_EQ(run(SYNOD_SERVER_BINARY, {"tool"}), 2);
}

}  // namespace
}  // namespace synod::suite
