// SPDX-License-Identifier: Apache-2.0
#include "net/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace synod::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel lowers it to somaxconn

base::Status io_error(const std::string& what, int error) {
  const auto code =
      error == EADDRINUSE ? base::StatusCode::kAlreadyExists : base::StatusCode::kIoError;
  return {code, base::concat(what, ": ", std::generic_category().message(error))};
}

base::Result<UniqueFd> try_listen(const addrinfo& address, const std::string& name) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return io_error(base::concat("socket for ", name), errno);
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return io_error(base::concat("listen on ", name), errno);
  }
  return fd;
}

/// Makes room at `path` if what stands there is the socket of a server that ended.
base::Status clear_stale_socket(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? base::Status() : io_error(base::concat("stat ", path), errno);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return {base::StatusCode::kAlreadyExists, base::concat(path, " exists and is no socket")};
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (probe.get() < 0) return io_error("socket", errno);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno != ECONNREFUSED) {
    return {base::StatusCode::kAlreadyExists, base::concat("a server listens on ", path)};
  }
  if (::unlink(path.c_str()) != 0) return io_error(base::concat("unlink ", path), errno);
  return {};
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int UniqueFd::release() { return std::exchange(fd_, -1); }

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(release());
}

base::Result<UniqueFd> listen_tcp_socket(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  const std::string service = std::to_string(port);
  const std::string name = base::concat(host, ":", port);
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (rc != 0) {
    return base::Status(base::StatusCode::kInvalidArgument,
                        base::concat("address ", name, ": ", ::gai_strerror(rc)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
  base::Status last(base::StatusCode::kInvalidArgument, base::concat("no address for ", name));
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    auto fd = try_listen(*address, name);
    if (fd.ok()) return fd;
    last = fd.status();
  }
  return last;
}

base::Result<UniqueFd> listen_unix_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return base::Status(base::StatusCode::kInvalidArgument,
                        base::concat("socket path of ", path.size(), " bytes; 1 to ",
                                     sizeof address.sun_path - 1, " are possible"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  SYNOD_RETURN_IF_ERROR(clear_stale_socket(path, address));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return io_error("socket", errno);
  // Set before bind: Linux creates the path with the mode of the descriptor, so that there is no
  // moment in which others may connect, and no umask of the whole process to change.
  if (::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return io_error(base::concat("listen on ", path), errno);
  }
  return fd;
}

std::uint16_t local_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  }
  return 0;
}

std::string peer_name(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "unknown";
  if (address.ss_family == AF_UNIX) return "unix";
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, service,
                    sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "unknown";
  }
  if (address.ss_family == AF_INET6) return base::concat("[", host, "]:", service);
  return base::concat(host, ":", service);
}

}  // namespace synod::net
