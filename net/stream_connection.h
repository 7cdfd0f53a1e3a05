// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/fifo.h"
#include "base/status.h"
#include "net/connection.h"
#include "net/event_loop.h"
#include "net/limits.h"
#include "net/socket.h"
#include "net/watched_fd.h"

namespace synod::net {

class StreamConnection;

/// What a server, its listeners and its connections share; outlives all of them.
struct ServerState {
  explicit ServerState(const ServerLimits& server_limits) : limits(server_limits) {}

  void count_closed() {
    const std::lock_guard lock(mutex);
    if (open.fetch_sub(1) == 1) all_closed.notify_all();
  }

  const ServerLimits limits;
  std::atomic<std::uint64_t> next_id{1};
  std::atomic<std::uint64_t> open{0};  ///< Counted from accept to on_close.
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused_over_limit{0};
  std::atomic<std::uint64_t> accept_errors{0};
  std::atomic<std::uint64_t> accept_pauses{0};
  std::atomic<std::uint64_t> closed_output_limit{0};
  std::atomic<std::uint64_t> closed_input_limit{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};

  /// Signalled when `open` falls to zero.
  std::mutex mutex;
  std::condition_variable all_closed;
};

/// One worker's part of a server. Confined to the dispatcher.
struct WorkerSlot {
  explicit WorkerSlot(EventLoop& worker) : dispatcher(worker) {}

  EventLoop& dispatcher;
  bool stopping = false;
  std::unordered_map<ConnectionId, std::shared_ptr<StreamConnection>> connections;
  /// All connections of the worker read into it, so that an idle one owns no buffer.
  std::array<char, 64 * 1024> scratch;
};

/// A TCP or Unix socket as a Connection.
///
/// Owned by its WorkerSlot until closed, and by the waits it has under way.
///
/// Invariants
///   SC1  The handler is never called inside a call it made, and on_close is its last call.
///   SC2  Unread input and unsent output are bounded: by message_bytes_max plus one read, and by
///        output_bytes_max plus one send.
///   SC3  An idle connection holds no input or output buffer.
///
/// Threads: confined to the slot's dispatcher.
/// Failure: any error of the socket closes it; a peer's reset is nothing special.
class StreamConnection final : public Connection,
                               public std::enable_shared_from_this<StreamConnection> {
 public:
  StreamConnection(std::shared_ptr<ServerState> state, std::shared_ptr<WorkerSlot> slot);

  /// Takes the socket; fails when the event loop cannot watch one more.
  base::Status open(UniqueFd fd);
  /// Makes the handler and begins to read.
  void start(const HandlerFactory& factory);
  /// The server stops: tells the handler.
  void stop();

  void send(base::Bytes bytes) override;
  void pause_reading() override { handler_paused_ = true; }
  void resume_reading() override;
  [[nodiscard]] bool reading_paused() const override {
    return handler_paused_ || output_paused_ || ending_ || closed_;
  }
  void close_after_flush() override;
  void close() override;
  [[nodiscard]] base::Dispatcher& dispatcher() override { return slot_->dispatcher; }
  [[nodiscard]] ConnectionId id() const override { return id_; }
  [[nodiscard]] const std::string& peer() const override { return peer_; }

 private:
  [[nodiscard]] base::BytesView unread() const {
    return base::BytesView(input_).substr(input_begin_);
  }
  void wait_readable();
  void on_readable();
  /// False when nothing more is to be read in this turn.
  [[nodiscard]] bool read_once();
  void deliver(base::BytesView fresh);
  void consume(base::BytesView offered, std::size_t count);
  void deliver_rest();
  void read_on();

  void schedule_flush();
  void flush();
  [[nodiscard]] bool write_once();
  /// As send does.
  ssize_t write_parts();
  void drop_sent(std::size_t bytes);
  void wait_writable();
  void finish();
  void request_quick_ack();

  const std::shared_ptr<ServerState> state_;
  const std::shared_ptr<WorkerSlot> slot_;
  const ConnectionId id_;
  std::string peer_;
  WatchedFd socket_;
  std::shared_ptr<ConnectionHandler> handler_;

  base::Bytes input_;
  std::size_t input_begin_ = 0;
  base::Fifo<base::Bytes> output_;
  std::size_t output_begin_ = 0;  ///< Sent bytes of output_.front().
  std::size_t output_bytes_ = 0;

  bool handler_paused_ = false;
  bool output_paused_ = false;
  bool in_handler_ = false;
  bool delivery_scheduled_ = false;
  bool flush_scheduled_ = false;
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool drained_ = false;  ///< The last read of this turn took all there was.
  bool eof_ = false;
  bool ending_ = false;  ///< close_after_flush was asked for.
  bool closed_ = false;
};

}  // namespace synod::net
