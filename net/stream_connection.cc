// SPDX-License-Identifier: Apache-2.0
#include "net/stream_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace synod::net {
namespace {

constexpr int kReadsPerTurn = 4;  // then other connections have their turn
constexpr std::size_t kGatherMax = 256;

}  // namespace

StreamConnection::StreamConnection(std::shared_ptr<ServerState> state,
                                   std::shared_ptr<WorkerSlot> slot)
    : state_(std::move(state)),
      slot_(std::move(slot)),
      id_(state_->next_id.fetch_add(1, std::memory_order_relaxed)),
      socket_(slot_->dispatcher) {}

base::Status StreamConnection::open(UniqueFd fd) {
  peer_ = peer_name(fd.get());
  return socket_.open(std::move(fd));
}

void StreamConnection::start(const HandlerFactory& factory) {
  handler_ = factory(*this);
  SYNOD_ASSERT(handler_ != nullptr, "a handler factory makes a handler");
  read_on();
}

void StreamConnection::stop() {
  if (closed_) return;
  handler_->on_stop();
}

// ---- reading

void StreamConnection::wait_readable() {
  if (waiting_readable_ || eof_ || reading_paused()) return;
  // First what was read already: the end of the stream may come with the next look.
  if (delivery_scheduled_) return;
  waiting_readable_ = true;
  socket_.wait_readable(
      [self = shared_from_this()] {
        self->waiting_readable_ = false;
        self->drained_ = false;
        if (!self->reading_paused()) self->on_readable();
      },
      drained_ ? WatchedFd::Input::kDrained : WatchedFd::Input::kUnknown);
}

void StreamConnection::on_readable() {
  for (int i = 0; i < kReadsPerTurn && read_once(); ++i) {
  }
  flush();
  wait_readable();
}

bool StreamConnection::read_once() {
  auto& scratch = slot_->scratch;
  const ssize_t got = ::recv(socket_.get(), scratch.data(), scratch.size(), 0);
  if (got < 0) {
    if (errno == EINTR) return true;
    drained_ = errno == EAGAIN || errno == EWOULDBLOCK;
    if (!drained_) close();
    return false;
  }
  if (got == 0) {
    eof_ = true;
    in_handler_ = true;
    handler_->on_eof();
    in_handler_ = false;
    return false;
  }
  const auto size = static_cast<std::size_t>(got);
  drained_ = size < scratch.size();
  state_->bytes_in.fetch_add(size, std::memory_order_relaxed);
  deliver(base::BytesView(scratch.data(), size));
  return !drained_ && !reading_paused();
}

void StreamConnection::deliver(base::BytesView fresh) {
  if (input_.empty()) {
    in_handler_ = true;
    const std::size_t count = handler_->on_bytes(fresh);
    in_handler_ = false;
    SYNOD_ASSERT(count <= fresh.size(), "a handler consumes what it was offered");
    if (count < fresh.size() && !closed_) input_.assign(fresh.substr(count));
  } else {
    input_.append(fresh);
    deliver_rest();
  }
  if (closed_ || input_.empty()) return;
  if (unread().size() > state_->limits.message_bytes_max + slot_->scratch.size()) {
    state_->closed_input_limit.fetch_add(1, std::memory_order_relaxed);
    close();
    return;
  }
  request_quick_ack();
}

void StreamConnection::deliver_rest() {
  in_handler_ = true;
  const std::size_t count = handler_->on_bytes(unread());
  in_handler_ = false;
  SYNOD_ASSERT(count <= unread().size(), "a handler consumes what it was offered");
  input_begin_ += count;
  if (input_begin_ == input_.size()) {
    base::Bytes().swap(input_);
    input_begin_ = 0;
  } else if (input_begin_ >= input_.size() / 2) {
    input_.erase(0, input_begin_);
    input_begin_ = 0;
  }
}

void StreamConnection::resume_reading() {
  handler_paused_ = false;
  read_on();
}

void StreamConnection::read_on() {
  if (reading_paused() || delivery_scheduled_) return;
  if (input_.empty()) {
    wait_readable();
    return;
  }
  delivery_scheduled_ = true;
  slot_->dispatcher.post([self = shared_from_this()] {
    self->delivery_scheduled_ = false;
    if (self->reading_paused()) return;
    self->deliver_rest();
    self->flush();
    self->wait_readable();
  });
}

void StreamConnection::request_quick_ack() {
  // The rest of a message is under way. A client with Nagle on holds it back until our ACK, which
  // the kernel would delay; the option lasts only until the kernel changes its mind.
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

// ---- writing

void StreamConnection::send(base::Bytes bytes) {
  if (closed_ || bytes.empty()) return;
  if (output_bytes_ > state_->limits.output_bytes_max) {
    state_->closed_output_limit.fetch_add(1, std::memory_order_relaxed);
    close();
    return;
  }
  output_bytes_ += bytes.size();
  if (output_bytes_ > state_->limits.output_pause_bytes) output_paused_ = true;
  output_.push_back(std::move(bytes));
  if (!in_handler_) schedule_flush();
}

void StreamConnection::schedule_flush() {
  if (flush_scheduled_ || waiting_writable_) return;
  flush_scheduled_ = true;
  slot_->dispatcher.at_step_end([self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void StreamConnection::flush() {
  if (closed_ || waiting_writable_) return;
  while (!output_.empty()) {
    if (!write_once()) return;
  }
  if (ending_) {
    finish();
  } else if (output_paused_ && output_bytes_ <= state_->limits.output_pause_bytes / 2) {
    output_paused_ = false;
    read_on();
  }
}

ssize_t StreamConnection::write_parts() {
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (output_.size() == 1) {
    // The common case, and cheaper than a list of one.
    const base::Bytes& only = output_.front();
    return ::send(socket_.get(), only.data() + output_begin_, only.size() - output_begin_, kFlags);
  }
  std::array<iovec, kGatherMax> parts;
  const std::size_t count = std::min(output_.size(), parts.size());
  std::size_t skip = output_begin_;
  for (std::size_t i = 0; i < count; ++i) {
    parts[i] = {output_[i].data() + skip, output_[i].size() - skip};
    skip = 0;
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket_.get(), &message, kFlags);
}

bool StreamConnection::write_once() {
  const ssize_t sent = write_parts();
  if (sent < 0) {
    if (errno == EINTR) return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_writable();
    } else {
      close();
    }
    return false;
  }
  drop_sent(static_cast<std::size_t>(sent));
  return true;
}

void StreamConnection::drop_sent(std::size_t bytes) {
  state_->bytes_out.fetch_add(bytes, std::memory_order_relaxed);
  output_bytes_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = output_.front().size() - output_begin_;
    if (bytes < left) {
      output_begin_ += bytes;
      return;
    }
    bytes -= left;
    output_begin_ = 0;
    (void)output_.take_front();
  }
}

void StreamConnection::wait_writable() {
  if (waiting_writable_) return;
  waiting_writable_ = true;
  socket_.wait_writable([self = shared_from_this()] {
    self->waiting_writable_ = false;
    self->flush();
  });
}

// ---- ending

void StreamConnection::close_after_flush() {
  if (closed_ || ending_) return;
  ending_ = true;
  if (output_.empty() && !in_handler_) {
    finish();
  } else if (!in_handler_) {
    schedule_flush();
  }
}

void StreamConnection::finish() {
  // Unread input would turn our close into a reset, which may overtake the replies just sent.
  ::shutdown(socket_.get(), SHUT_WR);
  auto& scratch = slot_->scratch;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (::recv(socket_.get(), scratch.data(), scratch.size(), MSG_DONTWAIT) <= 0) break;
  }
  close();
}

void StreamConnection::close() {
  if (closed_) return;
  closed_ = true;
  socket_.close();
  output_.clear();
  output_bytes_ = 0;
  slot_->dispatcher.post([self = shared_from_this()] {
    self->handler_->on_close();
    self->handler_.reset();
    self->slot_->connections.erase(self->id_);
    self->state_->count_closed();
  });
}

}  // namespace synod::net
