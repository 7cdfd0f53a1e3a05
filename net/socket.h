// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace synod::net {

/// A file descriptor with one owner.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release();
  void reset();

 private:
  int fd_ = -1;
};

/// A listening, non-blocking TCP socket. `host` is a numeric address or a name; port 0 takes a
/// free one.
[[nodiscard]] base::Result<UniqueFd> listen_tcp_socket(const std::string& host, std::uint16_t port);
/// A listening, non-blocking Unix socket that only the owner of the process may connect to (mode
/// 0600 from the moment its path exists). Replaces a path that no server listens on any more;
/// kAlreadyExists if one does or if the path is no socket.
[[nodiscard]] base::Result<UniqueFd> listen_unix_socket(const std::string& path);

/// The port a TCP socket is bound to; 0 for other sockets.
[[nodiscard]] std::uint16_t local_port(int fd);
/// "127.0.0.1:4711", "[::1]:4711", or "unix".
[[nodiscard]] std::string peer_name(int fd);

}  // namespace synod::net
