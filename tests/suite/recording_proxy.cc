// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/recording_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "base/assert.h"

namespace synod::suite {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int stream_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

RecordingProxy::RecordingProxy(std::uint16_t port, std::uint16_t target)
    : target_(target), listener_(stream_socket()) {
  // Servers that are started meanwhile must not keep its end open.
  SYNOD_ASSERT(::pipe2(stop_, O_CLOEXEC) == 0, "a test has descriptors");
  const sockaddr_in address = loopback(port);
  const bool listens =
      ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      ::listen(listener_, 16) == 0;
  SYNOD_ASSERT(listens, "the port was free a moment ago");
  acceptor_ = std::thread([this] { accept_all(); });
}

RecordingProxy::~RecordingProxy() {
  ::close(stop_[1]);
  acceptor_.join();
  for (std::thread& each : pumps_) each.join();
  ::close(stop_[0]);
  ::close(listener_);
}

std::vector<std::string> RecordingProxy::recorded() const {
  const std::lock_guard lock(mutex_);
  return recorded_;
}

void RecordingProxy::accept_all() {
  for (;;) {
    pollfd waits[] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    ::poll(waits, 2, -1);
    if (waits[1].revents != 0) return;
    const int dialer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (dialer < 0) continue;
    std::size_t connection = 0;
    {
      const std::lock_guard lock(mutex_);
      connection = recorded_.size();
      recorded_.emplace_back();
    }
    pumps_.emplace_back([this, dialer, connection] { pump(dialer, connection); });
  }
}

/// Until either side closes. While the target is not there, the dialer is sent away.
void RecordingProxy::pump(int dialer, std::size_t connection) {
  const int target = stream_socket();
  const sockaddr_in address = loopback(target_);
  bool lives = ::connect(target, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  std::string buffer(64U << 10U, '\0');
  while (lives) {
    pollfd waits[] = {{dialer, POLLIN, 0}, {target, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    ::poll(waits, 3, -1);
    if (waits[2].revents != 0) break;
    for (int side = 0; side < 2 && lives; ++side) {
      if (waits[side].revents == 0) continue;
      const ssize_t got = ::recv(waits[side].fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        lives = false;
        break;
      }
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
      lives = send_all(side == 0 ? target : dialer, bytes);
      const std::lock_guard lock(mutex_);
      if (side == 0) recorded_[connection] += bytes;
    }
  }
  ::close(target);
  ::close(dialer);
}

}  // namespace synod::suite
