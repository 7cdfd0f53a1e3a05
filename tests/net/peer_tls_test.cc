// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "net/tls_context.h"
#include "tests/net/peer_certificates.h"
#include "tests/net/peer_fixture.h"

namespace synod::net {
namespace {

TcpPeerOptions tls_options(std::uint32_t self, const TlsOptions& tls) {
  TcpPeerOptions options = test_options(self);
  options.tls = tls;
  return options;
}

/// Nodes 1 and 2, of which the second dials the first with these files.
struct TlsPair {
  TlsPair(const TlsOptions& tls_a, const TlsOptions& tls_b, std::uint32_t id_b = 2)
      : a(tls_options(1, tls_a)), b(with_peer(tls_options(id_b, tls_b), a)) {}
  static TcpPeerOptions with_peer(TcpPeerOptions options, const TestNode& a) {
    options.peers = {{PeerId(1), a.address()}};
    return options;
  }
  TestNode a;
  TestNode b;
};

/// One end of a TLS connection spoken by hand, in order to say any hello with any certificate.
class RawTlsPeer {
 public:
  RawTlsPeer(RawPeer socket, bool is_dialer, const TlsOptions& files, PeerId self)
      : socket_(std::move(socket)), context_(load(files, self)) {
    stream_ = context_->make_stream(socket_.fd(), is_dialer);
  }
  RawTlsPeer(std::uint16_t port, const TlsOptions& files, PeerId self)
      : RawTlsPeer(RawPeer::dial(port), true, files, self) {}
  /// Ok, or why the handshake failed.
  std::string handshake() {
    return drive([&] { return stream_->handshake(); });
  }
  std::string write(std::string_view bytes) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    return drive([&] { return stream_->write(std::span(&part, 1)); });
  }
  /// What comes first, or why nothing does.
  std::string read() {
    std::string out(4096, '\0');
    std::size_t size = 0;
    const std::string failure = drive([&] {
      const StreamResult result = stream_->read(out.data(), out.size());
      size = result.bytes;
      return result;
    });
    out.resize(size);
    return failure.empty() ? out : failure;
  }
  /// After a failure: the other side is done with us, and has counted us.
  bool wait_closed() { return socket_.wait_closed(); }

 private:
  static std::unique_ptr<TlsContext> load(const TlsOptions& files, PeerId self) {
    auto context = TlsContext::load(files, self);
    EXPECT_TRUE(context.ok()) << context.status().to_string();
    return std::move(context).value();
  }
  template <class Step>
  std::string drive(const Step& step) {
    while (true) {
      const StreamResult result = step();
      if (result.state == StreamResult::State::kDone) return {};
      if (result.state == StreamResult::State::kEnd) return "end";
      if (result.state == StreamResult::State::kFailed) return stream_->failure();
      const bool reads = result.state == StreamResult::State::kWantRead;
      pollfd ready{socket_.fd(), static_cast<short>(reads ? POLLIN : POLLOUT), 0};
      if (::poll(&ready, 1, static_cast<int>(kPatience.count()) * 1000) != 1) return "timeout";
    }
  }

  RawPeer socket_;
  std::unique_ptr<TlsContext> context_;
  std::unique_ptr<PeerStream> stream_;
};

TEST(PeerTls, NodesOfOneAuthorityTalk) {
  const TestAuthority authority("ca");
  TlsPair pair(authority.issue_node(1), authority.issue_node(2));
  ASSERT_TRUE(pair.a.wait_all_classes(2));
  ASSERT_TRUE(pair.b.wait_all_classes(1));
  std::vector<base::Bytes> sent;
  for (int i = 0; i < 500; ++i) {
    sent.emplace_back(i % 100 == 99 ? (3U << 20U) + 1U : 17U, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(pair.a.send(2, sent.back()));
  }
  EXPECT_TRUE(pair.b.wait_frames(1, sent.size()) == sent);
  ASSERT_TRUE(pair.b.send(1, "back"));
  EXPECT_EQ(pair.a.wait_frames(2, 1).front(), "back");
  EXPECT_EQ(pair.a.transport().counters().tls_failures, 0U);
}

TEST(PeerTls, ClusterNameAndUriNameANodeToo) {
  const TestAuthority authority("ca");
  TlsOptions first = authority.issue("one", "DNS:other.example,DNS:node-1.blue");
  TlsOptions second = authority.issue("two", "URI:synod:node-2.blue");
  first.cluster_name = "blue";
  second.cluster_name = "blue";
  TlsPair pair(first, second);
  EXPECT_TRUE(pair.a.wait_connected(2));
  EXPECT_TRUE(pair.b.wait_connected(1));
}

TEST(PeerTls, OtherAuthorityIsRefused) {
  const TestAuthority authority("ca");
  const TestAuthority other("ca");
  TestNode node(tls_options(1, authority.issue_node(1)));
  TlsOptions files = other.issue_node(2);
  files.ca_file = authority.path("ca.pem");  // it trusts us; we do not trust it
  RawTlsPeer peer(node.port(), files, PeerId(2));
  EXPECT_EQ(peer.handshake(), "");
  EXPECT_NE(peer.read().find("TLS: "), std::string::npos);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(node.transport().counters().tls_failures, 1U);
  files.ca_file = other.path("ca.pem");
  RawTlsPeer wary(node.port(), files, PeerId(2));
  EXPECT_NE(wary.handshake().find("its certificate is refused"), std::string::npos);
}

TEST(PeerTls, ExpiredCertificateIsRefused) {
  const TestAuthority authority("ca");
  TestNode node(tls_options(1, authority.issue_node(1)));
  RawTlsPeer peer(node.port(), authority.issue("late", "DNS:synod-node-2", -60), PeerId(2));
  EXPECT_EQ(peer.handshake(), "");
  EXPECT_NE(peer.read().find("expired"), std::string::npos);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(node.transport().counters().tls_failures, 1U);
}

TEST(PeerTls, HelloOfAnotherNodeThanTheCertificateIsRefused) {
  const TestAuthority authority("ca");
  TestNode node(tls_options(1, authority.issue_node(1)));
  RawTlsPeer peer(node.port(), authority.issue_node(3), PeerId(3));
  ASSERT_EQ(peer.handshake(), "");
  ASSERT_EQ(peer.write(encode_hello(dial_hello(2, 1))), "");
  const HelloScan answer = scan_hello(peer.read());
  ASSERT_EQ(answer.state, HelloScan::State::kComplete);
  EXPECT_EQ(answer.hello.verdict, HelloVerdict::kWrongIdentity);
  EXPECT_EQ(peer.read(), "end");
  EXPECT_EQ(node.transport().counters().wrong_identity, 1U);
}

TEST(PeerTls, DialerRefusesANodeWithTheWrongName) {
  const TestAuthority authority("ca");
  const UniqueFd listener = listen_tcp_socket("127.0.0.1", 0).value();
  TcpPeerOptions options = tls_options(1, authority.issue_node(1));
  options.peers = {{PeerId(2), {"127.0.0.1", local_port(listener.get())}}};  // where node 3 is
  TestNode node(options);
  RawTlsPeer third(RawPeer::accept(listener), false, authority.issue_node(3), PeerId(3));
  ASSERT_EQ(third.handshake(), "");
  EXPECT_NE(scan_hello(third.read()).state, HelloScan::State::kComplete);  // it went without one
  EXPECT_GE(node.transport().counters().wrong_identity, 1U);
}

TEST(PeerTls, PlainTextOnTheTlsPortIsRefused) {
  const TestAuthority authority("ca");
  TestNode node(tls_options(1, authority.issue_node(1)));
  RawPeer plain = RawPeer::dial(node.port());
  plain.write(encode_hello(dial_hello(2, 1)));
  EXPECT_TRUE(plain.wait_closed());
  EXPECT_EQ(node.transport().counters().tls_failures, 1U);
  EXPECT_TRUE(node.transport().views().empty());
}

TEST(PeerTls, ReloadServesNewConnectionsAndABadFileChangesNothing) {
  const TestAuthority authority("ca");
  const TlsOptions files = authority.issue_node(1);
  TestNode node(tls_options(1, files));
  std::filesystem::resize_file(files.cert_file, 10);
  const base::Status broken = node.transport().reload_certificates();
  EXPECT_NE(broken.message().find(files.cert_file), std::string::npos);
  TestNode second(TlsPair::with_peer(tls_options(2, authority.issue_node(2)), node));
  EXPECT_TRUE(second.wait_connected(1));
  (void)authority.issue_node(1);  // writes the files anew
  EXPECT_TRUE(node.transport().reload_certificates().ok());
  TestNode third(TlsPair::with_peer(tls_options(3, authority.issue_node(3)), node));
  EXPECT_TRUE(third.wait_connected(1));
}

TEST(TlsContext, LoadNamesTheFileAndTheMistake) {
  const TestAuthority authority("ca");
  const TlsOptions good = authority.issue_node(1);
  EXPECT_TRUE(TlsContext::load(good, PeerId(1)).ok());
  const auto message = [](const TlsOptions& files, std::uint32_t self) {
    return TlsContext::load(files, PeerId(self)).status().message();
  };
  EXPECT_NE(message(good, 2).find("synod-node-1, wanted is synod-node-2"), std::string::npos);
  EXPECT_NE(message(authority.issue("none", ""), 1).find("no node"), std::string::npos);
  TlsOptions missing = good;
  missing.ca_file = authority.path("nothing.pem");
  EXPECT_NE(message(missing, 1).find("nothing.pem"), std::string::npos);
  TlsOptions mixed = good;
  mixed.key_file = authority.issue_node(2).key_file;
  EXPECT_NE(message(mixed, 1).find("mismatch"), std::string::npos) << message(mixed, 1);
  ASSERT_EQ(0, ::chmod(good.key_file.c_str(), 0644));
  EXPECT_NE(message(good, 1).find("chmod"), std::string::npos);
}

}  // namespace
}  // namespace synod::net
