// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/dispatcher.h"
#include "base/strong_id.h"

namespace synod::net {

using ConnectionId = base::StrongId<struct ConnectionIdTag, std::uint64_t>;

/// A byte stream to one client, as its handler sees it.
///
/// Threads: confined to `dispatcher()`, which is also where the handler is called.
/// Lifetime: valid until `ConnectionHandler::on_close` has returned.
class Connection {
 public:
  virtual ~Connection() = default;

  /// Queues bytes; all that is queued in one turn of the event loop leaves with one write. Above
  /// output_pause_bytes the connection stops reading by itself until the client has caught up;
  /// above output_bytes_max it closes. After a close the bytes are dropped.
  virtual void send(base::Bytes bytes) = 0;
  /// No on_bytes until resume_reading, which calls it again for what is still unread.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// True while paused, by the handler or because the client does not read its replies.
  [[nodiscard]] virtual bool reading_paused() const = 0;
  /// Reads nothing more, closes when everything queued has left.
  virtual void close_after_flush() = 0;
  /// Closes now; what is queued is lost. on_close follows, never inside this call.
  virtual void close() = 0;

  [[nodiscard]] virtual base::Dispatcher& dispatcher() = 0;
  [[nodiscard]] virtual ConnectionId id() const = 0;
  /// "127.0.0.1:4711", or "unix".
  [[nodiscard]] virtual const std::string& peer() const = 0;
};

/// What a server does with one connection. Created by a factory when the client connects.
///
/// Threads: all calls on the connection's dispatcher, never one inside another.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  /// `unread` is everything received and not consumed yet; returns how many bytes are done with.
  /// Anything left is offered again, longer, when more arrives or reading resumes.
  [[nodiscard]] virtual std::size_t on_bytes(base::BytesView unread) = 0;
  /// The client will send nothing more but may still read.
  virtual void on_eof() = 0;
  /// The server stops: finish what is in flight, then close_after_flush.
  virtual void on_stop() = 0;
  /// Last call: the connection is gone.
  virtual void on_close() = 0;
};

using HandlerFactory = std::function<std::shared_ptr<ConnectionHandler>(Connection&)>;

}  // namespace synod::net
