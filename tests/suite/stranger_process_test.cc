// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "base/random.h"
#include "base/text.h"
#include "consensus/wire/frame.h"
#include "net/peer_wire.h"
#include "tests/suite/node_group.h"
#include "tests/suite/raw_socket.h"
#include "tests/suite/recording_proxy.h"

// Whoever reaches the port between nodes without being one of them.
namespace synod::suite {
namespace {

using base::concat;
using net::Hello;
using net::HelloVerdict;
using net::PeerClass;
using net::PeerId;

constexpr int kNodes = 3;
constexpr std::uint64_t kGrowthMax = 48U << 20U;
constexpr PeerClass kClasses[] = {PeerClass::kConsensus, PeerClass::kForward, PeerClass::kBulk};

/// Reads one key over and over at one node until it goes.
class BusyReader {
 public:
  explicit BusyReader(const NodeEndpoint& endpoint)
      : thread_([this, endpoint] { run(endpoint); }) {}
  ~BusyReader() {
    is_over_ = true;
    thread_.join();
    EXPECT_GT(answers_, 0);
    EXPECT_EQ(failures_, 0) << failure_;
  }

 private:
  void run(const NodeEndpoint& endpoint) {
    try {
      Peer peer(endpoint);
      api::GetRequest request;
      request.__set_key("k");
      while (!is_over_) {
        api::GetResponse reply;
        peer->get(reply, request);
        ++answers_;
        if (reply.value != "v") fail(reply.error);
      }
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }
  void fail(const std::string& what) {
    ++failures_;
    failure_ = what;
  }

  std::atomic<bool> is_over_{false};
  int answers_ = 0;
  int failures_ = 0;
  std::string failure_;
  std::thread thread_;
};

/// What must not change.
struct Standing {
  std::string ballot;
  std::string leader;
  std::string hash;
  std::string config;
  bool operator==(const Standing&) const = default;
};

class StrangerProcess : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int node = 1; node <= kNodes; ++node) {
      // A machine that is busy is no reason for an election.
      group_.setup(node).flags = {"--set", "consensus.election_timeout_ms=4000"};
    }
    prepare();
    const base::Status started = group_.start_members();
    ASSERT_TRUE(started.ok()) << started.to_string();
    group_.put(1, "k", "v");
    for (int node = 1; node <= kNodes; ++node) ASSERT_EQ(group_.read(node, "k"), "v");
    note_standing();
  }
  virtual void prepare() {}

  void note_standing() {
    before_ = standing();
    for (int node = 1; node <= kNodes; ++node) resident_[node] = resident(node);
  }

  Standing standing() {
    const auto verified = group_.ctl(1, {"verify"});
    EXPECT_EQ(verified.code, 0) << verified.output;
    const std::size_t hash = verified.output.find("state_hash ");
    return {group_.field(1, "ballot"), group_.field(1, "leader_id"),
            hash == std::string::npos ? "" : verified.output.substr(hash),
            group_.field(1, "config_id")};
  }

  std::uint64_t resident(int node) { return resident_bytes_of(group_.process(node).pid()); }

  void expect_unharmed() {
    const Standing now = standing();
    EXPECT_EQ(now.ballot, before_.ballot);
    EXPECT_EQ(now.leader, before_.leader);
    EXPECT_EQ(now.hash, before_.hash);
    EXPECT_EQ(now.config, before_.config);
    for (int node = 1; node <= kNodes; ++node) {
      EXPECT_LT(resident(node), resident_[node] + kGrowthMax) << "node " << node;
      EXPECT_EQ(group_.field(node, "ballot"), before_.ballot) << "node " << node;
      EXPECT_EQ(group_.read(node, "k"), "v");
      group_.put(node, concat("after/", node), "w");
      EXPECT_EQ(group_.log(node).find("FAIL-STOP"), std::string::npos) << group_.log(node);
    }
    EXPECT_EQ(group_.ctl(1, {"verify"}).code, 0);
  }

  NodeEndpoint port_of(int node) const { return {"127.0.0.1", group_.peer_port(node)}; }

  static std::string hello(std::uint64_t cluster, std::uint32_t sender, int receiver,
                           PeerClass peer_class = PeerClass::kConsensus) {
    return net::encode_hello({peer_class, HelloVerdict::kDial, cluster, PeerId(sender),
                              PeerId(static_cast<std::uint32_t>(receiver)), ""});
  }

  /// What the node answers to a hello; none: it closed.
  static std::optional<Hello> answer_of(RawSocket& socket) {
    std::string bytes = socket.receive(net::kHelloHeaderBytes);
    if (bytes.size() < net::kHelloHeaderBytes) return std::nullopt;
    bytes += socket.receive(base::load_le32(bytes.data() + 24) + 4);
    const net::HelloScan scan = net::scan_hello(bytes);
    if (scan.state != net::HelloScan::State::kComplete) return std::nullopt;
    return scan.hello;
  }

  std::uint64_t cluster() { return std::stoull(group_.field(1, "cluster_id"), nullptr, 16); }

  static std::string noise(std::uint64_t seed, std::size_t size) {
    base::Random random(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    return bytes;
  }

  NodeGroup group_{"stranger", kNodes, kNodes};
  Standing before_;
  std::uint64_t resident_[kNodes + 1] = {};
};

TEST_F(StrangerProcess, WhoSpeaksAnotherProtocolOrNothingChangesNothing) {
  const std::string tls_hello = from_hex("16 03 01 00 2e 01 00 00 2a 03 03") + noise(1, 32) +
                                from_hex("00 00 02 13 01 01 00");
  const std::string says[] = {"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
                              tls_hello,
                              noise(2, 64U << 10U),
                              std::string(1U << 20U, '\0'),
                              "SYNP" + noise(3, 1000),
                              "SYN",
                              hello(0, 9, 1).substr(0, 20)};
  BusyReader reader(group_.endpoint(2));
  std::vector<RawSocket> silent;
  for (int node = 1; node <= kNodes; ++node) {
    for (int i = 0; i < 10; ++i) silent.emplace_back(port_of(node));
    for (const std::string& bytes : says) {
      RawSocket socket(port_of(node));
      ASSERT_TRUE(socket.connected());
      // The node may close before all of it is sent.
      static_cast<void>(socket.send(bytes));
      socket.finish_sending();
      EXPECT_TRUE(socket.wait_until_closed());
    }
  }
  // They are told to leave; nobody keeps a place by saying nothing.
  for (RawSocket& socket : silent) EXPECT_TRUE(socket.wait_until_closed());
  expect_unharmed();
}

TEST_F(StrangerProcess, AFrameIsRefusedByTheLengthItClaims) {
  BusyReader reader(group_.endpoint(2));
  for (const PeerClass peer_class : kClasses) {
    for (const char* claim : {"ffffffff", "ffffff7f", "01000004", "00000080", "09000080"}) {
      RawSocket socket(port_of(1));
      ASSERT_TRUE(socket.send(hello(cluster(), 9, 1, peer_class)));
      const auto answer = answer_of(socket);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->verdict, HelloVerdict::kAccepted);
      ASSERT_TRUE(socket.send(from_hex(claim) + from_hex("00000000")));
      EXPECT_TRUE(socket.wait_until_closed()) << claim;
    }
  }
  // Lengths that may be, of frames that do not come: memory follows what arrived.
  std::vector<RawSocket> claims;
  for (std::uint32_t i = 0; i < 20; ++i) {
    RawSocket& socket = claims.emplace_back(port_of(1));
    ASSERT_TRUE(socket.send(hello(cluster(), 10 + i, 1) + from_hex("00000004 00000000 00")));
    ASSERT_TRUE(answer_of(socket));
  }
  EXPECT_LT(resident(1), resident_[1] + kGrowthMax);
  expect_unharmed();
}

TEST_F(StrangerProcess, ANodeOfAnotherClusterOrNumberIsToldSo) {
  BusyReader reader(group_.endpoint(2));
  const struct {
    std::uint64_t cluster;
    std::uint32_t sender;
    int receiver;
    HelloVerdict verdict;
  } cases[] = {{cluster() + 1, 2, 1, HelloVerdict::kWrongCluster},
               {cluster() + 1, 9, 1, HelloVerdict::kWrongCluster},
               {cluster(), 2, 3, HelloVerdict::kWrongReceiver},
               {cluster(), 1, 1, HelloVerdict::kWrongReceiver},
               {0, 3, 2, HelloVerdict::kWrongReceiver}};
  for (const auto& each : cases) {
    RawSocket socket(port_of(1));
    ASSERT_TRUE(socket.send(hello(each.cluster, each.sender, each.receiver)));
    const auto answer = answer_of(socket);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->verdict, each.verdict);
    EXPECT_TRUE(socket.wait_until_closed());
  }
  EXPECT_NE(group_.log(1).find("it belongs to another cluster"), std::string::npos);
  EXPECT_NE(group_.log(1).find("it is another node"), std::string::npos);
  expect_unharmed();
}

TEST_F(StrangerProcess, ACrowdOfNumbersDoesNotGrowTheNode) {
  // Without TLS a number is what somebody says; so many are listened to, and no more.
  int refused = 0;
  for (std::uint32_t number = 100; number < 300; ++number) {
    RawSocket socket(port_of(2));
    ASSERT_TRUE(socket.send(hello(cluster(), number, 2)));
    const auto answer = answer_of(socket);
    ASSERT_TRUE(answer);
    if (answer->verdict == HelloVerdict::kNoRoom) ++refused;
  }
  EXPECT_GE(refused, 100);
  expect_unharmed();
}

/// Node 1 reaches node 2 through one proxy, and node 2 reaches node 1 through another.
class RecordedProcess : public StrangerProcess {
 protected:
  void prepare() override {
    const std::uint16_t ports = free_ports(2);
    const auto second = static_cast<std::uint16_t>(ports + 1);
    to_second_ = std::make_unique<RecordingProxy>(ports, group_.peer_port(2));
    to_first_ = std::make_unique<RecordingProxy>(second, group_.peer_port(1));
    group_.setup(1).peers = group_.peers(kNodes, {{2, ports}});
    group_.setup(2).peers = group_.peers(kNodes, {{1, second}});
  }

  /// Connections of every class, with writes by either node and two changes of the leader in them.
  void make_traffic() {
    for (int i = 0; i < 20; ++i) group_.put(1 + i % 3, concat("t/", i), std::string(2000, 'x'));
    for (const char* leader : {"2", "1"}) {
      const int now = group_.leader_at(3);
      const auto moved = group_.ctl(now, {"transfer-leader", leader});
      EXPECT_EQ(moved.code, 0) << moved.output;
      for (int i = 0; i < 10; ++i) group_.put(1 + i % 3, concat("u/", i), leader);
    }
    note_standing();
  }

  /// A connection cut into the hello and the frames behind it.
  struct Recording {
    Hello hello;
    std::string greeting;
    std::vector<std::string> frames;  ///< With their headers; no probes.
  };
  static Recording cut(const std::string& bytes) {
    Recording recording;
    const net::HelloScan scan = net::scan_hello(bytes);
    if (scan.state != net::HelloScan::State::kComplete) return recording;
    recording.hello = scan.hello;
    recording.greeting = bytes.substr(0, scan.bytes);
    net::FrameReader reader(64U << 20U);
    EXPECT_TRUE(reader
                    .feed(base::BytesView(bytes).substr(scan.bytes),
                          [&](bool is_probe, base::Bytes payload) {
                            if (!is_probe) recording.frames.push_back(framed(payload));
                            return true;
                          })
                    .ok());
    return recording;
  }
  static std::string framed(const std::string& payload) {
    std::string frame(net::kPeerFrameHeaderBytes, '\0');
    net::store_frame_header(payload, false, frame.data());
    return frame + payload;
  }

  std::vector<std::pair<int, Recording>> recordings() const {
    std::vector<std::pair<int, Recording>> all;
    for (const std::string& bytes : to_second_->recorded()) all.emplace_back(2, cut(bytes));
    for (const std::string& bytes : to_first_->recorded()) all.emplace_back(1, cut(bytes));
    return all;
  }

  /// The node takes the connection for that of its peer; when this returns it has read all of it.
  void play(int node, const Recording& recording) {
    RawSocket socket(port_of(node));
    ASSERT_TRUE(socket.send(recording.greeting));
    const auto answer = answer_of(socket);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->verdict, HelloVerdict::kAccepted);
    // The real peer comes back meanwhile, and that ends this connection.
    for (const std::string& frame : recording.frames) {
      if (!socket.send(frame)) return;
    }
    socket.finish_sending();
    static_cast<void>(socket.wait_until_closed());
  }

  std::unique_ptr<RecordingProxy> to_second_;
  std::unique_ptr<RecordingProxy> to_first_;
};

TEST_F(RecordedProcess, WhatWasRecordedChangesNothingWhenItIsSaidAgain) {
  make_traffic();
  std::size_t frames = 0;
  bool has_class[net::kPeerClassCount] = {};
  const auto recorded = recordings();
  for (int round = 0; round < 3; ++round) {
    for (const auto& [node, recording] : recorded) {
      if (recording.greeting.empty()) continue;
      play(node, recording);
      if (HasFatalFailure()) return;
      frames += recording.frames.size();
      has_class[static_cast<std::size_t>(recording.hello.peer_class)] = true;
    }
  }
  EXPECT_GT(frames, 100U);
  EXPECT_TRUE(has_class[0] && has_class[1]);
  expect_unharmed();
}

TEST_F(RecordedProcess, WhatWasRecordedChangesNothingAfterTheNodesCameBack) {
  make_traffic();
  const auto recorded = recordings();
  for (int node = 1; node <= 2; ++node) {
    group_.process(node).kill_and_wait();
    ASSERT_TRUE(group_.start(node).ok());
    ASSERT_TRUE(group_.wait_until_ready(node).ok());
  }
  ASSERT_TRUE(eventually([&] { return group_.leader_at(1) == group_.leader_at(3); }));
  ASSERT_EQ(group_.read(1, "k"), "v");
  note_standing();
  for (const auto& [node, recording] : recorded) {
    if (!recording.greeting.empty()) play(node, recording);
    if (HasFatalFailure()) return;
  }
  expect_unharmed();
}

TEST_F(RecordedProcess, DamagedFramesAreRefusedWhateverByteItIs) {
  make_traffic();
  BusyReader reader(group_.endpoint(3));
  for (const auto& [node, recording] : recordings()) {
    if (recording.greeting.empty() || recording.frames.empty()) continue;
    // The first of each size: of each kind, nearly.
    std::map<std::size_t, std::string> kinds;
    for (const std::string& frame : recording.frames) kinds.emplace(frame.size(), frame);
    Recording damaged{recording.hello, recording.greeting, {}};
    std::vector<std::string> broken;
    for (const auto& [size, frame] : kinds) {
      const std::string payload = frame.substr(net::kPeerFrameHeaderBytes);
      // The connection's checksum is made right again: the message's own must tell. A message of
      // the forward class relies on the connection's.
      const std::size_t checked =
          recording.hello.peer_class == PeerClass::kForward ? 0 : payload.size();
      for (std::size_t at = 0; at < checked; at += at < 128 ? 1 : 97) {
        std::string changed = payload;
        changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
        damaged.frames.push_back(framed(changed));
      }
      if (broken.size() < 40) {
        broken.push_back(frame);
        broken.back()[(7 * broken.size()) % size] ^= 0x10;
      }
    }
    play(node, damaged);
    for (const std::string& frame : broken)
      play(node, {recording.hello, recording.greeting, {frame}});
    if (HasFatalFailure()) return;
  }
  EXPECT_NE((group_.log(1) + group_.log(2)).find("was refused"), std::string::npos);
  EXPECT_NE((group_.log(1) + group_.log(2)).find("checksum of a frame is wrong"),
            std::string::npos);
  expect_unharmed();
}

}  // namespace
}  // namespace synod::suite
