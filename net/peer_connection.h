// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "net/peer_context.h"
#include "net/peer_stream.h"
#include "net/socket.h"
#include "net/watched_fd.h"

namespace synod::net {

/// What one end of a connection between nodes does with it.
///
/// Threads: all calls on the dispatcher, never one inside another or inside a call to the
/// connection.
class PeerConnectionHandler {
 public:
  virtual ~PeerConnectionHandler() = default;
  /// TCP and TLS stand: the first call.
  virtual void on_up() = 0;
  virtual void on_bytes(base::BytesView fresh) = 0;
  /// The socket took what had to wait for it.
  virtual void on_drained() = 0;
  /// The last call, unless the handler closes it.
  virtual void on_lost(const std::string& reason) = 0;
};

/// One TCP connection between two nodes, plain or in TLS: bytes out of a queue, bytes in.
///
/// Invariants
///   PC1  After close, or after on_lost, the handler is never called.
///
/// Threads: confined to the dispatcher. Lifetime: lives on while the event loop watches for it; the
/// handler closes it before it goes.
/// Failure: any error of the socket or of TLS ends it with on_lost.
class PeerConnection final : public std::enable_shared_from_this<PeerConnection> {
 public:
  PeerConnection(PeerContext& context, PeerConnectionHandler& handler);

  /// Takes a socket, which may still be connecting. Fails when the loop cannot watch one more.
  base::Status open(UniqueFd fd, bool is_dialer);

  /// Queues bytes; `flush` brings them to the socket.
  void send(base::Bytes bytes);
  void flush();
  /// Ends when what is queued has left; on_lost follows.
  void close_after_flush();
  void close();

  [[nodiscard]] std::size_t unsent() const { return unsent_; }
  /// Bytes sent so far, and those of them the socket took: a span that was queued has left when
  /// `written` reaches what `queued` was after it.
  [[nodiscard]] std::uint64_t queued() const { return written_ + unsent_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  /// How long the socket has not taken anything although something waits.
  [[nodiscard]] base::Nanos blocked_for(base::Nanos now) const {
    return waiting_writable_ ? now - blocked_since_ : base::Nanos(0);
  }
  [[nodiscard]] base::Status check_identity(PeerId peer) const {
    return stream_->check_identity(peer);
  }
  /// True if it ended because of what the peer is or said in TLS.
  [[nodiscard]] bool failed_in_tls() const { return stream_->failed_in_tls(); }
  [[nodiscard]] const std::string& peer() const { return peer_; }

 private:
  void wait_readable();
  void on_readable();
  void wait_writable();
  void on_writable();
  /// False: the connection could not be made.
  [[nodiscard]] bool finish_connect();
  void advance_handshake();
  void read_some();
  /// True when more may be there at once.
  [[nodiscard]] bool read_once();
  [[nodiscard]] bool write_once();
  void drop_sent(std::size_t bytes);
  void finish();
  void fail_stream();
  void fail(std::string reason);

  PeerContext& context_;
  PeerConnectionHandler* handler_;
  WatchedFd socket_;
  std::unique_ptr<PeerStream> stream_;
  std::string peer_;

  std::deque<base::Bytes> output_;
  std::size_t output_begin_ = 0;  ///< Written bytes of output_.front().
  std::size_t unsent_ = 0;
  std::uint64_t written_ = 0;
  base::Nanos blocked_since_{0};

  bool is_connecting_ = false;
  bool is_up_ = false;
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
  bool ending_ = false;
  bool closed_ = false;
};

}  // namespace synod::net
