// SPDX-License-Identifier: Apache-2.0
//
// Peers that are broken, strange or hostile, spoken by hand.
#include <string>

#include "tests/net/peer_fixture.h"

namespace synod::net {
namespace {

using namespace std::chrono_literals;

/// Says hello as node 2 and reads the answer.
RawPeer admitted_peer(TestNode& node, PeerClass in = PeerClass::kConsensus) {
  RawPeer peer = RawPeer::dial(node.port());
  peer.write(encode_hello(dial_hello(2, 1, in)));
  EXPECT_EQ(peer.read_hello().verdict, HelloVerdict::kAccepted);
  return peer;
}

/// Node 1, which dials a listener of ours as node 2.
struct Dialed {
  explicit Dialed(TcpPeerOptions options = test_options(1))
      : listener(listen_tcp_socket("127.0.0.1", 0).value()), node(with_peer(options, listener)) {}
  static TcpPeerOptions with_peer(TcpPeerOptions options, const UniqueFd& listener) {
    options.peers = {{PeerId(2), {"127.0.0.1", local_port(listener.get())}}};
    return options;
  }
  /// Accepts the connection of a class and answers its hello.
  RawPeer take(PeerClass wanted) {
    for (int i = 0; i < 100; ++i) {
      RawPeer peer = RawPeer::accept(listener);
      Hello hello = peer.read_hello();
      if (hello.peer_class != wanted) continue;  // closed; it comes again
      answer(peer, hello, HelloVerdict::kAccepted);
      return peer;
    }
    ADD_FAILURE() << "the class was never dialed";
    return RawPeer(UniqueFd());
  }
  static void answer(RawPeer& peer, Hello hello, HelloVerdict verdict) {
    std::swap(hello.sender, hello.receiver);
    hello.verdict = verdict;
    peer.write(encode_hello(hello));
  }

  UniqueFd listener;
  TestNode node;
};

TEST(PeerInbound, TakesFramesAfterTheHelloOnly) {
  TestNode node(test_options(1));
  RawPeer peer = admitted_peer(node);
  peer.send_frame("one");
  peer.send_frame("two");
  EXPECT_EQ(node.wait_frames(2, 2), (std::vector<base::Bytes>{"one", "two"}));
  RawPeer hasty = RawPeer::dial(node.port());
  hasty.send_frame("no hello");
  EXPECT_TRUE(hasty.wait_closed());
  EXPECT_EQ(node.transport().counters().bad_hellos, 1U);
}

TEST(PeerInbound, GarbageClosesTheConnection) {
  TestNode node(test_options(1));
  RawPeer http = RawPeer::dial(node.port());
  http.write("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(http.wait_closed());
  base::Bytes flipped = encode_hello(dial_hello(2, 1));
  flipped[20] = static_cast<char>(flipped[20] ^ 1);
  RawPeer broken = RawPeer::dial(node.port());
  broken.write(flipped);
  EXPECT_TRUE(broken.wait_closed());
  EXPECT_EQ(node.transport().counters().bad_hellos, 2U);
  EXPECT_TRUE(node.transport().views().empty());
}

TEST(PeerInbound, HalfAHelloTimesOut) {
  TcpPeerOptions options = test_options(1);
  options.times.hello_timeout = 100ms;
  TestNode node(options);
  RawPeer silent = RawPeer::dial(node.port());
  RawPeer half = RawPeer::dial(node.port());
  half.write(encode_hello(dial_hello(2, 1)).substr(0, 20));
  EXPECT_TRUE(silent.wait_closed());
  EXPECT_TRUE(half.wait_closed());
  EXPECT_EQ(node.transport().counters().hello_timeouts, 2U);
}

TEST(PeerInbound, WrongReceiverLearnsWhoThisIs) {
  TestNode node(test_options(1));
  RawPeer peer = RawPeer::dial(node.port());
  peer.write(encode_hello(dial_hello(2, 3)));
  const Hello answer = peer.read_hello();
  EXPECT_EQ(answer.verdict, HelloVerdict::kWrongReceiver);
  EXPECT_EQ(answer.sender, PeerId(1));
  EXPECT_TRUE(peer.wait_closed());
  RawPeer self = RawPeer::dial(node.port());
  self.write(encode_hello(dial_hello(1, 1)));
  EXPECT_EQ(self.read_hello().verdict, HelloVerdict::kWrongReceiver);
  EXPECT_EQ(node.transport().counters().wrong_receiver, 2U);
}

TEST(PeerInbound, BadFramesCloseTheConnection) {
  TcpPeerOptions options = test_options(1);
  options.limits.frame_bytes_max = {1000, 1000, 1000};
  TestNode node(options);
  std::string flipped = RawPeer::raw_frame("payload");
  flipped.back() = static_cast<char>(flipped.back() ^ 4);
  const std::string huge = RawPeer::raw_frame(std::string(1001, 'x')).substr(0, 8);
  const std::string odd_probe = RawPeer::raw_frame("1234567", true);
  for (const std::string& bad : {flipped, huge, odd_probe}) {
    RawPeer peer = admitted_peer(node);
    peer.send_frame("good");
    peer.write(bad);
    EXPECT_TRUE(peer.wait_closed());
  }
  EXPECT_EQ(node.transport().counters().bad_frames, 3U);
  EXPECT_EQ(node.wait_frames(2, 3).size(), 3U);
}

TEST(PeerInbound, ProbesComeBackAsTheyWere) {
  TestNode node(test_options(1));
  RawPeer peer = admitted_peer(node);
  const std::string probe = RawPeer::raw_frame("87654321", true);
  peer.write(probe);
  EXPECT_EQ(peer.read(probe.size()), probe);
}

TEST(PeerInbound, WhoAsksWithoutReadingIsClosed) {
  TestNode node(test_options(1));
  RawPeer peer = admitted_peer(node);
  std::string probes;
  for (int i = 0; i < 4096; ++i) probes += RawPeer::raw_frame("87654321", true);
  for (int i = 0; i < 2000 && node.transport().counters().bad_frames == 0; ++i) {
    peer.write(probes);
  }
  EXPECT_EQ(node.transport().counters().bad_frames, 1U);
}

TEST(PeerInbound, NewerConnectionEndsTheOlder) {
  TestNode node(test_options(1));
  RawPeer older = admitted_peer(node);
  RawPeer other_class = admitted_peer(node, PeerClass::kBulk);
  RawPeer newer = admitted_peer(node);
  EXPECT_TRUE(older.wait_closed());
  newer.send_frame("new");
  other_class.send_frame("bulk");
  EXPECT_EQ(node.wait_frames(2, 1), std::vector<base::Bytes>{"new"});
  EXPECT_EQ(node.wait_frames(2, 1, PeerClass::kBulk), std::vector<base::Bytes>{"bulk"});
  EXPECT_EQ(node.transport().counters().inbound, 2U);
}

TEST(PeerInbound, SilentPeerIsClosed) {
  TcpPeerOptions options = test_options(1);
  options.times.inbound_idle = 100ms;
  TestNode node(options);
  RawPeer peer = admitted_peer(node);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(node.transport().counters().dead_peers, 1U);
}

TEST(PeerInbound, StrangersAndUnknownPeersAreBounded) {
  TcpPeerOptions options = test_options(1);
  options.limits.strangers_max = 2;
  options.limits.learned_max = 1;
  TestNode node(options);
  RawPeer first = RawPeer::dial(node.port());
  RawPeer second = RawPeer::dial(node.port());
  RawPeer third = RawPeer::dial(node.port());
  EXPECT_TRUE(first.wait_closed()) << "who has been silent for longest goes";
  EXPECT_EQ(node.transport().counters().refused_strangers, 1U);
  third.write(encode_hello(dial_hello(2, 1)));
  EXPECT_EQ(third.read_hello().verdict, HelloVerdict::kAccepted);
  second.write(encode_hello(dial_hello(3, 1)));
  EXPECT_EQ(second.read_hello().verdict, HelloVerdict::kNoRoom);
}

TEST(PeerInbound, SilentStrangersDoNotKeepAPeerOut) {
  TcpPeerOptions options = test_options(1);
  options.limits.strangers_max = 4;
  options.times.hello_timeout = std::chrono::hours(1);
  TestNode node(options);
  std::vector<RawPeer> silent;
  for (int i = 0; i < 4; ++i) silent.push_back(RawPeer::dial(node.port()));
  RawPeer peer = RawPeer::dial(node.port());
  peer.write(encode_hello(dial_hello(2, 1)));
  EXPECT_EQ(peer.read_hello().verdict, HelloVerdict::kAccepted);
  RawPeer other = RawPeer::dial(node.port());
  other.write(encode_hello(dial_hello(3, 1)));
  EXPECT_EQ(other.read_hello().verdict, HelloVerdict::kAccepted);
  EXPECT_EQ(node.transport().counters().refused_strangers, 1U) << "admitted ones do not count";
}

TEST(PeerInbound, EndpointOnAnotherMachineIsNotDialedWithoutTls) {
  TestNode node(test_options(1));
  RawPeer peer = RawPeer::dial(node.port());
  Hello hello = dial_hello(2, 1);
  hello.endpoint = "192.0.2.1:4711";
  peer.write(encode_hello(hello));
  EXPECT_EQ(peer.read_hello().verdict, HelloVerdict::kAccepted);
  EXPECT_EQ(node.transport().counters().learned_refused, 1U);
  EXPECT_EQ(node.view(2).endpoint, "");
}

TEST(PeerDialer, StalledClassDelaysNoOther) {
  TcpPeerOptions options = test_options(1);
  options.limits.queue_bytes_max = {1U << 20U, 1U << 20U, 1U << 20U};
  options.limits.frame_bytes_max = {1U << 20U, 1U << 20U, 1U << 20U};
  Dialed dialed(options);
  RawPeer bulk = dialed.take(PeerClass::kBulk);
  RawPeer consensus = dialed.take(PeerClass::kConsensus);
  ASSERT_TRUE(dialed.node.wait_connected(2, 1, PeerClass::kBulk));
  ASSERT_TRUE(dialed.node.wait_connected(2));
  // Nobody reads bulk: the queue fills up and refuses (PT3).
  int taken = 0;
  while (dialed.node.send(2, std::string(100'000, 'b'), PeerClass::kBulk) && taken < 10'000) {
    ++taken;
  }
  EXPECT_LT(taken, 1000);
  EXPECT_GE(dialed.node.view(2).queued_bytes, (1U << 20U) - 100'000U);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(dialed.node.send(2, std::to_string(i)));
    ASSERT_EQ(consensus.read_frame(), std::to_string(i));
  }
}

TEST(PeerDialer, PeerThatAnswersNoProbeIsGivenUp) {
  TcpPeerOptions options = test_options(1);
  options.times.dead_after = 200ms;
  Dialed dialed(options);
  RawPeer dead = dialed.take(PeerClass::kConsensus);
  EXPECT_TRUE(dead.wait_closed());
  EXPECT_GE(dialed.node.transport().counters().dead_peers, 1U);
  RawPeer again = dialed.take(PeerClass::kConsensus);
  EXPECT_TRUE(dialed.node.wait_connected(2, 2));
}

TEST(PeerDialer, TalksOnlyToWhomItWanted) {
  Dialed dialed;
  RawPeer wrong = RawPeer::accept(dialed.listener);
  Hello hello = wrong.read_hello();
  EXPECT_EQ(hello.receiver, PeerId(2));
  hello.receiver = PeerId(5);  // node 5 answers
  Dialed::answer(wrong, hello, HelloVerdict::kAccepted);
  EXPECT_TRUE(wrong.wait_closed());
  EXPECT_EQ(dialed.node.transport().counters().wrong_receiver, 1U);
  RawPeer garbage = RawPeer::accept(dialed.listener);
  garbage.write("220 mail.example ESMTP\r\n");
  EXPECT_TRUE(garbage.wait_closed());
  EXPECT_EQ(dialed.node.transport().counters().bad_hellos, 1U);
  RawPeer right = dialed.take(PeerClass::kConsensus);
  ASSERT_TRUE(dialed.node.wait_connected(2));
  EXPECT_TRUE(dialed.node.send(2, "at last"));
  EXPECT_EQ(right.read_frame(), "at last");
}

TEST(PeerDialer, GivesUpAPeerOfAnotherCluster) {
  TcpPeerOptions options = test_options(1);
  options.cluster = 7;
  Dialed dialed(options);
  RawPeer other = RawPeer::accept(dialed.listener);
  Hello hello = other.read_hello();
  EXPECT_EQ(hello.cluster, 7U);
  hello.cluster = 8;
  Dialed::answer(other, hello, HelloVerdict::kAccepted);
  EXPECT_TRUE(other.wait_closed());
  EXPECT_EQ(dialed.node.transport().counters().wrong_cluster, 1U);
}

}  // namespace
}  // namespace synod::net
