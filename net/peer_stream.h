// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "net/peer_transport.h"

namespace synod::net {

/// How an attempt on a socket that never waits ended.
struct StreamResult {
  enum class State : std::uint8_t {
    kDone,
    kWantRead,   ///< Again when the socket is readable.
    kWantWrite,  ///< Again when it is writable.
    kEnd,        ///< The peer sends nothing more.
    kFailed,     ///< See PeerStream::failure.
  };
  State state = State::kDone;
  std::size_t bytes = 0;
};

/// Bytes over one connected socket, plain or in TLS, without ever waiting.
///
/// Threads: externally synchronized. Lifetime: does not own the descriptor, which outlives it.
/// Failure: after kFailed nothing but `failure` is called.
class PeerStream {
 public:
  virtual ~PeerStream() = default;
  /// Until kDone nothing may be read or written.
  virtual StreamResult handshake() = 0;
  virtual StreamResult read(char* out, std::size_t size) = 0;
  /// kDone: `bytes` of the parts, counted over all of them, need not be offered again.
  virtual StreamResult write(std::span<const iovec> parts) = 0;
  /// True while bytes that write took have not reached the socket: write again, if with nothing.
  [[nodiscard]] virtual bool has_unsent() const = 0;
  /// Ok if the peer proved that it is this node, or if nobody has to prove anything here.
  [[nodiscard]] virtual base::Status check_identity(PeerId peer) const = 0;
  /// Why the last call failed, for people.
  [[nodiscard]] virtual const std::string& failure() const = 0;
  /// True if it failed because of what the peer is or said, not because of the socket.
  [[nodiscard]] virtual bool failed_in_tls() const = 0;
};

[[nodiscard]] std::unique_ptr<PeerStream> make_plain_stream(int fd);

}  // namespace synod::net
