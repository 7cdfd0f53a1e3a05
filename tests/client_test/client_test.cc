// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/cpp/connection.h"
#include "client/cpp/reply_status.h"
#include "tests/suite/model_server.h"

namespace synod::client {
namespace {

/// A port on which something listens but nobody answers.
class SilentPort {
 public:
  SilentPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd_, raw, size), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    EXPECT_EQ(::getsockname(fd_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { ::close(fd_); }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

Client connect(const suite::ModelServer& server) {
  auto client = Client::connect("127.0.0.1", server.port());
  EXPECT_TRUE(client.ok()) << client.status().to_string();
  return std::move(client).value();
}

TEST(Client, ReadsWhatItWrote) {
  const suite::ModelServer server;
  Client client = connect(server);
  const base::Bytes key("k\0\xff", 3);
  EXPECT_EQ(client.get(key).value(), std::nullopt);
  const auto version = client.set(key, "v");
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(client.get(key).value(), "v");
  ASSERT_TRUE(client.remove(key).ok());
  EXPECT_EQ(client.get(key).value(), std::nullopt);
  EXPECT_EQ(client.get_at(key, *version).value(), "v");
}

TEST(Client, NamespacesDoNotMix) {
  const suite::ModelServer server;
  Client client = connect(server);
  ASSERT_TRUE(client.set("k", "a").ok());
  ASSERT_TRUE(client.set("k", "b", base::Millis(0), "other").ok());
  EXPECT_EQ(client.get("k").value(), "a");
  EXPECT_EQ(client.get("k", "default").value(), "a");
  EXPECT_EQ(client.get("k", "other").value(), "b");
}

TEST(Client, ANamespaceNobodyWroteReadsAsEmptyAtAVersion) {
  const suite::ModelServer server;
  Client client = connect(server);
  EXPECT_EQ(client.get_at("k", 1, "never").value(), std::nullopt);
  EXPECT_TRUE(client.range({.begin = "", .end = "", .limit = 0, .ns = "never"}).value().empty());
}

TEST(Client, RangesReachTheLastKey) {
  const suite::ModelServer server;
  Client client = connect(server);
  for (const char* key : {"a", "b", "\xff\xff\xff"}) ASSERT_TRUE(client.set(key, "v").ok());
  const auto all = client.range({.begin = "", .end = "", .limit = 0, .ns = ""});
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->size(), 3u);
  const auto some = client.range({.begin = "a", .end = "c", .limit = 1, .ns = ""});
  ASSERT_TRUE(some.ok());
  EXPECT_EQ(*some, (std::vector<Row>{{"a", "v"}}));
}

TEST(Client, AnEmptyKeyIsAnErrorToRead) {
  const suite::ModelServer server;
  Client client = connect(server);
  const auto value = client.get("");
  EXPECT_EQ(value.status().code(), base::StatusCode::kInvalidArgument);
  EXPECT_NE(value.status().message().find("key cannot be empty"), std::string::npos);
}

TEST(MessageTransport, CountsTheBytesOfOneMessageOnly) {
  using apache::thrift::transport::TTransportException;
  constexpr int kLimit = 1 << 20;
  const auto limits = std::make_shared<apache::thrift::TConfiguration>(kLimit, kLimit, 64);
  const auto source =
      std::make_shared<apache::thrift::transport::TMemoryBuffer>(MessageTransport::unlimited());
  apache::thrift::protocol::TBinaryProtocol writer(source);
  const auto transport = std::make_shared<MessageTransport>(source, limits);
  apache::thrift::protocol::TBinaryProtocol reader(transport);
  const std::string part(1'000, 'x');
  constexpr int kHalfOfTheLimit = kLimit / 2 / 1'000;
  const auto read_half = [&] {
    for (int i = 0; i < kHalfOfTheLimit; ++i) writer.writeString(part);
    std::string got;
    for (int i = 0; i < kHalfOfTheLimit; ++i) reader.readString(got);
  };
  for (int message = 0; message < 10; ++message) {
    read_half();
    transport->readEnd();
  }
  read_half();
  EXPECT_THROW(
      {
        read_half();
        read_half();
      },
      TTransportException)
      << "one message above the limit";
}

TEST(Client, MoreThan200MegabytesPassOverOneConnectionEachWay) {
  const suite::ModelServer server;
  Client client = connect(server);
  const base::Bytes value(4 << 20, 'x');
  for (int i = 0; i < 52; ++i) {
    ASSERT_TRUE(client.set("big", value).ok()) << "after " << i << " values";
    const auto read = client.get("big");
    ASSERT_TRUE(read.ok()) << read.status().to_string() << " after " << i << " values";
    ASSERT_EQ((*read)->size(), value.size());
  }
}

TEST(Client, SaysWhenNobodyListens) {
  std::uint16_t port = 0;
  {
    const SilentPort closed;
    port = closed.port();
  }
  EXPECT_EQ(Client::connect("127.0.0.1", port).status().code(), base::StatusCode::kClosed);
}

TEST(Client, GivesUpOnASilentServer) {
  const SilentPort silent;
  ClientOptions options;
  options.call_timeout = base::Millis(50);
  auto client = Client::connect("127.0.0.1", silent.port(), options);
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(client->get("k").status().code(), base::StatusCode::kTimeout);
  EXPECT_EQ(client->set("k", "v").status().code(), base::StatusCode::kOutcomeUnknown);
}

TEST(Client, GoesToTheNextEndpointWhenOneIsGone) {
  auto first = std::make_unique<suite::ModelServer>();
  const suite::ModelServer second;
  auto client = Client::connect({{"127.0.0.1", first->port()}, {"127.0.0.1", second.port()}});
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE(client->set("k", "v").ok());
  first.reset();
  EXPECT_EQ(client->get("k").value(), std::nullopt) << "the second server has its own data";
}

TEST(ReplyStatus, KeepsTheCodeInTheMessage) {
  const auto status = status_of_reply("NO_SPACE", "the disk is full");
  EXPECT_EQ(status.code(), base::StatusCode::kNoSpace);
  EXPECT_EQ(status.message(), "NO_SPACE: the disk is full");
  EXPECT_EQ(status_of_reply("SOMETHING_NEW", "").code(), base::StatusCode::kInternal);
  EXPECT_EQ(status_of_reply("", "").code(), base::StatusCode::kInternal);
}

}  // namespace
}  // namespace synod::client
