// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/suite/peer.h"
#include "tests/suite/server_process.h"

namespace synod::suite {
namespace {

/// How existing harnesses and scripts start and stop the server.
class ServerBinary : public ::testing::Test {
 protected:
  ServerBinary() {
    command_.binary = SYNOD_SERVER_BINARY;
    command_.directory = directory_;
    command_.log = directory_ / "server.log";
  }
  ~ServerBinary() override {
    process_.kill_and_wait();
    if (!HasFailure()) std::filesystem::remove_all(directory_);
  }

  void expect_serves(std::uint16_t port) {
    const base::Status ready = process_.wait_for_port(port);
    ASSERT_TRUE(ready.ok()) << ready.to_string();
    Peer peer({"127.0.0.1", port});
    api::PingResponse reply;
    peer->ping(reply, {});
    EXPECT_EQ(reply.message, "pong");
  }

  const std::filesystem::path directory_ = fresh_directory("process");
  ServerProcess::Command command_;
  ServerProcess process_;
};

TEST_F(ServerBinary, StartsWithNothingButThriftPort) {
  const std::uint16_t port = free_port();
  command_.environment = {{"THRIFT_PORT", std::to_string(port)}};
  ASSERT_TRUE(process_.start(command_).ok());
  expect_serves(port);
}

TEST_F(ServerBinary, ThriftPortOverridesTheFlag) {
  const std::uint16_t port = free_port();
  command_.arguments = {"-p", std::to_string(free_port()), "-d", "data"};
  command_.environment = {{"THRIFT_PORT", std::to_string(port)}};
  ASSERT_TRUE(process_.start(command_).ok());
  expect_serves(port);
}

TEST_F(ServerBinary, AcceptsTheFlagsOfExistingScripts) {
  const std::uint16_t port = free_port();
  command_.arguments = {"--port", std::to_string(port), "--db-path", "data", "--log-dir",
                        "logs",   "--verbose",          "--node-id", "0"};
  ASSERT_TRUE(process_.start(command_).ok());
  expect_serves(port);
  EXPECT_TRUE(std::filesystem::is_directory(directory_ / "data"));
}

TEST_F(ServerBinary, EndsCleanlyOnSigterm) {
  const std::uint16_t port = free_port();
  command_.arguments = {"--port", std::to_string(port), "--db-path", "data"};
  ASSERT_TRUE(process_.start(command_).ok());
  expect_serves(port);
  process_.signal(SIGTERM);
  const auto code = process_.wait(30);
  ASSERT_TRUE(code.ok()) << code.status().to_string();
  EXPECT_EQ(*code, 0);
}

TEST_F(ServerBinary, RefusesAnUnknownFlag) {
  command_.arguments = {"--no-such-flag"};
  ASSERT_TRUE(process_.start(command_).ok());
  const auto code = process_.wait(30);
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(*code, 2);
}

TEST_F(ServerBinary, RefusesAnUnreadableConfiguration) {
  command_.arguments = {"--config", "nowhere.toml"};
  ASSERT_TRUE(process_.start(command_).ok());
  const auto code = process_.wait(30);
  ASSERT_TRUE(code.ok());
  EXPECT_NE(*code, 0);
}

TEST_F(ServerBinary, RefusesADataDirectoryInUse) {
  const std::uint16_t port = free_port();
  command_.arguments = {"--port", std::to_string(port), "--db-path", "data"};
  ASSERT_TRUE(process_.start(command_).ok());
  expect_serves(port);
  ServerProcess second;
  command_.arguments = {"--port", std::to_string(free_port()), "--db-path", "data"};
  ASSERT_TRUE(second.start(command_).ok());
  const auto code = second.wait(30);
  ASSERT_TRUE(code.ok()) << "the second server runs on the data of the first";
  EXPECT_EQ(*code, 3);
  expect_serves(port);
}

TEST_F(ServerBinary, RefusesAPortInUse) {
  const std::uint16_t port = free_port();
  command_.arguments = {"--port", std::to_string(port), "--db-path", "data"};
  ASSERT_TRUE(process_.start(command_).ok());
  expect_serves(port);
  ServerProcess second;
  command_.arguments = {"--port", std::to_string(port), "--db-path", "other"};
  ASSERT_TRUE(second.start(command_).ok());
  const auto code = second.wait(30);
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(*code, 4);
}

}  // namespace
}  // namespace synod::suite
