// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/transaction.h"

#include <algorithm>

#include "client/cpp/range_reader.h"
#include "client/cpp/transaction_state.h"

namespace synod::client {
namespace {

/// "" and "default" are one namespace and must be one key of the overlay.
std::string normal_ns(std::string_view ns) {
  return ns == "default" ? std::string() : std::string(ns);
}

api::Operation operation(std::string_view type, base::BytesView key, const std::string& ns) {
  api::Operation made;
  made.__set_type(std::string(type));
  made.__set_key(base::Bytes(key));
  if (!ns.empty()) made.__set_column_family(ns);
  return made;
}

}  // namespace

Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction& Transaction::operator=(Transaction&&) noexcept = default;
Transaction::~Transaction() = default;

std::int64_t Transaction::read_version() const { return state_->request.read_version; }

base::Result<std::optional<base::Bytes>> Transaction::get(base::BytesView key,
                                                          std::string_view ns) {
  const WriteOverlay::Key name(normal_ns(ns), base::Bytes(key));
  if (state_->overlay.decides(name)) return state_->overlay.view(name, std::nullopt);
  SYNOD_ASSIGN_OR_RETURN(const auto stored,
                         read_key_at(state_->wire, key, read_version(), name.first));
  state_->keys_read.insert(name);  // X2
  return state_->overlay.view(name, stored);
}

base::Result<std::vector<Row>> Transaction::get_range(const RangeQuery& query) {
  const std::string ns = normal_ns(query.ns);
  if (state_->overlay.has_stamped_keys(ns)) {
    return base::Status(base::StatusCode::kUnsupported,
                        "stamped keys have no place in a range before the commit");
  }
  const auto written = state_->overlay.written_keys(ns, query.begin, query.end);
  RangeQuery stored_query = query;
  stored_query.ns = ns;
  // Own writes can hide at most that many stored rows; cleared ranges can hide more, so then all
  // of them are fetched.
  const bool cuts = query.limit != 0 && !state_->overlay.has_clears(ns);
  stored_query.limit = cuts ? query.limit + static_cast<std::uint32_t>(written.size()) : 0;
  SYNOD_ASSIGN_OR_RETURN(RangeRows stored,
                         read_range_at(state_->wire, stored_query, read_version()));

  std::vector<Row> rows;
  auto next_written = written.begin();
  auto next_stored = stored.rows.begin();
  const auto full = [&] { return query.limit != 0 && rows.size() >= query.limit; };
  while (!full() && (next_written != written.end() || next_stored != stored.rows.end())) {
    const bool own = next_stored == stored.rows.end() ||
                     (next_written != written.end() && *next_written <= next_stored->key);
    const base::Bytes key = own ? *next_written : next_stored->key;
    std::optional<base::Bytes> value;
    if (next_stored != stored.rows.end() && next_stored->key == key) {
      value = std::move(next_stored->value);
      ++next_stored;
    }
    if (own) ++next_written;
    SYNOD_ASSIGN_OR_RETURN(auto seen, state_->overlay.view({ns, key}, value));
    if (seen.has_value()) rows.push_back({key, std::move(*seen)});
  }
  base::Bytes looked_until = query.end;
  if (full()) looked_until = rows.back().key + '\0';
  state_->ranges_read.emplace(ns, query.begin, std::move(looked_until));  // X2
  return rows;
}

void Transaction::set(base::BytesView key, base::BytesView value, base::Millis ttl,
                      std::string_view ns) {
  const std::string name = normal_ns(ns);
  auto step = operation("set", key, name);
  step.__set_value(base::Bytes(value));
  if (ttl.count() > 0) step.__set_ttl_ms(ttl.count());
  state_->request.operations.push_back(std::move(step));
  state_->overlay.set({name, base::Bytes(key)}, base::Bytes(value));
}

void Transaction::remove(base::BytesView key, std::string_view ns) {
  const std::string name = normal_ns(ns);
  state_->request.operations.push_back(operation("delete", key, name));
  state_->overlay.remove({name, base::Bytes(key)});
}

void Transaction::increment(base::BytesView key, std::int64_t delta, std::string_view ns) {
  const std::string name = normal_ns(ns);
  auto step = operation("INCREMENT", key, name);
  step.__set_value(std::to_string(delta));
  state_->request.operations.push_back(std::move(step));
  state_->overlay.change({name, base::Bytes(key)}, WriteOverlay::Add{delta});
}

void Transaction::append(base::BytesView key, base::BytesView suffix, std::string_view ns) {
  const std::string name = normal_ns(ns);
  auto step = operation("APPEND", key, name);
  step.__set_value(base::Bytes(suffix));
  state_->request.operations.push_back(std::move(step));
  state_->overlay.change({name, base::Bytes(key)}, WriteOverlay::Append{base::Bytes(suffix)});
}

void Transaction::clear_range(base::BytesView begin, base::BytesView end, std::string_view ns) {
  const std::string name = normal_ns(ns);
  auto step = operation("CLEAR_RANGE", begin, name);
  if (!end.empty()) step.__set_end_key(base::Bytes(end));
  state_->request.operations.push_back(std::move(step));
  state_->overlay.clear(name, base::Bytes(begin), base::Bytes(end));
}

void Transaction::expire(base::BytesView key, base::Millis ttl, std::string_view ns) {
  auto step = operation("EXPIRE", key, normal_ns(ns));
  step.__set_ttl_ms(ttl.count());
  state_->request.operations.push_back(std::move(step));
}

void Transaction::persist(base::BytesView key, std::string_view ns) {
  state_->request.operations.push_back(operation("PERSIST", key, normal_ns(ns)));
}

void Transaction::check_version(base::BytesView key, std::int64_t version, std::string_view ns) {
  auto step = operation("CHECK_VERSION", key, normal_ns(ns));
  step.__set_expected_version(version);
  state_->request.operations.push_back(std::move(step));
}

void Transaction::set_versionstamped_key(base::BytesView buffer, base::BytesView value,
                                         std::string_view ns) {
  const std::string name = normal_ns(ns);
  auto step = operation("SET_VERSIONSTAMPED_KEY", buffer, name);
  step.__set_value(base::Bytes(value));
  state_->request.operations.push_back(std::move(step));
  state_->overlay.note_stamped_key(name);
}

void Transaction::set_versionstamped_value(base::BytesView key, base::BytesView buffer,
                                           std::string_view ns) {
  const std::string name = normal_ns(ns);
  auto step = operation("SET_VERSIONSTAMPED_VALUE", key, name);
  step.__set_value(base::Bytes(buffer));
  state_->request.operations.push_back(std::move(step));
  state_->overlay.remove({name, base::Bytes(key)});
  state_->overlay.change({name, base::Bytes(key)}, WriteOverlay::Stamped{});
}

void Transaction::add_read_conflict(base::BytesView key, std::string_view ns) {
  state_->keys_read.emplace(normal_ns(ns), base::Bytes(key));
}

CommitOutcome Transaction::commit() {
  SYNOD_ASSERT(!state_->sent, "commit() runs at most once; commit_again() repeats it");
  if (state_->request.operations.empty()) {
    // All reads saw the state at one version: that is a serial place of its own.
    CommitOutcome read_only;
    read_only.state = CommitState::kCommitted;
    read_only.version = read_version();
    return read_only;
  }
  std::vector<api::ReadConflictKey> keys;
  for (const auto& [ns, key] : state_->keys_read) {
    auto& added = keys.emplace_back();
    added.__set_key(key);
    // Absent would be taken for the default namespace as well; said outright it needs no rule.
    added.__set_column_family(ns.empty() ? "default" : ns);
  }
  std::vector<api::ReadConflictRange> ranges;
  for (const auto& [ns, begin, end] : state_->ranges_read) {
    auto& added = ranges.emplace_back();
    added.__set_begin_key(begin);
    added.__set_end_key(end);
    added.__set_column_family(ns.empty() ? "default" : ns);
  }
  if (!keys.empty()) state_->request.__set_read_conflicts(keys);
  if (!ranges.empty()) state_->request.__set_read_conflict_ranges(ranges);
  state_->request.__set_client_id(state_->wire.client_id());
  state_->request.__set_sequence(state_->wire.next_sequence());
  state_->wire.add_options(state_->request);
  state_->sent = true;
  return send();
}

CommitOutcome Transaction::commit_again() {
  SYNOD_ASSERT(state_->sent, "commit_again() follows commit()");
  return send();
}

CommitOutcome Transaction::send() {
  api::AtomicCommitResponse reply;
  const base::Status status =
      state_->wire.write([&](Wire::Api& api) { api.atomicCommit(reply, state_->request); });
  CommitOutcome outcome;
  if (!status.ok()) {
    const bool unknown = status.code() == base::StatusCode::kOutcomeUnknown;
    outcome.state = unknown ? CommitState::kUnknown : CommitState::kRefused;
    outcome.code = unknown                                           ? "OUTCOME_UNKNOWN"
                   : status.code() == base::StatusCode::kUnsupported ? "INVALID_OPERATION"
                                                                     : "BUSY";
    outcome.message = status.message();
    return outcome;
  }
  outcome.code = std::move(reply.error_code);
  outcome.detail = std::move(reply.detail_code);
  outcome.message = std::move(reply.error);
  outcome.retry_after = base::Millis(reply.retry_after_ms);
  if (reply.success) {
    outcome.state = CommitState::kCommitted;
    outcome.version = reply.committed_version;
    for (auto& result : reply.results) {
      outcome.results.push_back({result.existed, result.number, std::move(result.generated)});
    }
  } else if (outcome.code == "CONFLICT") {
    outcome.state = CommitState::kConflict;
  } else if (outcome.code == "OUTCOME_UNKNOWN" || outcome.code == "OUTCOME_FORGOTTEN") {
    outcome.state = CommitState::kUnknown;
  } else {
    outcome.state = CommitState::kRefused;
  }
  return outcome;
}

}  // namespace synod::client
