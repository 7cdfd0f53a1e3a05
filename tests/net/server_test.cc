// SPDX-License-Identifier: Apache-2.0
#include "net/server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <future>
#include <set>
#include <thread>

#include "tests/net/net_fixture.h"

namespace synod::net {
namespace {

std::string temp_path(const std::string& name) {
  return testing::TempDir() + name + "." + std::to_string(::getpid());
}

TEST(Server, EchoesOverTcp) {
  TestServer server({}, line_echo());
  auto client = TestClient::tcp(server.port);
  ASSERT_TRUE(client.write("hello\n"));
  EXPECT_EQ(client.read(6), "hello\n");
}

TEST(Server, JoinsAMessageThatArrivesByteByByte) {
  TestServer server({}, line_echo());
  auto client = TestClient::tcp(server.port);
  const std::string line = "one byte at a time\n";
  for (const char c : line) ASSERT_TRUE(client.write(std::string(1, c)));
  EXPECT_EQ(client.read(line.size()), line);
}

TEST(Server, AnswersPipelinedMessagesInOrder) {
  TestServer server({}, line_echo());
  auto client = TestClient::tcp(server.port);
  std::string all;
  for (int i = 0; i < 20000; ++i) all += std::to_string(i) + "\n";
  std::thread writer([&] { ASSERT_TRUE(client.write(all)); });
  EXPECT_EQ(client.read(all.size()), all);
  writer.join();
}

TEST(Server, CarriesMessagesOfManyMegabytes) {
  TestServer server({}, line_echo());
  auto client = TestClient::tcp(server.port);
  std::string big(8U << 20, 'x');
  big += '\n';
  std::thread writer([&] { ASSERT_TRUE(client.write(big)); });
  EXPECT_EQ(client.read(big.size()), big);
  writer.join();
}

TEST(Server, AnswersAClientThatHalfClosed) {
  TestServer server({}, line_echo());
  auto client = TestClient::tcp(server.port);
  ASSERT_TRUE(client.write("last words\n"));
  client.half_close();
  EXPECT_EQ(client.read_to_end(), "last words\n");
}

TEST(Server, AnswersEverythingAClientSentBeforeItHalfClosed) {
  ServerLimits limits;
  limits.output_pause_bytes = 64;  // What was read waits while the answers before it are sent.
  TestServer server(limits, line_echo());
  std::string all;
  for (int i = 0; i < 500; ++i) all += "line " + std::to_string(i) + "\n";
  for (int round = 0; round < 20; ++round) {
    auto client = TestClient::tcp(server.port);
    ASSERT_TRUE(client.write(all));
    client.half_close();
    ASSERT_EQ(client.read_to_end(), all);
  }
}

TEST(Server, SpreadsConnectionsOverItsWorkers) {
  std::mutex mutex;
  std::set<base::Dispatcher*> used;
  TestServer server({}, [&](Connection& connection) {
    const std::lock_guard lock(mutex);
    used.insert(&connection.dispatcher());
    return std::make_shared<LineEcho>(connection);
  });
  for (int i = 0; i < 4; ++i) {
    auto client = TestClient::tcp(server.port);
    ASSERT_TRUE(client.write("x\n"));
    EXPECT_EQ(client.read(2), "x\n");
  }
  EXPECT_EQ(used.size(), 2U);
}

TEST(Server, SurvivesThousandsOfConnectsAndResets) {
  Tally closed;
  TestServer server({}, line_echo(&closed));
  constexpr int kClients = 3000;
  for (int i = 0; i < kClients; ++i) {
    auto client = TestClient::tcp(server.port);
    if (i % 3 == 0) {
      ASSERT_TRUE(client.write("half a message"));
    }
    if (i % 2 == 0) client.reset();
  }
  auto client = TestClient::tcp(server.port);
  ASSERT_TRUE(client.write("alive\n"));
  EXPECT_EQ(client.read(6), "alive\n");
  // A connection that was reset before accept may never be seen, so no exact count of closes.
  server.server->stop(base::Nanos(0));
  EXPECT_EQ(server.server->counters().open, 0U);
  closed.wait_for(static_cast<int>(server.server->counters().accepted));
}

TEST(Server, ServesAUnixSocketOnlyItsOwnerMayUse) {
  const std::string path = temp_path("synod_net_test.sock");
  TestServer server({}, line_echo());
  ASSERT_TRUE(server.server->listen_unix(path).ok());
  struct stat info {};
  ASSERT_EQ(0, ::stat(path.c_str(), &info));
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  auto client = TestClient::unix_path(path);
  ASSERT_TRUE(client.write("local\n"));
  EXPECT_EQ(client.read(6), "local\n");
  server.server->stop(base::Nanos(0));
  EXPECT_NE(0, ::stat(path.c_str(), &info));
}

TEST(Server, ReplacesTheSocketOfAServerThatDied) {
  const std::string path = temp_path("synod_net_stale.sock");
  {
    auto dead = listen_unix_socket(path);
    ASSERT_TRUE(dead.ok()) << dead.status().to_string();
    EXPECT_EQ(listen_unix_socket(path).status().code(), base::StatusCode::kAlreadyExists);
  }
  EXPECT_TRUE(listen_unix_socket(path).ok());
  ::unlink(path.c_str());
}

TEST(Server, RefusesAPathThatIsNoSocket) {
  EXPECT_EQ(listen_unix_socket(testing::TempDir()).status().code(),
            base::StatusCode::kAlreadyExists);
}

TEST(Server, ReportsAPortThatIsTaken) {
  TestServer server({}, line_echo());
  const auto again = server.server->listen_tcp("127.0.0.1", server.port);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.status().code(), base::StatusCode::kAlreadyExists);
}

TEST(Server, ReportsAnAddressThatIsNone) {
  TestServer server({}, line_echo());
  EXPECT_EQ(server.server->listen_tcp("not an address", 0).status().code(),
            base::StatusCode::kInvalidArgument);
}

/// Answers only when told to, long after the bytes came.
class SlowHandler : public LineEcho {
 public:
  SlowHandler(Connection& connection, Tally& received)
      : LineEcho(connection), received_(received) {}
  std::size_t on_bytes(base::BytesView unread) override {
    held_ += unread;
    received_.add();
    return unread.size();
  }
  void on_eof() override {}
  void on_stop() override {
    connection_.send("stopped after " + held_);
    connection_.close_after_flush();
  }

 private:
  Tally& received_;
  std::string held_;
};

TEST(Server, LetsHandlersFinishWhenItStops) {
  Tally received;
  TestServer server({}, [&](Connection& connection) {
    return std::make_shared<SlowHandler>(connection, received);
  });
  auto client = TestClient::tcp(server.port);
  ASSERT_TRUE(client.write("work"));
  received.wait_for(1);
  server.server->stop(std::chrono::seconds(30));
  EXPECT_EQ(client.read_to_end(), "stopped after work");
}

/// Ignores the stop.
class StubbornHandler : public LineEcho {
 public:
  using LineEcho::LineEcho;
  void on_stop() override {}
};

TEST(Server, ClosesStubbornConnectionsAfterTheGrace) {
  Tally closed;
  TestServer server({}, [&](Connection& connection) {
    return std::make_shared<StubbornHandler>(connection, &closed);
  });
  auto client = TestClient::tcp(server.port);
  ASSERT_TRUE(client.write("x\n"));
  ASSERT_EQ(client.read(2), "x\n");
  server.server->stop(std::chrono::milliseconds(20));
  closed.wait_for(1);
  EXPECT_TRUE(client.closed_by_peer());
  EXPECT_EQ(server.server->counters().open, 0U);
}

/// Pauses after every line and resumes from a task.
class PausingHandler : public LineEcho {
 public:
  using LineEcho::LineEcho;
  std::size_t on_bytes(base::BytesView unread) override {
    const auto end = unread.find('\n');
    if (end == base::BytesView::npos) return 0;
    EXPECT_FALSE(connection_.reading_paused());
    connection_.send(base::Bytes(unread.substr(0, end + 1)));
    connection_.pause_reading();
    connection_.dispatcher().post([this] { connection_.resume_reading(); });
    return end + 1;
  }
  void on_eof() override { connection_.close_after_flush(); }
};

TEST(Server, OffersUnreadBytesAgainAfterAPause) {
  TestServer server(
      {}, [](Connection& connection) { return std::make_shared<PausingHandler>(connection); });
  auto client = TestClient::tcp(server.port);
  std::string all;
  for (int i = 0; i < 2000; ++i) all += std::to_string(i) + "\n";
  ASSERT_TRUE(client.write(all));
  client.half_close();
  EXPECT_EQ(client.read_to_end(), all);
}

}  // namespace
}  // namespace synod::net
