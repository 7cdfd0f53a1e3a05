// SPDX-License-Identifier: Apache-2.0
#include "client/bench/thrift_channel.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <thrift/TApplicationException.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/text.h"

namespace synod::client {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::uint32_t kReplyBytesMax = 128U << 20U;

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

base::Result<std::unique_ptr<ThriftChannel>> ThriftChannel::open(const BenchEndpoint& endpoint) {
  const int fd = connect_to(endpoint);
  if (fd < 0) {
    return base::Status(base::StatusCode::kClosed,
                        base::concat("nobody answers on ", endpoint.host, ":", endpoint.port));
  }
  return std::unique_ptr<ThriftChannel>(new ThriftChannel(fd));
}

ThriftChannel::ThriftChannel(int fd)
    : fd_(fd),
      out_(std::make_shared<Buffer>()),
      in_(std::make_shared<Buffer>()),
      api_(std::make_shared<Protocol>(in_), std::make_shared<Protocol>(out_)) {}

ThriftChannel::~ThriftChannel() { ::close(fd_); }

base::Status ThriftChannel::begin(Operation operation) {
  out_->resetBuffer();
  if (!operation.value) {
    call_ = Call::kGet;
    api::GetRequest request;
    request.__set_key(std::move(operation.key));
    api_.send_get(request);
  } else {
    call_ = Call::kSet;
    api::SetRequest request;
    request.__set_key(std::move(operation.key));
    request.__set_value(std::move(*operation.value));
    api_.send_setKey(request);
  }
  return send_request();
}

base::Status ThriftChannel::begin_commit(const api::AtomicCommitRequest& request) {
  out_->resetBuffer();
  call_ = Call::kCommit;
  api_.send_atomicCommit(request);
  return send_request();
}

base::Status ThriftChannel::send_request() {
  std::uint8_t* bytes = nullptr;
  std::uint32_t size = 0;
  out_->getBuffer(&bytes, &size);
  request_.resize(kLengthBytes);
  base::store_be32(request_.data(), size);
  request_.append(reinterpret_cast<const char*>(bytes), size);
  sent_ = 0;
  return send_rest();
}

base::Status ThriftChannel::send_rest() {
  while (has_unsent()) {
    const ssize_t sent =
        ::send(fd_, request_.data() + sent_, request_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return {};
    if (sent < 0) return broken("send");
    sent_ += static_cast<std::size_t>(sent);
  }
  return {};
}

base::Result<std::optional<Reply>> ThriftChannel::receive() {
  std::array<char, 16U << 10U> chunk;
  for (;;) {
    const ssize_t got = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (got == 0) return base::Status(base::StatusCode::kClosed, "the server closed a connection");
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return std::optional<Reply>();
    if (got < 0) return broken("recv");
    received_.append(chunk.data(), static_cast<std::size_t>(got));
    if (received_.size() < kLengthBytes) continue;
    const std::uint32_t size = base::load_be32(received_.data());
    if (size > kReplyBytesMax) {
      return base::Status(base::StatusCode::kCorruption, "a reply claims too much");
    }
    if (received_.size() < kLengthBytes + size) continue;
    if (received_.size() > kLengthBytes + size) {
      return base::Status(base::StatusCode::kCorruption, "a reply that nobody asked for");
    }
    SYNOD_ASSIGN_OR_RETURN(Reply reply, parse(base::BytesView(received_).substr(kLengthBytes)));
    received_.clear();
    return std::optional<Reply>(std::move(reply));
  }
}

base::Result<Reply> ThriftChannel::parse(base::BytesView frame) {
  // The library takes a pointer to mutable bytes and only reads them.
  auto* bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(frame.data()));  // NOLINT
  in_->resetBuffer(bytes, static_cast<std::uint32_t>(frame.size()), Buffer::OBSERVE);
  try {
    return take_reply();
  } catch (const apache::thrift::TException& error) {
    return base::Status(base::StatusCode::kCorruption,
                        base::concat("the reply is not understood: ", error.what()));
  }
}

Reply ThriftChannel::take_reply() {
  Reply reply;
  switch (call_) {
    case Call::kGet: {
      api::GetResponse got;
      api_.recv_get(got);
      reply.is_refused = got.__isset.error;
      if (got.found) reply.value = std::move(got.value);
      break;
    }
    case Call::kSet: {
      api::SetResponse set;
      api_.recv_setKey(set);
      reply.is_refused = !set.success;
      break;
    }
    case Call::kCommit: {
      api::AtomicCommitResponse committed;
      api_.recv_atomicCommit(committed);
      reply.is_refused = !committed.success;
      break;
    }
  }
  return reply;
}

}  // namespace synod::client
