// SPDX-License-Identifier: Apache-2.0
#include "client/bench/bench_connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/text.h"

namespace synod::client {
namespace {

constexpr std::size_t kReceiveBytes = 16U << 10U;

base::Status broken(const char* what) {
  return {base::StatusCode::kClosed,
          base::concat(what, ": ", std::generic_category().message(errno))};
}

/// Connected and not blocking; -1: nobody answers.
int connect_to(const BenchEndpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  if (::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  int fd = -1;
  for (const addrinfo* each = found; each != nullptr && fd < 0; each = each->ai_next) {
    fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && ::connect(fd, each->ai_addr, each->ai_addrlen) != 0) {
      ::close(fd);
      fd = -1;
    }
  }
  ::freeaddrinfo(found);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

}  // namespace

base::Result<std::unique_ptr<BenchConnection>> BenchConnection::open(
    const BenchEndpoint& endpoint) {
  const int fd = connect_to(endpoint);
  if (fd < 0) {
    return base::Status(base::StatusCode::kClosed,
                        base::concat("nobody answers on ", endpoint.host, ":", endpoint.port));
  }
  return std::unique_ptr<BenchConnection>(new BenchConnection(fd));
}

BenchConnection::BenchConnection(int fd) : fd_(fd), in_(kReceiveBytes), ring_(1) {}

BenchConnection::~BenchConnection() { ::close(fd_); }

void BenchConnection::push(const BenchWire& wire, const Request& request) {
  if (under_way() == ring_.size()) grow_ring();
  ring_[tail_++ & (ring_.size() - 1)] = request;
  wire.append(out_, request);
}

void BenchConnection::grow_ring() {
  std::vector<Request> larger(ring_.size() * 2);
  for (std::size_t i = head_; i != tail_; ++i) {
    larger[i & (larger.size() - 1)] = ring_[i & (ring_.size() - 1)];
  }
  ring_.swap(larger);
}

base::Status BenchConnection::send() {
  while (has_unsent()) {
    const ssize_t sent = ::send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return {};
    if (sent < 0) return broken("send");
    sent_ += static_cast<std::size_t>(sent);
  }
  out_.clear();
  sent_ = 0;
  return {};
}

void BenchConnection::make_room() {
  if (in_begin_ == in_end_) {
    in_begin_ = in_end_ = 0;
  } else if (in_.size() - in_end_ < kReceiveBytes / 2) {
    std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
    in_end_ -= in_begin_;
    in_begin_ = 0;
    if (in_.size() - in_end_ < kReceiveBytes / 2) in_.resize(2 * in_.size());
  }
}

base::Result<bool> BenchConnection::receive() {
  make_room();
  for (;;) {
    const ssize_t got = ::recv(fd_, in_.data() + in_end_, in_.size() - in_end_, 0);
    if (got == 0) return base::Status(base::StatusCode::kClosed, "the server closed a connection");
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return false;
    if (got < 0) return broken("recv");
    in_end_ += static_cast<std::size_t>(got);
    return true;
  }
}

base::Result<bool> BenchConnection::pop(const BenchWire& wire, Request& request, Answer& answer) {
  if (in_begin_ == in_end_) return false;
  if (head_ == tail_) {
    return base::Status(base::StatusCode::kCorruption, "a reply that nobody asked for");
  }
  request = ring_[head_ & (ring_.size() - 1)];
  const std::size_t size =
      wire.parse({in_.data() + in_begin_, in_end_ - in_begin_}, request.kind, answer);
  if (size == 0) return false;
  if (size == BenchWire::kBroken) {
    return base::Status(base::StatusCode::kCorruption, "a reply is not understood");
  }
  in_begin_ += size;
  ++head_;
  return true;
}

}  // namespace synod::client
