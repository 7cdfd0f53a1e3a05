// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/range_reader.h"

#include <algorithm>
#include <optional>

#include "client/cpp/reply_status.h"

namespace synod::client {
namespace {

constexpr std::string_view kUnknownNamespace = "UNKNOWN_NAMESPACE";

/// The interface has no "to the last key": this many 0xFF bytes lie behind every sensible key.
constexpr std::size_t kEndOfKeysBytes = 1024;

api::SnapshotGetRangeRequest first_request(const Wire& wire, const RangeQuery& query,
                                           std::int64_t version) {
  api::SnapshotGetRangeRequest request;
  request.__set_begin_key(query.begin);
  if (query.end.empty()) {
    request.__set_end_key(base::Bytes(kEndOfKeysBytes, '\xff'));
    request.__set_end_or_equal(true);
  } else {
    request.__set_end_key(query.end);
  }
  request.__set_read_version(version);
  if (!query.ns.empty()) request.__set_column_family(query.ns);
  wire.add_options(request);
  return request;
}

}  // namespace

base::Result<RangeRows> read_range_at(Wire& wire, const RangeQuery& query, std::int64_t version) {
  RangeRows result;
  auto request = first_request(wire, query, version);
  for (;;) {
    const std::size_t wanted = query.limit == 0 ? 0 : query.limit - result.rows.size();
    request.__set_limit(static_cast<std::int32_t>(std::min<std::size_t>(wanted, INT32_MAX)));
    api::SnapshotGetRangeResponse reply;
    SYNOD_RETURN_IF_ERROR(wire.read([&](Wire::Api& api) { api.snapshotGetRange(reply, request); }));
    if (reply.error_code == kUnknownNamespace) return result;
    SYNOD_RETURN_IF_ERROR(status_of(reply, reply.success));
    for (auto& pair : reply.key_values) {
      result.rows.push_back({std::move(pair.key), std::move(pair.value)});
    }
    result.complete = !reply.has_more;
    if (result.complete || (query.limit != 0 && result.rows.size() >= query.limit)) return result;
    if (reply.key_values.empty()) {
      return base::Status(base::StatusCode::kCorruption, "a range reply promised rows, had none");
    }
    request.__set_begin_key(result.rows.back().key);
    request.__set_begin_or_equal(false);
  }
}

base::Result<std::optional<base::Bytes>> read_key_at(Wire& wire, base::BytesView key,
                                                     std::int64_t version, std::string_view ns) {
  api::SnapshotGetRequest request;
  request.__set_key(base::Bytes(key));
  request.__set_read_version(version);
  if (!ns.empty()) request.__set_column_family(std::string(ns));
  wire.add_options(request);
  api::SnapshotGetResponse reply;
  SYNOD_RETURN_IF_ERROR(wire.read([&](Wire::Api& api) { api.snapshotGet(reply, request); }));
  if (reply.error_code == kUnknownNamespace) return std::optional<base::Bytes>();
  SYNOD_RETURN_IF_ERROR(status_of(reply, true));
  if (!reply.found) return std::optional<base::Bytes>();
  return std::optional<base::Bytes>(std::move(reply.value));
}

}  // namespace synod::client
