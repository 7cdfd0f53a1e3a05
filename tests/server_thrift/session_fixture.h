// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/protocol/TCompactProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <functional>
#include <memory>
#include <string>

#include "TransactionalKV.h"
#include "server/thrift/kv_service.h"
#include "tests/server_thrift/fake_connection.h"
#include "tests/server_thrift/fake_router.h"

namespace synod::server {

/// A session on the public service over fakes.
struct SessionFixture {
  explicit SessionFixture(const net::ServerLimits& server_limits = {},
                          const KvServiceOptions& options = {})
      : limits(server_limits),
        service(make_kv_service(options, router, dispatcher)),
        session(std::make_unique<ThriftSession>(connection, *service, limits, counters)) {
    connection.handler = session.get();
  }

  void feed(base::BytesView bytes) {
    connection.feed(bytes);
    dispatcher.run_posted();
  }
  /// Ends the held request on the session's thread, or on another.
  void release(std::size_t index = 0, bool on_session_thread = true) {
    dispatcher.current = on_session_thread;
    router.release(index);
    dispatcher.current = true;
    dispatcher.run_posted();
  }

  const net::ServerLimits limits;
  FakeRouter router;
  FakeDispatcher dispatcher;
  FakeConnection connection{dispatcher};
  SessionCounters counters;
  std::shared_ptr<const ThriftService> service;
  std::unique_ptr<ThriftSession> session;
};

using apache::thrift::protocol::TBinaryProtocol;
using apache::thrift::protocol::TCompactProtocol;

/// Generated client code whose bytes go through the test's hands.
class WireClient {
 public:
  explicit WireClient(WireFormat format)
      : format_(format), sent_(std::make_shared<Memory>()), received_(std::make_shared<Memory>()) {
    client_ = std::make_unique<api::TransactionalKVClient>(protocol(format, received_),
                                                           protocol(format, sent_));
  }
  /// The bytes of the one call `send` makes.
  std::string bytes(const std::function<void(api::TransactionalKVClient&)>& send) {
    send(*client_);
    const std::string message = sent_->getBufferAsString();
    sent_->resetBuffer();
    std::string out;
    if (format_.framed) base::append_be32(out, static_cast<std::uint32_t>(message.size()));
    return out + message;
  }
  /// The client with `replies` to read. Frames are put on and taken off here, so that all
  /// formats share one buffer.
  api::TransactionalKVClient& with(std::string_view replies) {
    while (!replies.empty()) {
      std::size_t size = replies.size();
      if (format_.framed) {
        size = base::load_be32(replies.data());
        replies.remove_prefix(4);
      }
      received_->write(reinterpret_cast<const std::uint8_t*>(replies.data()),
                       static_cast<std::uint32_t>(size));
      replies.remove_prefix(size);
    }
    return *client_;
  }
  [[nodiscard]] std::size_t unread() const { return received_->available_read(); }

 private:
  using Memory = apache::thrift::transport::TMemoryBuffer;
  static std::shared_ptr<apache::thrift::protocol::TProtocol> protocol(
      WireFormat format, const std::shared_ptr<Memory>& transport) {
    if (format.protocol == WireFormat::Protocol::kBinary) {
      return std::make_shared<TBinaryProtocol>(transport);
    }
    return std::make_shared<TCompactProtocol>(transport);
  }

  const WireFormat format_;
  std::shared_ptr<Memory> sent_;
  std::shared_ptr<Memory> received_;
  std::unique_ptr<api::TransactionalKVClient> client_;
};

inline api::SetRequest set_request(const std::string& key, const std::string& value) {
  api::SetRequest out;
  out.__set_key(key);
  out.__set_value(value);
  return out;
}
inline api::GetRequest get_request(const std::string& key) {
  api::GetRequest out;
  out.__set_key(key);
  return out;
}

}  // namespace synod::server
