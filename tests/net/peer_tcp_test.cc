// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/net/peer_fixture.h"

namespace synod::net {
namespace {

using namespace std::chrono_literals;

/// Two nodes of which the second knows the first.
struct Pair {
  Pair() : a(test_options(1)), b(options_of_b(a)) {
    EXPECT_TRUE(a.wait_all_classes(2));
    EXPECT_TRUE(b.wait_all_classes(1));
  }
  static TcpPeerOptions options_of_b(const TestNode& a) {
    TcpPeerOptions options = test_options(2);
    options.peers = {{PeerId(1), a.address()}};
    return options;
  }
  TestNode a;
  TestNode b;
};

TEST(TcpPeerTransport, DeliversManyFramesAndLongOnesInOrder) {
  Pair pair;
  base::Random random(4711);
  std::vector<base::Bytes> sent;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t size =
        i % 500 == 499 ? (1U << 20U) + random.below(3U << 20U) : random.below(300);
    sent.push_back(base::Bytes(size, static_cast<char>('a' + i % 26)) + std::to_string(i));
    ASSERT_TRUE(pair.a.send(2, sent.back())) << i;
    if (i % 3 == 0) {
      ASSERT_TRUE(pair.b.send(1, std::to_string(i), PeerClass::kForward));
    }
  }
  EXPECT_TRUE(pair.b.wait_frames(1, sent.size()) == sent);
  EXPECT_EQ(pair.a.wait_frames(2, 1000, PeerClass::kForward).size(), 1000U);
  const PeerView view = pair.a.view(2);
  EXPECT_TRUE(view.is_connected);
  EXPECT_EQ(view.frames_out, 3000U);
  EXPECT_EQ(view.frames_in, 1000U);
  EXPECT_EQ(view.frames_dropped, 0U);
  EXPECT_GT(view.last_heard.count(), 0);
  EXPECT_EQ(pair.b.view(1).endpoint, format_peer_address(pair.a.address()));
}

TEST(TcpPeerTransport, LearnsWhereAnUnknownPeerIs) {
  Pair pair;  // node 1 has no peers configured
  EXPECT_EQ(pair.a.view(2).endpoint, format_peer_address(pair.b.address()));
  EXPECT_GE(pair.a.transport().counters().learned, 1U);
  EXPECT_TRUE(pair.a.send(2, "found you"));
  EXPECT_EQ(pair.b.wait_frames(1, 1).front(), "found you");
}

TEST(TcpPeerTransport, DropsFramesForNobodyAtOnce) {
  TestNode a(test_options(1));
  EXPECT_FALSE(a.send(2, "unknown"));
  ASSERT_TRUE(a.transport().configure_peer(PeerId(2), {"127.0.0.1", 1}).ok());
  EXPECT_FALSE(a.send(2, "not there"));
  EXPECT_EQ(a.view(2).frames_dropped, 1U);
}

TEST(TcpPeerTransport, ConnectsAgainAfterThePeerRestarts) {
  TestNode a(test_options(1));
  TcpPeerOptions options = Pair::options_of_b(a);
  auto b = std::make_unique<TestNode>(options);
  ASSERT_TRUE(a.wait_connected(2));
  options.bind_port = b->port();
  b.reset();
  b = std::make_unique<TestNode>(options);
  ASSERT_TRUE(a.wait_connected(2, 2));
  EXPECT_TRUE(a.send(2, "again"));
  EXPECT_EQ(b->wait_frames(1, 1), std::vector<base::Bytes>{"again"});
  EXPECT_GE(a.view(2).reconnects, 1U);
}

TEST(TcpPeerTransport, ResolvesNames) {
  TestNode a(test_options(1));
  TcpPeerOptions options = test_options(2);
  options.peers = {{PeerId(1), {"localhost", a.port()}}};
  TestNode b(options);
  EXPECT_TRUE(b.wait_connected(1));
}

TEST(TcpPeerTransport, NameThatDoesNotExistHoldsNobodyUp) {
  TcpPeerOptions options = test_options(1);
  options.allow_insecure = true;
  options.peers = {{PeerId(9), {"no-such-host.invalid", 4711}}};
  TestNode a(options);
  TestNode b(Pair::options_of_b(a));
  EXPECT_TRUE(a.wait_all_classes(2));
}

TEST(TcpPeerTransport, SetClusterEndsWhatDoesNotBelongTogether) {
  Pair pair;
  pair.a.transport().set_cluster(7);
  pair.b.transport().set_cluster(8);
  RawPeer raw = RawPeer::dial(pair.a.port());
  Hello hello = dial_hello(3, 1);
  hello.cluster = 7;
  raw.write(encode_hello(hello));
  EXPECT_EQ(raw.read_hello().cluster, 7U);  // so node 1 knows its cluster
  Hello other = dial_hello(4, 1);
  other.cluster = 8;
  RawPeer stranger = RawPeer::dial(pair.a.port());
  stranger.write(encode_hello(other));
  EXPECT_EQ(stranger.read_hello().verdict, HelloVerdict::kWrongCluster);
  EXPECT_TRUE(stranger.wait_closed());
  pair.a.transport().set_cluster(9);
  EXPECT_TRUE(raw.wait_closed());
  EXPECT_GE(pair.a.transport().counters().wrong_cluster, 2U);
}

TEST(TcpPeerTransport, RefusesAFrameLongerThanItsClassAllows) {
  TcpPeerOptions options = test_options(1);
  options.limits.frame_bytes_max = {1000, 1000, 1000};
  TestNode a(options);
  TestNode b(Pair::options_of_b(a));
  ASSERT_TRUE(a.wait_connected(2));
  EXPECT_FALSE(a.send(2, std::string(1001, 'x')));
  EXPECT_TRUE(a.send(2, std::string(1000, 'x')));
  EXPECT_EQ(a.view(2).frames_dropped, 1U);
}

TEST(TcpPeerTransport, StartSaysWhyItCannot) {
  TcpPeerOptions options = test_options(1);
  options.bind_host = "0.0.0.0";
  EXPECT_NE(TcpPeerTransport(options).start().status().message().find("insecure_peers"),
            std::string::npos);
  TestNode a(test_options(1));
  options.bind_host = "127.0.0.1";
  options.bind_port = a.port();
  EXPECT_EQ(TcpPeerTransport(options).start().status().code(), base::StatusCode::kAlreadyExists);
  EXPECT_EQ(a.transport().reload_certificates().code(), base::StatusCode::kUnsupported);
}

TEST(TcpPeerTransport, ForgottenPeerIsNotSentTo) {
  TestNode a(test_options(1));
  ASSERT_TRUE(a.transport().configure_peer(PeerId(2), {"127.0.0.1", 1}).ok());
  a.transport().forget_peer(PeerId(2));
  EXPECT_FALSE(a.send(2, "x"));
  EXPECT_TRUE(a.transport().views().empty());
}

TEST(TcpPeerTransport, AForgottenPeerThatLivesComesBackByItself) {
  Pair pair;
  pair.a.transport().forget_peer(PeerId(2));
  ASSERT_TRUE(pair.a.wait_connected(2, 2));
  EXPECT_TRUE(pair.a.send(2, "again"));
  EXPECT_EQ(pair.b.wait_frames(1, 1).front(), "again");
  // Configured, it is dialed where the configuration says.
  ASSERT_TRUE(pair.b.wait_connected(1, 2));
  pair.b.transport().forget_peer(PeerId(1));
  ASSERT_TRUE(pair.b.wait_connected(1, 3));
  EXPECT_EQ(pair.b.view(1).endpoint, format_peer_address(pair.a.address()));
}

TEST(TcpPeerTransport, MeasuresTheRoundTrip) {
  TcpPeerOptions options = test_options(1);
  options.times.probe_interval = 20ms;
  TestNode a(options);
  TestNode b(Pair::options_of_b(a));
  ASSERT_TRUE(a.wait_connected(2));
  // The probe leaves before the frame, and its answer before the frame of the other side is sent.
  for (int i = 1; i <= 1000 && a.view(2).round_trip == base::Nanos(0); ++i) {
    ASSERT_TRUE(a.send(2, "ping"));
    ASSERT_EQ(b.wait_frames(1, static_cast<std::size_t>(i)).size(), static_cast<std::size_t>(i));
  }
  EXPECT_GT(a.view(2).round_trip, base::Nanos(0));
  EXPECT_LT(a.view(2).round_trip, 10s);
}

}  // namespace
}  // namespace synod::net
