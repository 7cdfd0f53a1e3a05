// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrift/protocol/TProtocol.h>
#include <thrift/protocol/TProtocolException.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "server/thrift/message_scanner.h"
#include "server/thrift/thrift_call.h"

namespace synod::server {

/// What a call may overtake on its own connection. Replies always keep the order of the calls.
enum class CallOrder : std::uint8_t {
  kWrite,     ///< Begins after every earlier read has ended; writes follow each other in order.
  kRead,      ///< Begins after every earlier write has ended.
  kBulkRead,  ///< A read with a reply so large that the connection waits for it.
  kFree,      ///< Begins after every earlier call has begun.
};

struct ThriftMethod {
  std::uint32_t number = 0;  ///< Of its table, from 0 on.
  std::string name;
  CallOrder order = CallOrder::kFree;
  /// Reads the arguments; throws TException if they are none.
  std::function<std::unique_ptr<ThriftCall>(apache::thrift::protocol::TProtocol& in,
                                            const WireFormat& format)>
      decode;
};

/// The methods a session can call.
class ThriftService {
 public:
  virtual ~ThriftService() = default;
  /// nullptr: unknown. The pointer lives as long as the service. Thread-safe.
  [[nodiscard]] virtual const ThriftMethod* find(const std::string& method) const = 0;
};

/// Reads the one argument every method has: field 1, a struct. Throws TProtocolException if it is
/// missing or undecodable.
template <class Request>
void read_argument(apache::thrift::protocol::TProtocol& in, Request& request) {
  using apache::thrift::protocol::TProtocolException;
  using apache::thrift::protocol::TType;
  bool seen = false;
  std::string name;
  in.readStructBegin(name);
  while (true) {
    TType type{};
    std::int16_t id = 0;
    in.readFieldBegin(name, type, id);
    if (type == TType::T_STOP) break;
    if (id == 1 && type == TType::T_STRUCT) {
      request.read(&in);
      seen = true;
    } else {
      in.skip(type);
    }
    in.readFieldEnd();
  }
  in.readStructEnd();
  in.readMessageEnd();
  if (!seen) throw TProtocolException(TProtocolException::INVALID_DATA, "the request is missing");
}

/// A call of one method of a handler.
template <class Handler, class Request, class Response>
class MethodCall final : public CallFor<Response> {
 public:
  using Method = void (Handler::*)(Reply<Response>, Request&);
  MethodCall(Handler& handler, Method method) : handler_(handler), method_(method) {}
  [[nodiscard]] Request& request() { return request_; }

 private:
  void run(std::unique_ptr<ThriftCall> self) override {
    (void)self.release();
    Reply<Response> reply{std::unique_ptr<CallFor<Response>>(this)};
    (handler_.*method_)(std::move(reply), request_);
  }

  Handler& handler_;
  const Method method_;
  Request request_;
};

/// A service from the methods of a handler, which answer now or later and may take what they need
/// out of their request:
///
///   void ping(Reply<PingResponse> reply, PingRequest& request);
///   table.add("ping", CallOrder::kFree, &Handler::ping, unframed, framed);
///
/// Two handlers, as what is sensible for a framed client may differ; often the same.
class MethodTable final : public ThriftService {
 public:
  template <class Handler, class Request, class Response>
  void add(std::string name, CallOrder order, void (Handler::*method)(Reply<Response>, Request&),
           const std::shared_ptr<Handler>& unframed, const std::shared_ptr<Handler>& framed) {
    auto decode = [method, unframed, framed](
                      apache::thrift::protocol::TProtocol& in,
                      const WireFormat& format) -> std::unique_ptr<ThriftCall> {
      auto call = std::make_unique<MethodCall<Handler, Request, Response>>(
          format.framed ? *framed : *unframed, method);
      read_argument(in, call->request());
      return call;
    };
    ThriftMethod entry{static_cast<std::uint32_t>(methods_.size()), name, order, std::move(decode)};
    const bool added = methods_.try_emplace(std::move(name), std::move(entry)).second;
    SYNOD_ASSERT(added, "a method is in the table once");
  }

  [[nodiscard]] const ThriftMethod* find(const std::string& method) const override {
    const auto found = methods_.find(method);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  std::unordered_map<std::string, ThriftMethod> methods_;
};

}  // namespace synod::server
