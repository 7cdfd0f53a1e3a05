// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/server.h"
#include "net/socket.h"

namespace synod::net {

/// A blocking client socket.
class TestClient {
 public:
  static TestClient tcp(std::uint16_t port, int receive_buffer = 0) {
    TestClient client(AF_INET);
    if (receive_buffer > 0) {
      EXPECT_EQ(0, ::setsockopt(client.fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                                sizeof receive_buffer));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.connect(address);
    return client;
  }
  static TestClient unix_path(const std::string& path) {
    TestClient client(AF_UNIX);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    client.connect(address);
    return client;
  }

  /// False when the peer closed.
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Reads exactly `size` bytes; shorter when the peer closed.
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
  std::string read_to_end() {
    std::string out;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(fd_.get(), buffer, sizeof buffer, 0)) > 0;) {
      out.append(buffer, static_cast<std::size_t>(n));
    }
    return out;
  }
  [[nodiscard]] bool closed_by_peer() { return read(1).empty(); }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    fd_.reset();
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit TestClient(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_GE(fd_.get(), 0);
  }
  template <class Address>
  void connect(const Address& address) {
    EXPECT_EQ(0, ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address))
        << std::strerror(errno);
  }

  UniqueFd fd_;
};

/// Counts events that tests wait for.
class Tally {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// Workers and a server with one handler.
struct TestServer {
  TestServer(const ServerLimits& limits, HandlerFactory factory, int worker_count = 2) {
    std::vector<Worker*> all;
    for (int i = 0; i < worker_count; ++i) {
      workers.push_back(std::make_unique<Worker>("test" + std::to_string(i)));
      workers.back()->start();
      all.push_back(workers.back().get());
    }
    server = std::make_unique<Server>(limits, all, std::move(factory));
    auto bound = server->listen_tcp("127.0.0.1", 0);
    EXPECT_TRUE(bound.ok()) << bound.status().to_string();
    port = *bound;
  }
  ~TestServer() { server->stop(base::Nanos(0)); }

  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<Server> server;
  std::uint16_t port = 0;
};

/// Answers lines: each "text\n" comes back; ends when the client does.
class LineEcho : public ConnectionHandler {
 public:
  explicit LineEcho(Connection& connection, Tally* closed = nullptr)
      : connection_(connection), closed_(closed) {}
  std::size_t on_bytes(base::BytesView unread) override {
    std::size_t done = 0;
    for (auto end = unread.find('\n');
         end != base::BytesView::npos && !connection_.reading_paused();
         end = unread.find('\n', done)) {
      connection_.send(base::Bytes(unread.substr(done, end + 1 - done)));
      done = end + 1;
    }
    return done;
  }
  void on_eof() override { connection_.close_after_flush(); }
  void on_stop() override { connection_.close_after_flush(); }
  void on_close() override {
    if (closed_ != nullptr) closed_->add();
  }

 protected:
  Connection& connection_;
  Tally* closed_;
};

inline HandlerFactory line_echo(Tally* closed = nullptr) {
  return
      [closed](Connection& connection) { return std::make_shared<LineEcho>(connection, closed); };
}

}  // namespace synod::net
