// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <thrift/TApplicationException.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TSocket.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "base/text.h"

namespace synod::client {

/// A buffered transport whose message size limit holds for one message.
///
/// libthrift 0.17 counts every byte that a connection ever read against the limit of one message,
/// so that a plain TBufferedTransport dies after 100 MiB of replies. Generated clients call
/// readEnd after each reply; the count starts anew there.
class MessageTransport final : public apache::thrift::transport::TBufferedTransport {
 public:
  explicit MessageTransport(
      std::shared_ptr<apache::thrift::transport::TTransport> inner,
      std::shared_ptr<apache::thrift::TConfiguration> limits_of_a_message = unlimited())
      : TBufferedTransport(std::move(inner), kBufferBytes, std::move(limits_of_a_message)) {}

  std::uint32_t readEnd() override {
    resetConsumedMessageSize();
    return 0;
  }

  /// The largest limits libthrift can express; what a peer may send is bounded by its protocol.
  static std::shared_ptr<apache::thrift::TConfiguration> unlimited() {
    constexpr int kMax = std::numeric_limits<int>::max();
    return std::make_shared<apache::thrift::TConfiguration>(kMax, kMax, 64);
  }

 private:
  static constexpr std::uint32_t kBufferBytes = 64 << 10;
};

/// One connection to one server with the generated blocking client `Api` on top.
///
/// Invariants
///   N1  No exception leaves `open` or `call`.
///   N2  After a failure that may have left half a message on the stream, usable() is false.
///
/// Threads: externally synchronized.
template <class Api>
class Connection {
 public:
  struct Timeouts {
    base::Millis connect{5'000};
    base::Millis call{10'000};
  };

  static base::Result<std::unique_ptr<Connection>> open_tcp(const std::string& host,
                                                            std::uint16_t port,
                                                            const Timeouts& timeouts) {
    return open(std::make_shared<apache::thrift::transport::TSocket>(host, port,
                                                                     MessageTransport::unlimited()),
                base::concat(host, ":", port), timeouts);
  }

  static base::Result<std::unique_ptr<Connection>> open_unix(const std::string& path,
                                                             const Timeouts& timeouts) {
    return open(
        std::make_shared<apache::thrift::transport::TSocket>(path, MessageTransport::unlimited()),
        path, timeouts);
  }

  /// Runs `body(api)`. kClosed: the peer is gone; kTimeout: no answer in time; kUnsupported: the
  /// server does not know the method; kCorruption: the reply is not understood.
  template <class Body>
  base::Status call(Body&& body) {
    using apache::thrift::TApplicationException;
    using apache::thrift::transport::TTransportException;
    try {
      body(*api_);
      return {};
    } catch (const TTransportException& e) {
      usable_ = false;
      const bool timed_out = e.getType() == TTransportException::TIMED_OUT;
      return {timed_out ? base::StatusCode::kTimeout : base::StatusCode::kClosed,
              base::concat(peer_, ": ", e.what())};
    } catch (const TApplicationException& e) {
      const bool unknown = e.getType() == TApplicationException::UNKNOWN_METHOD;
      // A reply to another call means that the stream is out of step (N2).
      usable_ = unknown || e.getType() == TApplicationException::INTERNAL_ERROR;
      return {unknown ? base::StatusCode::kUnsupported : base::StatusCode::kInternal,
              base::concat(peer_, ": ", e.what())};
    } catch (const std::exception& e) {
      usable_ = false;
      return {base::StatusCode::kCorruption, base::concat(peer_, ": ", e.what())};
    }
  }

  /// False once the stream is broken or the peer has closed it; sends nothing.
  [[nodiscard]] bool usable() const {
    if (!usable_ || !socket_->isOpen()) return false;
    char byte = 0;
    const auto got = ::recv(socket_->getSocketFD(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  [[nodiscard]] const std::string& peer() const { return peer_; }

 private:
  using Socket = apache::thrift::transport::TSocket;

  static base::Result<std::unique_ptr<Connection>> open(std::shared_ptr<Socket> socket,
                                                        std::string peer,
                                                        const Timeouts& timeouts) {
    try {
      socket->setConnTimeout(static_cast<int>(timeouts.connect.count()));
      socket->setRecvTimeout(static_cast<int>(timeouts.call.count()));
      socket->setSendTimeout(static_cast<int>(timeouts.call.count()));
      socket->setNoDelay(true);
      socket->open();
    } catch (const std::exception& e) {
      return base::Status(base::StatusCode::kClosed,
                          base::concat("cannot connect to ", peer, ": ", e.what()));
    }
    return std::unique_ptr<Connection>(new Connection(std::move(socket), std::move(peer)));
  }

  Connection(std::shared_ptr<Socket> socket, std::string peer)
      : socket_(std::move(socket)), peer_(std::move(peer)) {
    auto transport = std::make_shared<MessageTransport>(socket_);
    auto protocol = std::make_shared<apache::thrift::protocol::TBinaryProtocol>(transport);
    protocol->setStrict(true, true);
    api_ = std::make_unique<Api>(protocol);
  }

  std::shared_ptr<Socket> socket_;
  std::string peer_;
  std::unique_ptr<Api> api_;
  bool usable_ = true;
};

}  // namespace synod::client
