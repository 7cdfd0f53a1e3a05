// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thrift/protocol/TProtocol.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace synod::server {

class ThriftCall;

/// The body of one reply. Borrowed: valid inside the call it is passed to.
class ReplyBody {
 public:
  virtual ~ReplyBody() = default;
  virtual void write(apache::thrift::protocol::TProtocol& out) const = 0;
  /// Of the error it tells, for counting; empty if it tells none.
  [[nodiscard]] virtual std::string_view code() const = 0;
};

/// Where replies go. Threads: any.
class ReplyRoute {
 public:
  virtual ~ReplyRoute() = default;
  /// The call has ended with `body`, a body of its own type.
  virtual void deliver(std::unique_ptr<ThriftCall> call, const ReplyBody& body) = 0;
};

/// One call from its decoded arguments to its reply, in one piece of memory.
///
/// Owned by the session until it begins, then by whoever answers it, who hands it back to its
/// route together with the reply.
class ThriftCall {
 public:
  virtual ~ThriftCall() = default;

  /// `route` hears of its end once, on any thread, perhaps before this returns; never if it is
  /// dropped. `number` is the route's own business.
  static void begin(std::unique_ptr<ThriftCall> call, std::shared_ptr<ReplyRoute> route,
                    std::uint64_t number) {
    ThriftCall& self = *call;
    self.route_ = std::move(route);
    self.number_ = number;
    self.run(std::move(call));
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }

  /// A copy of `body`, for a reply that must change threads.
  virtual void keep(const ReplyBody& body) = 0;
  /// REQUIRES: keep was called. Valid as long as the call.
  [[nodiscard]] virtual const ReplyBody& kept() const = 0;

  /// The next one of the list it waits in, whatever that is.
  std::unique_ptr<ThriftCall> next;

 protected:
  virtual void run(std::unique_ptr<ThriftCall> self) = 0;
  [[nodiscard]] std::shared_ptr<ReplyRoute> take_route() { return std::move(route_); }

 private:
  std::shared_ptr<ReplyRoute> route_;
  std::uint64_t number_ = 0;
};

/// A generated response struct as the body of a reply.
template <class Response>
class StructReply final : public ReplyBody {
 public:
  explicit StructReply(const Response& response) : response_(response) {}

  void write(apache::thrift::protocol::TProtocol& out) const override {
    using apache::thrift::protocol::TType;
    out.writeStructBegin("result");
    out.writeFieldBegin("success", TType::T_STRUCT, 0);
    response_.write(&out);
    out.writeFieldEnd();
    out.writeFieldStop();
    out.writeStructEnd();
  }
  [[nodiscard]] std::string_view code() const override {
    if constexpr (requires { response_.__isset.error_code; }) {
      if (response_.__isset.error_code) return response_.error_code;
    }
    if constexpr (requires { response_.__isset.error; }) {
      if (response_.__isset.error) return "ERROR";
    }
    return {};
  }
  [[nodiscard]] const Response& response() const { return response_; }

 private:
  const Response& response_;
};

/// A call that is answered with a `Response`.
template <class Response>
class CallFor : public ThriftCall {
 public:
  static void answer(std::unique_ptr<CallFor> call, const Response& response) {
    const auto route = call->take_route();
    route->deliver(std::move(call), StructReply<Response>(response));
  }
  void keep(const ReplyBody& body) override {
    response_.emplace(static_cast<const StructReply<Response>&>(body).response());
    kept_.emplace(*response_);
  }
  [[nodiscard]] const ReplyBody& kept() const override { return *kept_; }

 private:
  std::optional<Response> response_;
  std::optional<StructReply<Response>> kept_;
};

/// The right to answer one call, once. Dropped unused, the call is never answered.
///
/// Owns the call and with it its arguments: they are gone when the answer was given.
template <class Response>
class Reply {
 public:
  explicit Reply(std::unique_ptr<CallFor<Response>> call) : call_(std::move(call)) {}
  void operator()(const Response& response) {
    SYNOD_ASSERT(call_ != nullptr, "R1: a call is answered once");
    CallFor<Response>::answer(std::move(call_), response);
  }

 private:
  std::unique_ptr<CallFor<Response>> call_;
};

}  // namespace synod::server
