// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/peer_wire.h"
#include "net/tcp_peer_transport.h"
#include "tests/net/net_fixture.h"

namespace synod::net {

inline constexpr std::chrono::seconds kPatience{30};

/// Fast enough for tests, slow enough for a busy machine.
inline TcpPeerOptions test_options(std::uint32_t self) {
  TcpPeerOptions options;
  options.self = PeerId(self);
  options.seed = self;
  options.times.dead_after = std::chrono::seconds(10);
  return options;
}

/// A transport that writes down what it receives.
class TestNode {
 public:
  explicit TestNode(const TcpPeerOptions& options) : transport_(options) {
    for (const auto in : {PeerClass::kConsensus, PeerClass::kForward, PeerClass::kBulk}) {
      transport_.on_frame(in, [this, in](PeerId from, base::Bytes frame) {
        note([&] { frames_[{from, in}].push_back(std::move(frame)); });
      });
      transport_.on_connected(in, [this, in](PeerId peer) {
        note([&] { ++connected_[{peer, in}]; });
      });
    }
    const auto started = transport_.start();
    EXPECT_TRUE(started.ok()) << started.status().to_string();
    if (started.ok()) port_ = *started;
  }

  [[nodiscard]] TcpPeerTransport& transport() { return transport_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] PeerAddress address() const { return {"127.0.0.1", port_}; }
  bool send(std::uint32_t to, std::string frame, PeerClass in = PeerClass::kConsensus) {
    return transport_.send(PeerId(to), in, std::move(frame));
  }

  /// False if it does not happen in time.
  bool wait_connected(std::uint32_t peer, int times = 1, PeerClass in = PeerClass::kConsensus) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return connected_[{PeerId(peer), in}] >= times;
    });
  }
  bool wait_all_classes(std::uint32_t peer) {
    return wait_connected(peer) && wait_connected(peer, 1, PeerClass::kForward) &&
           wait_connected(peer, 1, PeerClass::kBulk);
  }
  std::vector<base::Bytes> wait_frames(std::uint32_t from, std::size_t count,
                                       PeerClass in = PeerClass::kConsensus) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return frames_[{PeerId(from), in}].size() >= count; });
    return frames_[{PeerId(from), in}];
  }
  PeerView view(std::uint32_t peer) {
    for (PeerView& view : transport_.views()) {
      if (view.id == PeerId(peer)) return view;
    }
    return {};
  }

 private:
  using Key = std::pair<PeerId, PeerClass>;
  template <class Change>
  void note(const Change& change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, std::vector<base::Bytes>> frames_;
  std::map<Key, int> connected_;
  std::uint16_t port_ = 0;
  TcpPeerTransport transport_;  // last: its thread uses the rest
};

/// One end of a connection between nodes, spoken by hand.
class RawPeer {
 public:
  explicit RawPeer(UniqueFd fd) : fd_(std::move(fd)) {
    const timeval patience{kPatience.count(), 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  static RawPeer dial(std::uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(0, ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
    return RawPeer(std::move(fd));
  }
  /// Takes the next connection of a listening socket.
  static RawPeer accept(const UniqueFd& listener) {
    pollfd ready{listener.get(), POLLIN, 0};
    EXPECT_EQ(1, ::poll(&ready, 1, static_cast<int>(kPatience.count()) * 1000));
    return RawPeer(UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the other side closed, which is what some tests are about
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Exactly `size` bytes; shorter when the peer closed.
  std::string read(std::size_t size) {
    std::string out(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const ssize_t n = ::recv(fd_.get(), out.data() + have, size - have, 0);
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
    }
    out.resize(have);
    return out;
  }
  Hello read_hello() {
    std::string bytes = read(kHelloHeaderBytes);
    if (bytes.size() == kHelloHeaderBytes) bytes += read(base::load_le32(bytes.data() + 24) + 4);
    const HelloScan scan = scan_hello(bytes);
    EXPECT_EQ(scan.state, HelloScan::State::kComplete) << scan.refusal.to_string();
    return scan.hello;
  }
  /// The next frame that is no probe.
  std::string read_frame() {
    while (true) {
      const std::string header = read(kPeerFrameHeaderBytes);
      if (header.size() < kPeerFrameHeaderBytes) return {};
      const std::uint32_t length = base::load_le32(header.data());
      std::string payload = read(length & ~kProbeBit);
      if ((length & kProbeBit) == 0) return payload;
    }
  }
  /// Reads what is still there; true when the peer closed or reset the connection in time.
  bool wait_closed() {
    char buffer[4096];
    ssize_t n = 0;
    do {
      n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    } while (n > 0);
    return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  void send_frame(std::string_view payload) { write(raw_frame(payload)); }
  static std::string raw_frame(std::string_view payload, bool is_probe = false) {
    std::string out(kPeerFrameHeaderBytes, '\0');
    store_frame_header(payload, is_probe, out.data());
    return out.append(payload);
  }

 private:
  UniqueFd fd_;
};

/// The hello of node `from` that dials node `to`.
inline Hello dial_hello(std::uint32_t from, std::uint32_t to,
                        PeerClass in = PeerClass::kConsensus) {
  return {in, HelloVerdict::kDial, 0, PeerId(from), PeerId(to), ""};
}

}  // namespace synod::net
