// SPDX-License-Identifier: Apache-2.0
#include "server/http/admin_http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace synod::server {
namespace {

/// A client that sends whatever bytes the test wants.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int failed = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    EXPECT_EQ(failed, 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void finish_sending() const { ::shutdown(fd_, SHUT_WR); }

  /// One reply: head and as much body as it announces (none for HEAD). "" if the peer closed.
  std::string reply(bool has_body = true) {
    std::size_t head = std::string::npos;
    while ((head = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return {};
    }
    std::size_t size = head + 4;
    const auto length = received_.find("Content-Length: ");
    if (has_body && length < head) size += std::stoul(received_.substr(length + 16));
    while (received_.size() < size) {
      if (!receive()) return {};
    }
    std::string one = received_.substr(0, size);
    received_.erase(0, size);
    return one;
  }
  /// True once the peer has closed; false after 20 s.
  bool wait_until_closed() {
    while (receive()) {
    }
    return !timed_out_;
  }

 private:
  bool receive() {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, 20'000) != 1) {
      timed_out_ = true;
      return false;
    }
    std::string bytes(4096, '\0');
    const ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (count <= 0) return false;
    received_.append(bytes, 0, static_cast<std::size_t>(count));
    return true;
  }

  const int fd_;
  std::string received_;
  bool timed_out_ = false;
};

struct AdminPort {
  explicit AdminPort(const AdminHttpOptions& options = {}) {
    AdminHttpServer::Sources sources;
    sources.metrics = [](std::string& out) { out += "# nothing yet\n"; };
    sources.checks = [this] {
      return std::vector<ReadyCheck>{{"store", true, ""},
                                     {"leader", has_leader.load(), "none \"yet\""}};
    };
    sources.version = "1.2.3";
    sources.routes.push_back({"/echo", {"GET", "POST"}, [](const HttpRequest& request) {
                                return HttpReply{200, "text/plain", request.body};
                              }});
    auto started = AdminHttpServer::start(options, std::move(sources));
    EXPECT_TRUE(started.ok()) << started.status().to_string();
    server = std::move(*started);
  }
  std::string ask(const std::string& request, bool has_body = true) const {
    Client client(server->port());
    EXPECT_TRUE(client.send(request));
    return client.reply(has_body);
  }
  std::string get(const std::string& target, const std::string& headers = {}) const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  }

  std::atomic<bool> has_leader{true};
  std::unique_ptr<AdminHttpServer> server;
};

unsigned status_of(const std::string& reply) {
  return reply.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(reply.substr(9, 3)));
}

std::string body_of(const std::string& reply) {
  const auto head = reply.find("\r\n\r\n");
  return head == std::string::npos ? std::string() : reply.substr(head + 4);
}

TEST(AdminHttpServer, AnswersItsPathsInTextAndJson) {
  const AdminPort port;
  const std::string json = "Accept: application/json\r\n";
  EXPECT_EQ(body_of(port.get("/health")), "ok\n");
  EXPECT_EQ(body_of(port.get("/livez")), "ok\n");
  EXPECT_EQ(body_of(port.get("/health", json)), "{\"status\":\"ok\"}\n");
  EXPECT_EQ(body_of(port.get("/version")), "1.2.3\n");
  EXPECT_EQ(body_of(port.get("/version", json)), "{\"version\":\"1.2.3\"}\n");
  const std::string metrics = port.get("/metrics", json);
  EXPECT_EQ(body_of(metrics), "# nothing yet\n");
  EXPECT_NE(metrics.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            std::string::npos);
}

TEST(AdminHttpServer, IsReadyOnlyIfEveryCheckIs) {
  AdminPort port;
  EXPECT_EQ(body_of(port.get("/ready")), "ok\n");
  EXPECT_EQ(body_of(port.get("/readyz?verbose")), "[+]store\n[+]leader: none \"yet\"\nok\n");
  port.has_leader = false;
  const std::string reply = port.get("/ready");
  EXPECT_EQ(status_of(reply), 503U);
  EXPECT_EQ(body_of(reply), "[-]leader: none \"yet\"\nnot ready\n");
  EXPECT_EQ(body_of(port.get("/readyz", "Accept: application/json\r\n")),
            "{\"status\":\"not ready\",\"checks\":["
            "{\"name\":\"store\",\"ok\":true,\"detail\":\"\"},"
            "{\"name\":\"leader\",\"ok\":false,\"detail\":\"none \\\"yet\\\"\"}]}\n");
  EXPECT_EQ(status_of(port.get("/health")), 200U);
}

TEST(AdminHttpServer, RefusesOtherPathsAndMethods) {
  const AdminPort port;
  EXPECT_EQ(status_of(port.get("/")), 404U);
  EXPECT_EQ(status_of(port.get("/metrics/../health")), 404U);
  EXPECT_EQ(status_of(port.get("http://x/health")), 404U);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"}) {
    const std::string reply = port.ask(
        std::string(method) + " /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(status_of(reply), 405U) << method;
    EXPECT_NE(reply.find("Allow: GET, HEAD\r\n"), std::string::npos) << reply;
  }
  const std::string echo = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  EXPECT_EQ(body_of(port.ask(echo)), "hello");
}

TEST(AdminHttpServer, AnswersHeadWithTheHeadAlone) {
  const AdminPort port;
  Client client(port.server->port());
  ASSERT_TRUE(client.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n"));
  const std::string head = client.reply(false);
  EXPECT_EQ(status_of(head), 200U);
  EXPECT_NE(head.find("Content-Length: 3\r\n"), std::string::npos);
  // What follows is the next reply, not a body.
  ASSERT_TRUE(client.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(body_of(client.reply()), "1.2.3\n");
}

TEST(AdminHttpServer, KeepsAConnectionAndAnswersInOrder) {
  const AdminPort port;
  Client client(port.server->port());
  std::string burst;
  for (int i = 0; i < 50; ++i) {
    burst += i % 2 == 0 ? "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
                        : "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  ASSERT_TRUE(client.send(burst));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(body_of(client.reply()), i % 2 == 0 ? "ok\n" : "1.2.3\n");
  ASSERT_TRUE(client.send("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(body_of(client.reply()), "ok\n");
  EXPECT_TRUE(client.wait_until_closed());
}

TEST(AdminHttpServer, SurvivesWhatIsNoRequest) {
  const AdminPort port;
  const std::vector<std::string> bad = {
      "\r\n\r\n\r\n\r\nx\r\n\r\n",
      "GET\r\n\r\n",
      "GET /health\r\n\r\n",
      "GET /health HTTP/9.9\r\n\r\n",
      "GET /health HTTP/1.1\r\nno colon\r\n\r\n",
      "GET /health HTTP/1.1\r\n: empty\r\n\r\n",
      std::string("GET /he\0alth HTTP/1.1\r\n\r\n", 25),
      "GET /health HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
      "GET /health HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "POST /health HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      std::string(100'000, 'A'),
  };
  for (const std::string& bytes : bad) {
    Client client(port.server->port());
    client.send(bytes);  // it may be cut off before the end
    client.finish_sending();
    EXPECT_TRUE(client.wait_until_closed()) << bytes.substr(0, 60);
  }
  base::Random random(11);
  for (int i = 0; i < 200; ++i) {
    std::string bytes = i % 2 == 0 ? "" : "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    if (bytes.empty()) bytes.resize(1 + random.next() % 300);
    for (int flips = 0; flips < 8; ++flips) {
      bytes[random.next() % bytes.size()] = static_cast<char>(random.next());
    }
    Client client(port.server->port());
    client.send(bytes);
    client.finish_sending();
    EXPECT_TRUE(client.wait_until_closed());
  }
  EXPECT_EQ(status_of(port.get("/health")), 200U);
}

TEST(AdminHttpServer, BoundsHeadersAndBodies) {
  const AdminPort port;
  const std::string large = "X: " + std::string(9'000, 'a') + "\r\n";
  EXPECT_EQ(status_of(port.get("/health", large)), 431U);
  EXPECT_EQ(status_of(port.ask("POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")), 413U);
  std::string many;
  for (int i = 0; i < 2'000; ++i) many += "A: b\r\n";
  EXPECT_EQ(status_of(port.get("/health", many)), 431U);
}

TEST(AdminHttpServer, ClosesWhoSendsTooSlowly) {
  AdminHttpOptions options;
  options.request_timeout = std::chrono::milliseconds(100);
  const AdminPort port(options);
  Client silent(port.server->port());
  Client slow(port.server->port());
  ASSERT_TRUE(slow.send("GET /health HT"));
  EXPECT_TRUE(silent.wait_until_closed());
  EXPECT_TRUE(slow.wait_until_closed());
  // A byte now and then does not help: the deadline is that of the whole request.
  Client dripping(port.server->port());
  bool is_open = true;
  while (is_open && dripping.send("a")) {
    pollfd never{-1, 0, 0};
    ::poll(&never, 1, 10);
  }
  EXPECT_TRUE(dripping.wait_until_closed());
}

TEST(AdminHttpServer, BoundsItsConnections) {
  AdminHttpOptions options;
  options.connections_max = 2;
  const AdminPort port(options);
  const std::string request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
  auto first = std::make_unique<Client>(port.server->port());
  Client second(port.server->port());
  for (Client* client : {first.get(), &second}) {
    ASSERT_TRUE(client->send(request));
    EXPECT_EQ(status_of(client->reply()), 200U);
  }
  Client third(port.server->port());
  EXPECT_TRUE(third.wait_until_closed());
  ASSERT_TRUE(first->send("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(status_of(first->reply()), 200U);
  first->finish_sending();
  EXPECT_TRUE(first->wait_until_closed());
  // The place is free as soon as the server has seen the end.
  unsigned status = 0;
  for (int i = 0; i < 1'000 && status != 200; ++i) {
    Client next(port.server->port());
    if (next.send(request)) status = status_of(next.reply());
  }
  EXPECT_EQ(status, 200U);
}

TEST(AdminHttpServer, StopsWhileConnectionsAreOpen) {
  AdminPort port;
  const std::uint16_t number = port.server->port();
  Client idle(number);
  ASSERT_TRUE(idle.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(status_of(idle.reply()), 200U);
  Client half(number);
  ASSERT_TRUE(half.send("GET /hea"));
  port.server->stop();
  port.server->stop();
  port.server.reset();
  EXPECT_TRUE(idle.wait_until_closed());
  EXPECT_TRUE(half.wait_until_closed());
  AdminHttpOptions again;
  again.port = number;
  const AdminPort next(again);
  EXPECT_EQ(status_of(next.get("/health")), 200U);
}

TEST(AdminHttpServer, SaysThatThePortIsTaken) {
  const AdminPort port;
  AdminHttpOptions options;
  options.port = port.server->port();
  const auto second = AdminHttpServer::start(options, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), base::StatusCode::kAlreadyExists);
  options.bind = "no such host.invalid";
  EXPECT_FALSE(AdminHttpServer::start(options, {}).ok());
}

}  // namespace
}  // namespace synod::server
