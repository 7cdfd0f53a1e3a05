// SPDX-License-Identifier: Apache-2.0
#include "net/listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/logging.h"
#include "base/text.h"

namespace synod::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr base::Millis kRest{100};

}  // namespace

Listener::Listener(EventLoop& dispatcher, std::shared_ptr<ServerState> state, Accepted accepted)
    : dispatcher_(dispatcher),
      state_(std::move(state)),
      socket_(dispatcher),
      accepted_(std::move(accepted)) {}

base::Status Listener::open(UniqueFd socket) { return socket_.open(std::move(socket)); }

void Listener::wait_connection() {
  if (closed_) return;
  socket_.wait_readable([self = shared_from_this()] { self->accept_some(); });
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && !closed_; ++i) {
    if (!accept_one()) break;
  }
  if (!resting_) wait_connection();
}

bool Listener::accept_one() {
  UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.get() >= 0) {
    if (state_->open.load(std::memory_order_relaxed) >= state_->limits.connections_max) {
      state_->refused_over_limit.fetch_add(1, std::memory_order_relaxed);
      return true;  // closed here: the client learns it at once and the queue keeps moving
    }
    state_->open.fetch_add(1, std::memory_order_relaxed);
    state_->accepted.fetch_add(1, std::memory_order_relaxed);
    accepted_(std::move(fd));
    return true;
  }
  const int error = errno;
  if (error == EAGAIN || error == EWOULDBLOCK) return false;
  if (error == EINTR) return true;
  state_->accept_errors.fetch_add(1, std::memory_order_relaxed);
  if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
    base::log_warning("net",
                      base::concat("accept rests: ", std::generic_category().message(error)));
    rest();
    return false;
  }
  return true;  // the client was gone before we came; the next one may be there
}

void Listener::rest() {
  state_->accept_pauses.fetch_add(1, std::memory_order_relaxed);
  resting_ = true;
  dispatcher_.run_after(kRest, [self = shared_from_this()] {
    self->resting_ = false;
    if (!self->closed_) self->accept_some();
  });
}

void Listener::close() {
  closed_ = true;
  socket_.close();
}

}  // namespace synod::net
