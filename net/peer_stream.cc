// SPDX-License-Identifier: Apache-2.0
#include "net/peer_stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace synod::net {
namespace {

class PlainStream final : public PeerStream {
 public:
  explicit PlainStream(int fd) : fd_(fd) {}

  StreamResult handshake() override { return {}; }
  StreamResult read(char* out, std::size_t size) override {
    ssize_t n = 0;
    do {
      n = ::recv(fd_, out, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n == 0) return {StreamResult::State::kEnd, 0};
    return n > 0 ? done(n) : failed(StreamResult::State::kWantRead);
  }
  StreamResult write(std::span<const iovec> parts) override {
    if (parts.empty()) return {};
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());  // sendmsg only reads it
    message.msg_iovlen = parts.size();
    ssize_t n = 0;
    do {
      n = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? done(n) : failed(StreamResult::State::kWantWrite);
  }
  [[nodiscard]] bool has_unsent() const override { return false; }
  [[nodiscard]] base::Status check_identity(PeerId) const override { return {}; }
  [[nodiscard]] const std::string& failure() const override { return failure_; }
  [[nodiscard]] bool failed_in_tls() const override { return false; }

 private:
  static StreamResult done(ssize_t n) {
    return {StreamResult::State::kDone, static_cast<std::size_t>(n)};
  }
  StreamResult failed(StreamResult::State want) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {want, 0};
    failure_ = std::generic_category().message(errno);
    return {StreamResult::State::kFailed, 0};
  }

  const int fd_;
  std::string failure_;
};

}  // namespace

std::unique_ptr<PeerStream> make_plain_stream(int fd) { return std::make_unique<PlainStream>(fd); }

}  // namespace synod::net
