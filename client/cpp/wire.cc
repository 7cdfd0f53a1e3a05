// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/wire.h"

namespace synod::client {

Wire::Wire(std::vector<Endpoint> endpoints, ClientOptions options)
    : endpoints_(std::move(endpoints)), options_(std::move(options)), client_id_(16, '\0') {
  SYNOD_ASSERT(!endpoints_.empty(), "a client needs an endpoint");
  base::system_random(client_id_.data(), client_id_.size());
}

base::Status Wire::ensure_connected() {
  if (connection_ != nullptr && connection_->usable()) return {};
  connection_.reset();
  base::Status last;
  for (std::size_t tried = 0; tried < endpoints_.size(); ++tried) {
    const Endpoint& endpoint = endpoints_[next_endpoint_ % endpoints_.size()];
    auto opened = Connection<Api>::open_tcp(
        endpoint.host, endpoint.port,
        {.connect = options_.connect_timeout, .call = options_.call_timeout});
    if (opened.ok()) {
      connection_ = std::move(opened).value();
      return {};
    }
    last = opened.status();
    ++next_endpoint_;
  }
  return last;
}

}  // namespace synod::client
