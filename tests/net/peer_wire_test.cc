// SPDX-License-Identifier: Apache-2.0
#include "net/peer_wire.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/peer_address.h"
#include "net/peer_queue.h"

namespace synod::net {
namespace {

Hello sample_hello() {
  return {PeerClass::kBulk, HelloVerdict::kAccepted, 77, PeerId(2), PeerId(3), "10.0.0.2:4711"};
}

std::string frame_of(std::string_view payload, bool is_probe = false) {
  std::string out(kPeerFrameHeaderBytes, '\0');
  store_frame_header(payload, is_probe, out.data());
  return out.append(payload);
}

TEST(Hello, ComesBackAsItWasFromAnyPiece) {
  const base::Bytes bytes = encode_hello(sample_hello());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(scan_hello(bytes.substr(0, size)).state, HelloScan::State::kNeedMore) << size;
  }
  const HelloScan scan = scan_hello(bytes + "frames");
  ASSERT_EQ(scan.state, HelloScan::State::kComplete);
  EXPECT_EQ(scan.bytes, bytes.size());
  EXPECT_EQ(scan.hello, sample_hello());
}

TEST(Hello, EveryFlippedBitIsRefusedOrWaitsForMore) {
  const base::Bytes bytes = encode_hello(sample_hello());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    base::Bytes bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(scan_hello(bad).state, HelloScan::State::kComplete) << bit;
  }
}

TEST(Hello, GarbageIsRefusedAtItsFirstByte) {
  EXPECT_EQ(scan_hello("G").state, HelloScan::State::kRefused);
  EXPECT_EQ(scan_hello("SYNW").state, HelloScan::State::kRefused);
}

TEST(FrameReader, CutsFramesOutOfAnyPieces) {
  const std::string stream = frame_of("one") + frame_of("") + frame_of("12345678", true) +
                             frame_of(std::string(100'000, 'x'));
  for (const std::size_t piece : {1U, 3U, 7U, 4096U, 1U << 20U}) {
    FrameReader reader(1U << 20U);
    std::vector<std::string> seen;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_TRUE(reader
                      .feed(base::BytesView(stream).substr(at, piece),
                            [&](bool is_probe, const base::Bytes& payload) {
                              seen.push_back((is_probe ? "probe " : "") + payload);
                              return true;
                            })
                      .ok());
    }
    EXPECT_EQ(seen,
              (std::vector<std::string>{"one", "", "probe 12345678", std::string(100'000, 'x')}));
  }
}

TEST(FrameReader, RefusesEveryFlippedBit) {
  const std::string frame = frame_of("some payload");
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string bad = frame;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader(1024);
    bool received = false;
    const auto sink = [&](bool, const base::Bytes&) { return received = true; };
    // A longer length waits for bytes that belong to the next frame, and then fails.
    base::Status status = reader.feed(bad, sink);
    if (status.ok()) status = reader.feed(std::string(2048, '\0'), sink);
    EXPECT_FALSE(status.ok()) << bit;
    EXPECT_FALSE(received) << bit;
  }
}

TEST(FrameReader, RefusesALongFrameByItsHeader) {
  FrameReader reader(10);
  const auto sink = [](bool, const base::Bytes&) { return true; };
  EXPECT_TRUE(reader.feed(frame_of("0123456789"), sink).ok());
  const base::Status status = reader.feed(frame_of("0123456789A").substr(0, 8), sink);
  EXPECT_EQ(status.code(), base::StatusCode::kLimitExceeded);
}

TEST(FrameReader, StopsWhenTheSinkSaysSo) {
  FrameReader reader(10);
  int seen = 0;
  EXPECT_TRUE(reader
                  .feed(frame_of("a") + frame_of("b"),
                        [&](bool, const base::Bytes&) {
                          ++seen;
                          return false;
                        })
                  .ok());
  EXPECT_EQ(seen, 1);
}

TEST(PeerQueue, TakesFramesOnlyWhileOpenAndWithinItsBound) {
  PeerQueue queue(10);
  EXPECT_EQ(queue.push("a"), PeerQueue::Push::kDropped);
  queue.open();
  EXPECT_EQ(queue.push("123456"), PeerQueue::Push::kAcceptedWake);
  EXPECT_EQ(queue.push("1234"), PeerQueue::Push::kAccepted);
  EXPECT_EQ(queue.push("1"), PeerQueue::Push::kDropped);
  EXPECT_EQ(queue.bytes(), 10U);
  EXPECT_EQ(queue.pop(), "123456");
  EXPECT_EQ(queue.push("x"), PeerQueue::Push::kAccepted);
  queue.close();
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_EQ(queue.dropped(), 4U);
  queue.open();
  EXPECT_EQ(queue.push("y"), PeerQueue::Push::kAcceptedWake);
}

TEST(PeerAddress, ReadsWhatItWrites) {
  for (const std::string text : {"node-1.example:4711", "127.0.0.1:1", "[::1]:65535"}) {
    const auto address = parse_peer_address(text);
    ASSERT_TRUE(address.ok()) << address.status().to_string();
    EXPECT_EQ(format_peer_address(*address), text);
  }
  EXPECT_EQ(parse_peer_address("[::1]:7").value().host, "::1");
  for (const std::string text : {"", "host", ":1", "host:", "host:0", "host:65536", "host:-1",
                                 "host:1x", "::1:7", "a b:1", "[]:1"}) {
    EXPECT_FALSE(parse_peer_address(text).ok()) << text;
  }
  EXPECT_FALSE(parse_peer_address(std::string(300, 'a') + ":1").ok());
}

TEST(PeerPolicy, OtherMachinesNeedTlsOrAnExplicitWord) {
  const std::vector<PeerAddress> near{{"127.0.0.1", 1}, {"localhost", 2}, {"::1", 3}};
  const std::vector<PeerAddress> far{{"127.0.0.1", 1}, {"10.0.0.2", 2}};
  EXPECT_TRUE(check_peer_address("127.0.0.1", near, false, false).ok());
  const base::Status refused = check_peer_address("127.0.0.1", far, false, false);
  EXPECT_NE(refused.message().find("cluster.insecure_peers"), std::string::npos);
  EXPECT_NE(refused.message().find("10.0.0.2"), std::string::npos);
  EXPECT_FALSE(check_peer_address("0.0.0.0", near, false, false).ok());
  EXPECT_FALSE(check_peer_address("127.0.0.1", {{"node-2", 1}}, false, false).ok());
  EXPECT_TRUE(check_peer_address("0.0.0.0", far, true, false).ok());
  EXPECT_TRUE(check_peer_address("0.0.0.0", far, false, true).ok());
}

}  // namespace
}  // namespace synod::net
