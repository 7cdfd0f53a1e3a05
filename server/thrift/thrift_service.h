// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrift/protocol/TProtocol.h>
#include <thrift/protocol/TProtocolException.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "base/function.h"
#include "server/thrift/message_scanner.h"

namespace synod::server {

/// What a call may overtake on its own connection. Replies always keep the order of the calls.
enum class CallOrder : std::uint8_t {
  kWrite,     ///< Begins after every earlier read has ended; writes follow each other in order.
  kRead,      ///< Begins after every earlier write has ended.
  kBulkRead,  ///< A read with a reply so large that the connection waits for it.
  kFree,      ///< Begins after every earlier call has begun.
};

/// The body of one reply. Borrowed: valid inside the call it is passed to.
class ReplyBody {
 public:
  virtual ~ReplyBody() = default;
  virtual void write(apache::thrift::protocol::TProtocol& out) const = 0;
  /// Of the error it tells, for counting; empty if it tells none.
  [[nodiscard]] virtual std::string_view code() const = 0;
  /// A copy that owns everything, for a reply that must change threads.
  [[nodiscard]] virtual std::unique_ptr<ReplyBody> clone() const = 0;
};

/// Called exactly once, on any thread, perhaps before the call that got it returns.
using ReplyDone = base::Function<void(const ReplyBody&)>;
/// A call that is decoded and not begun.
using PreparedCall = base::Function<void(ReplyDone)>;

struct ThriftMethod {
  std::uint32_t number = 0;  ///< Of its table, from 0 on.
  std::string name;
  CallOrder order = CallOrder::kFree;
  /// Reads the arguments; throws TException if they are none.
  std::function<PreparedCall(apache::thrift::protocol::TProtocol& in, const WireFormat& format)>
      decode;
};

/// The methods a session can call.
class ThriftService {
 public:
  virtual ~ThriftService() = default;
  /// nullptr: unknown. The pointer lives as long as the service. Thread-safe.
  [[nodiscard]] virtual const ThriftMethod* find(const std::string& method) const = 0;
};

/// A generated response struct as the body of a reply.
template <class Response>
class StructReply final : public ReplyBody {
 public:
  explicit StructReply(const Response& response) : response_(&response) {}
  explicit StructReply(std::unique_ptr<const Response> response)
      : owned_(std::move(response)), response_(owned_.get()) {}

  void write(apache::thrift::protocol::TProtocol& out) const override {
    using apache::thrift::protocol::TType;
    out.writeStructBegin("result");
    out.writeFieldBegin("success", TType::T_STRUCT, 0);
    response_->write(&out);
    out.writeFieldEnd();
    out.writeFieldStop();
    out.writeStructEnd();
  }
  [[nodiscard]] std::string_view code() const override {
    if constexpr (requires { response_->__isset.error_code; }) {
      if (response_->__isset.error_code) return response_->error_code;
    }
    if constexpr (requires { response_->__isset.error; }) {
      if (response_->__isset.error) return "ERROR";
    }
    return {};
  }
  [[nodiscard]] std::unique_ptr<ReplyBody> clone() const override {
    return std::make_unique<StructReply>(std::make_unique<const Response>(*response_));
  }

 private:
  const std::unique_ptr<const Response> owned_;
  const Response* const response_;
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

/// A service from the methods of a generated asynchronous interface (`XCobSvIf`):
///
///   table.add("ping", CallOrder::kFree, &api::XCobSvIf::ping, unframed, framed);
///
/// Two implementations, as what is sensible for a framed client may differ; often the same.
class MethodTable final : public ThriftService {
 public:
  template <class Interface, class Request, class Response>
  void add(std::string name, CallOrder order,
           void (Interface::*method)(std::function<void(const Response&)>, const Request&),
           const std::shared_ptr<Interface>& unframed, const std::shared_ptr<Interface>& framed) {
    auto decode = [method, unframed, framed](apache::thrift::protocol::TProtocol& in,
                                             const WireFormat& format) -> PreparedCall {
      auto request = std::make_unique<Request>();
      read_argument(in, *request);
      Interface* const target = format.framed ? framed.get() : unframed.get();
      return [target, method, request = std::move(request)](ReplyDone done) {
        auto shared = std::make_shared<ReplyDone>(std::move(done));
        (target->*method)(
            [shared](const Response& response) { (*shared)(StructReply<Response>(response)); },
            *request);
      };
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
