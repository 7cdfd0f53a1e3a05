// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>

#include <memory>

#include "TransactionalKV.h"
#include "base/bytes.h"
#include "base/status.h"
#include "client/bench/engine.h"

namespace synod::client {

/// One connection in the framed protocol, without waiting: requests are written to memory and sent,
/// replies are cut out of what has arrived. One call is under way at a time.
///
/// Threads: externally synchronized. Failure: a Status ends the connection.
class ThriftChannel {
 public:
  static base::Result<std::unique_ptr<ThriftChannel>> open(const BenchEndpoint& endpoint);
  ~ThriftChannel();
  ThriftChannel(const ThriftChannel&) = delete;
  ThriftChannel& operator=(const ThriftChannel&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] base::Status begin(Operation operation);
  /// All of them in one commit.
  [[nodiscard]] base::Status begin_commit(const api::AtomicCommitRequest& request);
  /// The socket can be written again.
  [[nodiscard]] base::Status send_rest();
  [[nodiscard]] bool has_unsent() const { return sent_ < request_.size(); }
  /// The socket can be read: the reply, once it is whole.
  [[nodiscard]] base::Result<std::optional<Reply>> receive();

 private:
  using Buffer = apache::thrift::transport::TMemoryBuffer;
  using Protocol = apache::thrift::protocol::TBinaryProtocolT<Buffer>;

  enum class Call : std::uint8_t { kGet, kSet, kCommit };

  explicit ThriftChannel(int fd);
  base::Status send_request();
  base::Result<Reply> parse(base::BytesView frame);
  Reply take_reply();

  const int fd_;
  const std::shared_ptr<Buffer> out_;
  const std::shared_ptr<Buffer> in_;
  api::TransactionalKVClient api_;
  Call call_ = Call::kGet;  ///< The one under way.
  base::Bytes request_;     ///< With its length in front.
  std::size_t sent_ = 0;
  base::Bytes received_;
};

}  // namespace synod::client
