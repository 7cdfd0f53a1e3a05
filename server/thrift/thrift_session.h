// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/fifo.h"
#include "net/connection.h"
#include "net/limits.h"
#include "server/thrift/call_observer.h"
#include "server/thrift/message_scanner.h"
#include "server/thrift/thrift_service.h"
#include "server/thrift/wire_codec.h"

namespace synod::server {

/// What all sessions of a server count. Monotonic.
struct SessionCounters {
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> unknown_methods{0};
  std::atomic<std::uint64_t> undecodable{0};      ///< Calls whose arguments were none.
  std::atomic<std::uint64_t> refused_streams{0};  ///< Connections closed for what they sent.
};

/// The dialogue with one Thrift client: bytes in, calls on the service, replies out.
///
/// Made by ThriftServer for each connection, owned by it.
///
/// Invariants
///   TS1  Replies leave in the order of their calls, one for each call that is not oneway.
///   TS2  Effects keep that order too: writes are submitted in order and may be under way together;
///        a read begins when all earlier writes have ended, a write when all earlier reads have.
///   TS3  At most in_flight_max calls are unanswered; a bulk read is waited for. Until there is
///        room nothing more is read from the client.
///   TS4  A completion that comes after the connection is gone touches nothing.
///
/// Threads: confined to the connection's dispatcher; completions may come on any thread.
/// Failure: an undecodable or unknown call is answered with a TApplicationException, and the
/// connection stays; bytes that are no message, or another format than the first message's, end
/// it after the calls before them are answered.
class ThriftSession final : public net::ConnectionHandler {
 public:
  /// All outlive the connection. `observer` may be null.
  ThriftSession(net::Connection& connection, const ThriftService& service,
                const net::ServerLimits& limits, SessionCounters& counters,
                CallObserver* observer = nullptr);
  ~ThriftSession() override;

  [[nodiscard]] std::size_t on_bytes(base::BytesView unread) override;
  void on_eof() override { drain(); }
  void on_stop() override { drain(); }
  void on_close() override;

 private:
  class Mailbox;
  /// One call, from its arrival until its reply is handed to the connection.
  struct Slot {
    CallHeader call;
    CallOrder order = CallOrder::kFree;
    bool done = false;
    const ThriftMethod* method = nullptr;
    base::Nanos arrived{0};
    std::unique_ptr<ThriftCall> prepared;  ///< Until it begins.
    base::Bytes reply;
  };

  void refuse(const std::string& reason);
  /// False if the stream cannot go on.
  [[nodiscard]] bool accept(base::BytesView message);
  void add_exception(const CallHeader& call, const std::string& method,
                     apache::thrift::TApplicationException::TApplicationExceptionType type,
                     const std::string& text);
  void pump();
  void start_ready();
  [[nodiscard]] bool may_start(CallOrder order) const;
  void complete(std::uint64_t number, const ReplyBody& body);
  [[nodiscard]] base::Nanos observed_time() const;
  void send_done();
  void drain();
  [[nodiscard]] bool has_room() const;
  void update_reading();
  [[nodiscard]] WireCodec& codec();

  net::Connection& connection_;
  const ThriftService& service_;
  const net::ServerLimits& limits_;
  SessionCounters& counters_;
  CallObserver* const observer_;
  const std::shared_ptr<Mailbox> mailbox_;
  MessageScanner scanner_;
  std::optional<WireFormat> format_;  ///< Of the first message, and so of all.
  std::unique_ptr<WireCodec> codec_;  ///< Made by the first message, and after a broken one.

  base::Fifo<Slot> slots_;
  std::uint64_t first_number_ = 0;  ///< Of slots_.front().
  std::size_t started_ = 0;         ///< The first `started_` slots have begun.
  std::size_t running_writes_ = 0;
  std::size_t running_reads_ = 0;  ///< Bulk reads included.
  std::size_t bulk_reads_ = 0;     ///< In slots_, not done.
  std::size_t held_bytes_ = 0;     ///< Replies that wait for earlier ones.
  bool pumping_ = false;
  bool progress_ = false;
  bool paused_ = false;
  bool draining_ = false;
};

}  // namespace synod::server
