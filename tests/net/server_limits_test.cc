// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "tests/net/net_fixture.h"

namespace synod::net {
namespace {

TEST(ServerLimits, RefusesConnectionsOverTheLimitAndKeepsAccepting) {
  ServerLimits limits;
  limits.connections_max = 2;
  Tally closed;
  TestServer server(limits, line_echo(&closed));
  auto first = TestClient::tcp(server.port);
  auto second = TestClient::tcp(server.port);
  for (auto* client : {&first, &second}) {
    ASSERT_TRUE(client->write("x\n"));
    ASSERT_EQ(client->read(2), "x\n");
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(TestClient::tcp(server.port).closed_by_peer());
  EXPECT_EQ(server.server->counters().refused_over_limit, 10U);
  first.reset();
  closed.wait_for(1);
  auto third = TestClient::tcp(server.port);
  // `open` falls just after on_close; a client that came in between was refused like the others.
  while (!third.write("y\n") || third.read(2) != "y\n") third = TestClient::tcp(server.port);
  EXPECT_EQ(server.server->counters().open, 2U);
}

TEST(ServerLimits, StopsReadingFromAClientThatDoesNotReadReplies) {
  ServerLimits limits;
  limits.output_pause_bytes = 64 * 1024;
  TestServer server(limits, line_echo());
  auto client = TestClient::tcp(server.port);
  std::string all;
  for (int i = 0; all.size() < (16U << 20); ++i)
    all += std::to_string(i) + std::string(900, '.') + "\n";
  // The writer blocks until this side reads: nothing is lost and nothing is closed.
  std::thread writer([&] { ASSERT_TRUE(client.write(all)); });
  EXPECT_EQ(client.read(all.size()), all);
  writer.join();
  EXPECT_EQ(server.server->counters().closed_output_limit, 0U);
}

/// Sends without end, whatever the connection says.
class Flood : public LineEcho {
 public:
  using LineEcho::LineEcho;
  std::size_t on_bytes(base::BytesView unread) override {
    for (int i = 0; i < 64; ++i) connection_.send(base::Bytes(1U << 20, 'f'));
    return unread.size();
  }
};

TEST(ServerLimits, ClosesAtTheHardOutputLimit) {
  ServerLimits limits;
  limits.output_bytes_max = 8U << 20;
  Tally closed;
  TestServer server(
      limits, [&](Connection& connection) { return std::make_shared<Flood>(connection, &closed); });
  auto client = TestClient::tcp(server.port);
  ASSERT_TRUE(client.write("go"));
  closed.wait_for(1);
  EXPECT_EQ(server.server->counters().closed_output_limit, 1U);
}

TEST(ServerLimits, ClosesWhenAHandlerWantsMoreThanAMessage) {
  ServerLimits limits;
  limits.message_bytes_max = 1U << 20;
  Tally closed;
  TestServer server(limits, line_echo(&closed));
  auto client = TestClient::tcp(server.port);
  (void)client.write(std::string(4U << 20, 'x'));  // may fail half-way: the server closes
  closed.wait_for(1);
  EXPECT_EQ(server.server->counters().closed_input_limit, 1U);
}

TEST(ServerLimits, RestsWhenNoDescriptorIsLeftAndRecovers) {
  TestServer server({}, line_echo());
  auto before = TestClient::tcp(server.port);
  ASSERT_TRUE(before.write("x\n"));
  ASSERT_EQ(before.read(2), "x\n");

  rlimit old{};
  ASSERT_EQ(0, ::getrlimit(RLIMIT_NOFILE, &old));
  // One more descriptor for the client socket, none for the server's side of it.
  UniqueFd probe(::dup(before.fd()));
  const int lowest_free = probe.get();
  probe.reset();
  rlimit tight = old;
  tight.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &tight));
  auto waiting = TestClient::tcp(server.port);
  ASSERT_TRUE(waiting.write("later\n"));
  while (server.server->counters().accept_pauses == 0) std::this_thread::yield();
  ASSERT_TRUE(before.write("still served\n"));
  EXPECT_EQ(before.read(13), "still served\n");
  ASSERT_EQ(0, ::setrlimit(RLIMIT_NOFILE, &old));
  EXPECT_EQ(waiting.read(6), "later\n");
}

}  // namespace
}  // namespace synod::net
