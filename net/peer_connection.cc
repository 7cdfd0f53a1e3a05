// SPDX-License-Identifier: Apache-2.0
#include "net/peer_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace synod::net {
namespace {

constexpr int kReadsPerTurn = 16;
constexpr std::size_t kGatherMax = 64;
constexpr std::size_t kChunkBytes = 16U << 10U;  ///< Small frames share a chunk up to this.
constexpr int kUnsentInKernel = 256 << 10;

void set_socket_options(int fd, base::Nanos dead_after) {
  const int on = 1;
  const int lowat = kUnsentInKernel;
  const auto timeout = static_cast<unsigned>(
      std::chrono::duration_cast<std::chrono::milliseconds>(dead_after).count());
  // Each of them only makes things faster or noticed earlier: a kernel may refuse.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
  // So that a probe does not stand behind megabytes which only the kernel knows of.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
}

}  // namespace

PeerConnection::PeerConnection(PeerContext& context, PeerConnectionHandler& handler)
    : context_(context), handler_(&handler), socket_(context.dispatcher) {}

base::Status PeerConnection::open(UniqueFd fd, bool is_dialer) {
  set_socket_options(fd.get(), context_.options.times.dead_after);
  peer_ = peer_name(fd.get());
  stream_ = context_.tls == nullptr ? make_plain_stream(fd.get())
                                    : context_.tls->make_stream(fd.get(), is_dialer);
  if (stream_ == nullptr) return {base::StatusCode::kInternal, "no memory for TLS"};
  SYNOD_RETURN_IF_ERROR(socket_.open(std::move(fd)));
  is_connecting_ = is_dialer;
  if (is_dialer) {
    wait_writable();
  } else {
    // Never from inside open: its caller has not finished with us.
    context_.dispatcher.post([self = shared_from_this()] { self->advance_handshake(); });
  }
  return {};
}

// ---- waiting

void PeerConnection::wait_readable() {
  if (closed_ || std::exchange(waiting_readable_, true)) return;
  // It is the socket that said so: whoever waits here has just found it empty.
  socket_.wait_readable([self = shared_from_this()] { self->on_readable(); },
                        WatchedFd::Input::kDrained);
}

void PeerConnection::on_readable() {
  waiting_readable_ = false;
  if (closed_) return;
  if (!is_up_) {
    advance_handshake();
    return;
  }
  read_some();
  if (std::exchange(write_wants_read_, false)) on_writable();
}

void PeerConnection::wait_writable() {
  if (closed_ || std::exchange(waiting_writable_, true)) return;
  blocked_since_ = context_.now();
  socket_.wait_writable([self = shared_from_this()] {
    self->waiting_writable_ = false;
    self->on_writable();
  });
}

void PeerConnection::on_writable() {
  if (closed_) return;
  if (is_connecting_ && !finish_connect()) return;
  if (!is_up_) {
    advance_handshake();
    return;
  }
  if (std::exchange(read_wants_write_, false)) read_some();
  flush();
  if (!closed_ && !waiting_writable_) handler_->on_drained();
}

// ---- beginning

bool PeerConnection::finish_connect() {
  is_connecting_ = false;
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    error = errno;
  }
  if (error == 0) {
    peer_ = peer_name(socket_.get());
    return true;
  }
  fail(std::generic_category().message(error));
  return false;
}

void PeerConnection::advance_handshake() {
  if (closed_) return;
  switch (stream_->handshake().state) {
    case StreamResult::State::kDone:
      is_up_ = true;
      handler_->on_up();
      // TLS may hold bytes already that the socket does not show any more.
      if (!closed_) read_some();
      return;
    case StreamResult::State::kWantRead:
      wait_readable();
      return;
    case StreamResult::State::kWantWrite:
      wait_writable();
      return;
    case StreamResult::State::kEnd:
    case StreamResult::State::kFailed:
      fail_stream();
      return;
  }
}

// ---- reading

void PeerConnection::read_some() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (closed_ || !read_once()) return;
  }
  // Others have their turn; the socket may stay silent about what TLS has read ahead.
  context_.dispatcher.post([self = shared_from_this()] { self->read_some(); });
}

bool PeerConnection::read_once() {
  auto& scratch = context_.scratch;
  const StreamResult result = stream_->read(scratch.data(), scratch.size());
  switch (result.state) {
    case StreamResult::State::kDone:
      context_.tally.bytes_in += result.bytes;
      handler_->on_bytes(base::BytesView(scratch.data(), result.bytes));
      return true;
    case StreamResult::State::kWantRead:
      wait_readable();
      return false;
    case StreamResult::State::kWantWrite:
      read_wants_write_ = true;
      wait_writable();
      return false;
    case StreamResult::State::kEnd:
      fail("the peer closed the connection");
      return false;
    case StreamResult::State::kFailed:
      fail_stream();
      return false;
  }
  return false;
}

// ---- writing

void PeerConnection::send(base::Bytes bytes) {
  if (closed_ || bytes.empty()) return;
  unsent_ += bytes.size();
  if (!output_.empty() && output_.back().size() + bytes.size() <= kChunkBytes) {
    output_.back().append(bytes);
  } else {
    output_.push_back(std::move(bytes));
  }
}

void PeerConnection::flush() {
  if (closed_ || !is_up_ || waiting_writable_ || write_wants_read_) return;
  while (!output_.empty() || stream_->has_unsent()) {
    if (!write_once()) return;
  }
  if (ending_) finish();
}

bool PeerConnection::write_once() {
  std::array<iovec, kGatherMax> parts;
  std::size_t count = 0;
  std::size_t skip = output_begin_;
  for (base::Bytes& chunk : output_) {
    if (count == parts.size()) break;
    parts[count++] = {chunk.data() + skip, chunk.size() - skip};
    skip = 0;
  }
  const StreamResult result = stream_->write(std::span(parts.data(), count));
  switch (result.state) {
    case StreamResult::State::kDone:
      drop_sent(result.bytes);
      return true;
    case StreamResult::State::kWantWrite:
      wait_writable();
      return false;
    case StreamResult::State::kWantRead:
      write_wants_read_ = true;
      wait_readable();
      return false;
    case StreamResult::State::kEnd:
    case StreamResult::State::kFailed:
      fail_stream();
      return false;
  }
  return false;
}

void PeerConnection::drop_sent(std::size_t bytes) {
  context_.tally.bytes_out += bytes;
  written_ += bytes;
  unsent_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = output_.front().size() - output_begin_;
    if (bytes < left) {
      output_begin_ += bytes;
      return;
    }
    bytes -= left;
    output_begin_ = 0;
    output_.pop_front();
  }
}

// ---- ending

void PeerConnection::close_after_flush() {
  ending_ = true;
  flush();
}

void PeerConnection::finish() {
  ::shutdown(socket_.get(), SHUT_WR);
  fail("closed after the last word");
}

void PeerConnection::fail_stream() {
  if (stream_->failed_in_tls()) ++context_.tally.tls_failures;
  const std::string& why = stream_->failure();
  fail(why.empty() ? "the peer closed the connection" : why);
}

void PeerConnection::fail(std::string reason) {
  if (closed_) return;
  PeerConnectionHandler* const handler = handler_;
  close();
  handler_ = handler;  // for one call more, unless it closes first
  context_.dispatcher.post([self = shared_from_this(), why = std::move(reason)] {
    PeerConnectionHandler* last = std::exchange(self->handler_, nullptr);
    if (last != nullptr) last->on_lost(why);
  });
}

void PeerConnection::close() {
  handler_ = nullptr;
  if (std::exchange(closed_, true)) return;
  socket_.close();
  output_.clear();
  unsent_ = 0;
}

}  // namespace synod::net
