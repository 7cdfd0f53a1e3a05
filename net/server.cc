// SPDX-License-Identifier: Apache-2.0
#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <utility>

#include "base/assert.h"
#include "net/listener.h"
#include "net/stream_connection.h"

namespace synod::net {
namespace {

/// Runs `task` on the dispatcher and waits for it.
void run_on(EventLoop& dispatcher, const std::function<void()>& task) {
  SYNOD_ASSERT(!dispatcher.is_current(), "the owner of a server is not one of its workers");
  std::promise<void> done;
  dispatcher.post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void set_tcp_options(int fd) {
  const int on = 1;
  // Refused on Unix sockets, which need neither.
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

}  // namespace

struct Server::Impl {
  Impl(const ServerLimits& limits, HandlerFactory handler_factory)
      : state(std::make_shared<ServerState>(limits)),
        factory(std::make_shared<const HandlerFactory>(std::move(handler_factory))) {}

  base::Status add_listener(UniqueFd socket);
  void close_listeners();
  void for_each_connection(const std::function<void(StreamConnection&)>& visit);

  const std::shared_ptr<ServerState> state;
  const std::shared_ptr<const HandlerFactory> factory;
  std::vector<std::shared_ptr<WorkerSlot>> slots;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<std::string> unix_paths;
};

namespace {

void adopt(const std::shared_ptr<ServerState>& state, const std::shared_ptr<WorkerSlot>& slot,
           const HandlerFactory& factory, UniqueFd fd) {
  SYNOD_ASSERT(!slot->stopping, "listeners are closed before the workers are told to stop");
  set_tcp_options(fd.get());
  auto connection = std::make_shared<StreamConnection>(state, slot);
  if (!connection->open(std::move(fd)).ok()) {
    state->accept_errors.fetch_add(1, std::memory_order_relaxed);
    state->count_closed();
    return;
  }
  slot->connections.emplace(connection->id(), connection);
  connection->start(factory);
}

}  // namespace

base::Status Server::Impl::add_listener(UniqueFd socket) {
  auto accepted = [shared = state, handlers = factory, all = slots,
                   turn = std::size_t{0}](UniqueFd fd) mutable {
    const auto& slot = all[turn++ % all.size()];
    slot->dispatcher.post([shared, slot, handlers, client = std::move(fd)]() mutable {
      adopt(shared, slot, *handlers, std::move(client));
    });
  };
  EventLoop& acceptor = slots.front()->dispatcher;
  auto listener = std::make_shared<Listener>(acceptor, state, std::move(accepted));
  SYNOD_RETURN_IF_ERROR(listener->open(std::move(socket)));
  listeners.push_back(listener);
  acceptor.post([listener] { listener->start(); });
  return {};
}

void Server::Impl::close_listeners() {
  for (const auto& listener : listeners) {
    run_on(slots.front()->dispatcher, [&] { listener->close(); });
  }
  listeners.clear();
  for (const std::string& path : unix_paths) ::unlink(path.c_str());
  unix_paths.clear();
}

void Server::Impl::for_each_connection(const std::function<void(StreamConnection&)>& visit) {
  for (const auto& slot : slots) {
    run_on(slot->dispatcher, [&] {
      slot->stopping = true;
      for (const auto& [id, connection] : slot->connections) visit(*connection);
    });
  }
}

Server::Server(const ServerLimits& limits, std::vector<Worker*> workers, HandlerFactory factory)
    : impl_(std::make_unique<Impl>(limits, std::move(factory))) {
  SYNOD_ASSERT(!workers.empty(), "a server needs a worker");
  for (Worker* worker : workers) {
    impl_->slots.push_back(std::make_shared<WorkerSlot>(worker->dispatcher()));
  }
}

Server::~Server() { stop(base::Nanos(0)); }

base::Result<std::uint16_t> Server::listen_tcp(const std::string& host, std::uint16_t port) {
  SYNOD_ASSIGN_OR_RETURN(UniqueFd socket, listen_tcp_socket(host, port));
  const std::uint16_t bound = local_port(socket.get());
  SYNOD_RETURN_IF_ERROR(impl_->add_listener(std::move(socket)));
  return bound;
}

base::Status Server::listen_unix(const std::string& path) {
  SYNOD_ASSIGN_OR_RETURN(UniqueFd socket, listen_unix_socket(path));
  impl_->unix_paths.push_back(path);
  return impl_->add_listener(std::move(socket));
}

void Server::stop(base::Nanos grace) {
  if (impl_->listeners.empty()) return;
  impl_->close_listeners();
  ServerState& state = *impl_->state;
  const auto none_open = [&] { return state.open.load() == 0; };
  if (grace > base::Nanos(0)) {
    impl_->for_each_connection([](StreamConnection& connection) { connection.stop(); });
    std::unique_lock lock(state.mutex);
    if (state.all_closed.wait_for(lock, grace, none_open)) return;
  }
  impl_->for_each_connection([](StreamConnection& connection) { connection.close(); });
  std::unique_lock lock(state.mutex);
  state.all_closed.wait(lock, none_open);
}

ServerCounters Server::counters() const {
  const ServerState& state = *impl_->state;
  ServerCounters out;
  out.open = state.open.load();
  out.accepted = state.accepted.load();
  out.refused_over_limit = state.refused_over_limit.load();
  out.accept_errors = state.accept_errors.load();
  out.accept_pauses = state.accept_pauses.load();
  out.closed_output_limit = state.closed_output_limit.load();
  out.closed_input_limit = state.closed_input_limit.load();
  out.bytes_in = state.bytes_in.load();
  out.bytes_out = state.bytes_out.load();
  return out;
}

}  // namespace synod::net
