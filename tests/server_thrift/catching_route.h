// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "server/thrift/thrift_call.h"

namespace synod::server {

/// Receives what a handler answers when no session stands in between.
template <class Response>
class CatchingRoute final : public ReplyRoute,
                            public std::enable_shared_from_this<CatchingRoute<Response>> {
 public:
  /// The right to answer here.
  Reply<Response> expect() {
    auto call = std::make_unique<Call>();
    Call* const expected = call.get();
    ThriftCall::begin(std::move(call), this->shared_from_this(), 0);
    return Reply<Response>(std::unique_ptr<CallFor<Response>>(expected));
  }
  void deliver(std::unique_ptr<ThriftCall> /*call*/, const ReplyBody& body) override {
    last = static_cast<const StructReply<Response>&>(body).response();
    ++replies;
  }

  Response last;
  int replies = 0;

 private:
  /// Begins by doing nothing; `expect` keeps it.
  class Call final : public CallFor<Response> {
    void run(std::unique_ptr<ThriftCall> self) override { (void)self.release(); }
  };
};

}  // namespace synod::server
