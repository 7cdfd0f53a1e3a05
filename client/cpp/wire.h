// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "TransactionalKV.h"
#include "base/random.h"
#include "client/cpp/connection.h"
#include "client/cpp/types.h"

namespace synod::client {

/// What a Client and its transactions share: the endpoints, the one connection that is open, the
/// identity for exactly-once commits. Internal to client/cpp.
///
/// Threads: externally synchronized.
class Wire {
 public:
  using Api = api::TransactionalKVClient;

  Wire(std::vector<Endpoint> endpoints, ClientOptions options);

  /// Opens a connection to the first endpoint that answers, unless one is usable.
  base::Status ensure_connected();

  /// A call that may safely run twice: on a lost connection it is sent once more.
  template <class Body>
  base::Status read(Body&& body) {
    base::Status status = once(body);
    if (status.code() == base::StatusCode::kClosed) status = once(body);
    return status;
  }

  /// A call that may not: whatever is lost after sending began is kOutcomeUnknown.
  template <class Body>
  base::Status write(Body&& body) {
    SYNOD_RETURN_IF_ERROR(ensure_connected());
    base::Status status = connection_->call(body);
    switch (status.code()) {
      case base::StatusCode::kClosed:
      case base::StatusCode::kTimeout:
      case base::StatusCode::kCorruption:
      case base::StatusCode::kInternal:
        return {base::StatusCode::kOutcomeUnknown, status.message()};
      default:
        return status;
    }
  }

  /// Fills the options every request carries.
  template <class Request>
  void add_options(Request& request) const {
    api::RequestOptions options;
    options.__set_deadline_ms(options_.call_timeout.count());
    if (!options_.auth_token.empty()) options.__set_auth_token(options_.auth_token);
    if (!options_.read_level.empty()) options.__set_read_level(options_.read_level);
    request.__set_options(std::move(options));
  }

  [[nodiscard]] const std::string& client_id() const { return client_id_; }
  std::int64_t next_sequence() { return ++sequence_; }

 private:
  template <class Body>
  base::Status once(Body& body) {
    SYNOD_RETURN_IF_ERROR(ensure_connected());
    return connection_->call(body);
  }

  std::vector<Endpoint> endpoints_;
  ClientOptions options_;
  std::size_t next_endpoint_ = 0;
  std::unique_ptr<Connection<Api>> connection_;
  std::string client_id_;
  std::int64_t sequence_ = 0;
};

}  // namespace synod::client
