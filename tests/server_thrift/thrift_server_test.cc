// SPDX-License-Identifier: Apache-2.0
#include "server/thrift/thrift_server.h"

#include <gtest/gtest.h>
#include <thrift/transport/TSocket.h>

#include <deque>
#include <mutex>
#include <thread>

#include "tests/server_thrift/fake_router.h"
#include "tests/server_thrift/session_fixture.h"

namespace synod::server {
namespace {

using apache::thrift::transport::TBufferedTransport;
using apache::thrift::transport::TFramedTransport;
using apache::thrift::transport::TSocket;
using apache::thrift::transport::TTransport;

/// A FakeRouter behind a thread of its own, like the commit thread of the real one.
class ThreadedRouter final : public router::RequestRouter {
 public:
  ThreadedRouter() { thread_.start(); }
  ~ThreadedRouter() override {
    thread_.stop();
    thread_.join();
  }
  void submit(core::KvOperation operation, const router::RequestContext& context,
              base::Function<void(core::Outcome)> done) override {
    run([this, operation = std::move(operation), context, done = std::move(done)]() mutable {
      fake_.submit(std::move(operation), context, std::move(done));
    });
  }
  void read(core::PointReadRequest request, const router::RequestContext& context,
            base::Function<void(core::PointReadReply)> done) override {
    run([this, request = std::move(request), context, done = std::move(done)]() mutable {
      fake_.read(std::move(request), context, std::move(done));
    });
  }
  void read_range(core::RangeReadRequest request, const router::RequestContext& context,
                  base::Function<void(core::RangeReadReply)> done) override {
    run([this, request = std::move(request), context, done = std::move(done)]() mutable {
      fake_.read_range(std::move(request), context, std::move(done));
    });
  }
  void read_version(const router::RequestContext& context,
                    base::Function<void(core::VersionReply)> done) override {
    run([this, context, done = std::move(done)]() mutable {
      fake_.read_version(context, std::move(done));
    });
  }
  [[nodiscard]] std::vector<router::NodeView> nodes() const override { return {}; }
  [[nodiscard]] router::DatabaseCounters counters() const override { return {}; }

 private:
  void run(base::Dispatcher::Task task) { thread_.dispatcher().post(std::move(task)); }

  FakeRouter fake_;
  net::Worker thread_{"commit"};
};

struct ServerFixture {
  explicit ServerFixture(const net::ServerLimits& limits = {}) {
    for (net::Worker* worker : {&first, &second}) worker->start();
    server = std::make_unique<ThriftServer>(limits, make_kv_service({}, router, first.dispatcher()),
                                            std::vector{&first, &second});
    auto bound = server->listen_tcp("127.0.0.1", 0);
    EXPECT_TRUE(bound.ok()) << bound.status().to_string();
    port = *bound;
  }
  ~ServerFixture() { server->stop(std::chrono::seconds(5)); }

  net::Worker first{"worker0"};
  net::Worker second{"worker1"};
  ThreadedRouter router;
  std::unique_ptr<ThriftServer> server;
  std::uint16_t port = 0;
};

/// A blocking client as users have them.
std::unique_ptr<api::TransactionalKVClient> connect(const std::shared_ptr<TTransport>& transport,
                                                    WireFormat::Protocol protocol) {
  transport->open();
  if (protocol == WireFormat::Protocol::kBinary) {
    return std::make_unique<api::TransactionalKVClient>(
        std::make_shared<TBinaryProtocol>(transport));
  }
  return std::make_unique<api::TransactionalKVClient>(
      std::make_shared<TCompactProtocol>(transport));
}

void set_and_get(api::TransactionalKVClient& client, const std::string& key) {
  api::SetResponse set;
  client.setKey(set, set_request(key, "v:" + key));
  ASSERT_TRUE(set.success);
  api::GetResponse get;
  client.get(get, get_request(key));
  ASSERT_EQ(get.value, "v:" + key);
}

TEST(ThriftServer, ServesUnbufferedBufferedAndFramedClients) {
  ServerFixture fixture;
  for (const auto protocol : {WireFormat::Protocol::kBinary, WireFormat::Protocol::kCompact}) {
    const auto socket = [&] { return std::make_shared<TSocket>("127.0.0.1", fixture.port); };
    const std::shared_ptr<TTransport> transports[] = {
        socket(), std::make_shared<TBufferedTransport>(socket()),
        std::make_shared<TFramedTransport>(socket())};
    for (const auto& transport : transports) {
      const auto client = connect(transport, protocol);
      for (int i = 0; i < 50; ++i) set_and_get(*client, std::to_string(i));
    }
  }
}

TEST(ThriftServer, ServesAUnixSocket) {
  ServerFixture fixture;
  const std::string path =
      testing::TempDir() + "synod_thrift_test." + std::to_string(::getpid()) + ".sock";
  ASSERT_TRUE(fixture.server->listen_unix(path).ok());
  const auto client = connect(std::make_shared<TBufferedTransport>(std::make_shared<TSocket>(path)),
                              WireFormat::Protocol::kBinary);
  set_and_get(*client, "k");
}

TEST(ThriftServer, KeepsEachConnectionsOrderUnderLoadFromMany) {
  ServerFixture fixture;
  std::vector<std::thread> clients;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([&fixture, t] {
      const auto client = connect(std::make_shared<TBufferedTransport>(
                                      std::make_shared<TSocket>("127.0.0.1", fixture.port)),
                                  WireFormat::Protocol::kBinary);
      const std::string key = "key" + std::to_string(t);
      for (int round = 0; round < 50; ++round) {
        for (int i = 0; i < 10; ++i) {
          client->send_setKey(set_request(key, std::to_string(round * 10 + i)));
          client->send_get(get_request(key));
        }
        for (int i = 0; i < 10; ++i) {
          api::SetResponse set;
          client->recv_setKey(set);
          ASSERT_TRUE(set.success);
          api::GetResponse get;
          client->recv_get(get);
          ASSERT_EQ(get.value, std::to_string(round * 10 + i));
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST(ThriftServer, SurvivesClientsThatLeaveWithCallsInFlight) {
  ServerFixture fixture;
  for (int i = 0; i < 200; ++i) {
    const auto socket = std::make_shared<TSocket>("127.0.0.1", fixture.port);
    const auto client =
        connect(std::make_shared<TBufferedTransport>(socket), WireFormat::Protocol::kBinary);
    for (int k = 0; k < 20; ++k) client->send_setKey(set_request("k", "v"));
    socket->setLinger(true, 0);
    socket->close();
  }
  const auto client =
      connect(std::make_shared<TSocket>("127.0.0.1", fixture.port), WireFormat::Protocol::kBinary);
  set_and_get(*client, "alive");
}

TEST(ThriftServer, BearsThousandsOfIdleConnections) {
  ServerFixture fixture;
  std::vector<std::unique_ptr<api::TransactionalKVClient>> idle;
  for (int i = 0; i < 400; ++i) {
    idle.push_back(connect(std::make_shared<TSocket>("127.0.0.1", fixture.port),
                           WireFormat::Protocol::kBinary));
  }
  set_and_get(*idle.front(), "first");
  set_and_get(*idle.back(), "last");
  EXPECT_EQ(fixture.server->counters().open, 400U);
}

TEST(ThriftServer, StopsWithConnectionsOpen) {
  ServerFixture fixture;
  const auto client =
      connect(std::make_shared<TSocket>("127.0.0.1", fixture.port), WireFormat::Protocol::kBinary);
  set_and_get(*client, "k");
  fixture.server->stop(std::chrono::seconds(30));
  EXPECT_EQ(fixture.server->counters().open, 0U);
  api::GetResponse get;
  EXPECT_THROW(client->get(get, get_request("k")), apache::thrift::transport::TTransportException);
}

}  // namespace
}  // namespace synod::server
