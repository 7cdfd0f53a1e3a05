// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/client.h"

#include "client/cpp/range_reader.h"
#include "client/cpp/reply_status.h"
#include "client/cpp/transaction_state.h"
#include "client/cpp/wire.h"

namespace synod::client {

base::Result<Client> Client::connect(const std::string& host, std::uint16_t port,
                                     ClientOptions options) {
  return connect(std::vector<Endpoint>{{host, port}}, std::move(options));
}

base::Result<Client> Client::connect(std::vector<Endpoint> endpoints, ClientOptions options) {
  if (endpoints.empty()) {
    return base::Status(base::StatusCode::kInvalidArgument, "no endpoint given");
  }
  auto wire = std::make_unique<Wire>(std::move(endpoints), std::move(options));
  SYNOD_RETURN_IF_ERROR(wire->ensure_connected());
  return Client(std::move(wire));
}

Client::Client(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

base::Result<std::optional<base::Bytes>> Client::get(base::BytesView key, std::string_view ns) {
  api::GetRequest request;
  request.__set_key(base::Bytes(key));
  if (!ns.empty()) request.__set_column_family(std::string(ns));
  wire_->add_options(request);
  api::GetResponse reply;
  SYNOD_RETURN_IF_ERROR(wire_->read([&](Wire::Api& api) { api.get(reply, request); }));
  SYNOD_RETURN_IF_ERROR(status_of(reply, true));
  if (!reply.found) return std::optional<base::Bytes>();
  return std::optional<base::Bytes>(std::move(reply.value));
}

base::Result<std::int64_t> Client::set(base::BytesView key, base::BytesView value, base::Millis ttl,
                                       std::string_view ns) {
  api::SetRequest request;
  request.__set_key(base::Bytes(key));
  request.__set_value(base::Bytes(value));
  if (ttl.count() > 0) request.__set_ttl_ms(ttl.count());
  if (!ns.empty()) request.__set_column_family(std::string(ns));
  wire_->add_options(request);
  api::SetResponse reply;
  SYNOD_RETURN_IF_ERROR(wire_->write([&](Wire::Api& api) { api.setKey(reply, request); }));
  SYNOD_RETURN_IF_ERROR(status_of(reply, reply.success));
  return reply.committed_version;
}

base::Result<std::int64_t> Client::remove(base::BytesView key, std::string_view ns) {
  api::DeleteRequest request;
  request.__set_key(base::Bytes(key));
  if (!ns.empty()) request.__set_column_family(std::string(ns));
  wire_->add_options(request);
  api::DeleteResponse reply;
  SYNOD_RETURN_IF_ERROR(wire_->write([&](Wire::Api& api) { api.deleteKey(reply, request); }));
  SYNOD_RETURN_IF_ERROR(status_of(reply, reply.success));
  return reply.committed_version;
}

base::Result<std::vector<Row>> Client::range(const RangeQuery& query) {
  // Several replies may be needed, and only a version makes them one picture.
  SYNOD_ASSIGN_OR_RETURN(const std::int64_t version, read_version());
  return range_at(query, version);
}

base::Result<std::int64_t> Client::read_version() {
  api::GetReadVersionRequest request;
  wire_->add_options(request);
  api::GetReadVersionResponse reply;
  SYNOD_RETURN_IF_ERROR(wire_->read([&](Wire::Api& api) { api.getReadVersion(reply, request); }));
  SYNOD_RETURN_IF_ERROR(status_of(reply, reply.success));
  return reply.read_version;
}

base::Result<std::optional<base::Bytes>> Client::get_at(base::BytesView key, std::int64_t version,
                                                        std::string_view ns) {
  return read_key_at(*wire_, key, version, ns);
}

base::Result<std::vector<Row>> Client::range_at(const RangeQuery& query, std::int64_t version) {
  SYNOD_ASSIGN_OR_RETURN(RangeRows found, read_range_at(*wire_, query, version));
  return std::move(found.rows);
}

base::Result<Transaction> Client::begin() {
  SYNOD_ASSIGN_OR_RETURN(const std::int64_t version, read_version());
  return Transaction(std::make_unique<Transaction::State>(*wire_, version));
}

base::Result<base::Bytes> Client::ping(base::BytesView message) {
  api::PingRequest request;
  request.__set_message(base::Bytes(message));
  wire_->add_options(request);
  api::PingResponse reply;
  SYNOD_RETURN_IF_ERROR(wire_->read([&](Wire::Api& api) { api.ping(reply, request); }));
  return std::move(reply.message);
}

}  // namespace synod::client
