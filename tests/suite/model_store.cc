// SPDX-License-Identifier: Apache-2.0
#include "tests/suite/model_store.h"

#include <algorithm>
#include <charconv>

namespace synod::suite {
namespace {

constexpr std::size_t kStampBytes = 10;
constexpr std::int32_t kStampOnlyZeroTail = 1;
constexpr std::int32_t kKeepExpiry = 2;

bool zero_tail(const base::Bytes& buffer) {
  return buffer.size() >= kStampBytes &&
         buffer.find_first_not_of('\0', buffer.size() - kStampBytes) == base::Bytes::npos;
}

std::optional<std::int64_t> number_of(const base::Bytes& text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string namespace_of(bool set, const std::string& column_family) {
  return !set || column_family == "default" ? std::string() : column_family;
}

base::Bytes stamped(base::Bytes buffer, std::int64_t version, std::uint16_t order) {
  char* tail = buffer.data() + buffer.size() - kStampBytes;
  base::store_be64(tail, static_cast<std::uint64_t>(version));
  base::store_be16(tail + 8, order);
  return buffer;
}

base::Bytes shifted_key(base::Bytes key, std::int64_t offset) {
  // Beyond this nobody asks what the result is, only that there is one.
  constexpr std::int64_t kOffsetMax = 100'000;
  offset = std::clamp(offset, -kOffsetMax, kOffsetMax);
  for (; offset > 0; --offset) {
    const std::size_t last = key.find_last_not_of('\xff');
    if (key.empty()) {
      key.assign(1, '\x01');
    } else if (last == base::Bytes::npos) {
      key.push_back('\0');
    } else {
      ++key[last];
      for (std::size_t i = last + 1; i < key.size(); ++i) key[i] = '\0';
    }
  }
  for (; offset < 0 && !key.empty(); ++offset) {
    const std::size_t last = key.find_last_not_of('\0');
    if (last == base::Bytes::npos) {
      key.clear();
    } else {
      --key[last];
      for (std::size_t i = last + 1; i < key.size(); ++i) key[i] = '\xff';
    }
  }
  return key;
}

std::int64_t ModelStore::version() const {
  const std::lock_guard lock(mutex_);
  return version_ == 0 ? 1 : version_;
}

bool ModelStore::knows_namespace(const std::string& ns) const {
  const std::lock_guard lock(mutex_);
  return ns.empty() || tables_.contains(ns);
}

std::int64_t ModelStore::keys() const {
  const std::lock_guard lock(mutex_);
  std::int64_t count = 0;
  for (const auto& [ns, table] : tables_) {
    for (const auto& [key, history] : table) count += alive(history.back()) ? 1 : 0;
  }
  return count;
}

bool ModelStore::alive(const Cell& cell) const {
  return cell.value.has_value() && (cell.expiry_ms == 0 || cell.expiry_ms > now_ms_());
}

const ModelStore::Cell* ModelStore::cell(const std::string& ns, const base::Bytes& key,
                                         std::int64_t at) const {
  const auto table = tables_.find(ns);
  if (table == tables_.end()) return nullptr;
  const auto found = table->second.find(key);
  if (found == table->second.end()) return nullptr;
  if (at <= 0) at = version_;
  for (auto it = found->second.rbegin(); it != found->second.rend(); ++it) {
    if (it->version <= at) return alive(*it) ? &*it : nullptr;
  }
  return nullptr;
}

std::optional<base::Bytes> ModelStore::get(const std::string& ns, const base::Bytes& key,
                                           std::int64_t at) const {
  const std::lock_guard lock(mutex_);
  const Cell* found = cell(ns, key, at);
  return found == nullptr ? std::nullopt : found->value;
}

std::pair<std::vector<api::KeyValue>, bool> ModelStore::range(const Range& range,
                                                              std::int64_t at) const {
  const std::lock_guard lock(mutex_);
  std::vector<api::KeyValue> rows;
  const auto table = tables_.find(range.ns);
  if (table == tables_.end()) return {rows, false};
  std::size_t skip = range.skip;
  for (auto it = table->second.lower_bound(range.begin); it != table->second.end(); ++it) {
    if (!range.begin_inclusive && it->first == range.begin) continue;
    if (range.end.has_value() &&
        (it->first > *range.end || (it->first == *range.end && !range.end_inclusive))) {
      break;
    }
    const Cell* found = cell(range.ns, it->first, at);
    if (found == nullptr) continue;
    if (skip > 0) {
      --skip;
      continue;
    }
    if (range.limit != 0 && rows.size() == range.limit) return {rows, true};
    auto& row = rows.emplace_back();
    row.__set_key(it->first);
    row.__set_value(*found->value);
  }
  return {rows, false};
}

bool ModelStore::changed(const std::string& ns, const base::Bytes& begin,
                         const std::optional<base::Bytes>& end, std::int64_t since) const {
  const auto table = tables_.find(ns);
  if (table == tables_.end()) return false;
  for (auto it = table->second.lower_bound(begin); it != table->second.end(); ++it) {
    if (end.has_value() && it->first >= *end) break;
    if (it->second.back().version > since) return true;
  }
  return false;
}

std::optional<ModelStore::Failure> ModelStore::conflict(
    const api::AtomicCommitRequest& request) const {
  const bool reads = !request.read_conflict_keys.empty() || !request.read_conflicts.empty() ||
                     !request.read_conflict_ranges.empty();
  const std::int64_t since = request.read_version;
  // Version 1 is what an empty store hands out as its read version.
  const bool out_of_reach = since <= 0 || since > std::max<std::int64_t>(version_, 1);
  if (out_of_reach && (reads || request.__isset.client_id)) {
    return Failure{"CONFLICT", "Transaction conflict", "FUTURE"};
  }
  const Failure read{"CONFLICT", "Transaction conflict", "READ"};
  for (const auto& key : request.read_conflict_keys) {
    for (const auto& [ns, table] : tables_) {
      if (changed(ns, key, key + '\0', since)) return read;
    }
  }
  for (const auto& key : request.read_conflicts) {
    const std::string ns = namespace_of(key.__isset.column_family, key.column_family);
    if (changed(ns, key.key, key.key + '\0', since)) return read;
  }
  for (const auto& range : request.read_conflict_ranges) {
    const std::string ns = namespace_of(range.__isset.column_family, range.column_family);
    const auto end = range.end_key.empty() ? std::nullopt : std::optional(range.end_key);
    if (changed(ns, range.begin_key, end, since)) return read;
  }
  return std::nullopt;
}

std::optional<ModelStore::Failure> ModelStore::check_shape(const api::Operation& step) const {
  const auto invalid = [](std::string text) {
    return Failure{"INVALID_OPERATION", std::move(text), ""};
  };
  const std::string& type = step.type;
  const bool stamps_key = type == "SET_VERSIONSTAMPED_KEY";
  const bool stamps_value = type == "SET_VERSIONSTAMPED_VALUE";
  if (type == "set" && !step.__isset.value) return invalid("Set operation missing value");
  if (stamps_key && !step.__isset.value) {
    return invalid("Versionstamped key operation missing value");
  }
  if (stamps_value && !step.__isset.value) {
    return invalid("Versionstamped value operation missing value prefix");
  }
  const bool verbatim = (step.flags & kStampOnlyZeroTail) != 0;
  if ((stamps_key || stamps_value) && !verbatim &&
      (stamps_key ? step.key : step.value).size() < kStampBytes) {
    return invalid(std::string("Versionstamped ") + (stamps_key ? "key" : "value") +
                   " error: Buffer must be at least 10 bytes for versionstamp");
  }
  if ((type == "INCREMENT" || type == "APPEND") && !step.__isset.value) {
    return invalid(type + " operation missing value");
  }
  if (type == "INCREMENT" && !number_of(step.value)) return invalid("value is no number");
  if (type == "CHECK_VERSION" && !step.__isset.expected_version) {
    return invalid("CHECK_VERSION operation missing expected_version");
  }
  if (type == "EXPIRE" && step.ttl_ms <= 0) return invalid("EXPIRE operation needs ttl_ms > 0");
  if ((step.flags & ~(kStampOnlyZeroTail | kKeepExpiry)) != 0) return invalid("unknown flags");
  for (const char* known :
       {"set", "delete", "SET_VERSIONSTAMPED_KEY", "SET_VERSIONSTAMPED_VALUE", "CHECK_VERSION",
        "INCREMENT", "APPEND", "EXPIRE", "PERSIST", "CLEAR_RANGE"}) {
    if (type == known) return std::nullopt;
  }
  return invalid("Unknown operation type: " + base::escape(type));
}

std::optional<base::Bytes> ModelStore::value_now(const Key& key, const Pending& pending) const {
  const auto written = pending.find(key);
  if (written != pending.end()) return written->second.value;
  const Cell* found = cell(key.first, key.second, 0);
  return found == nullptr ? std::nullopt : found->value;
}

std::int64_t ModelStore::expiry_now(const Key& key, const Pending& pending) const {
  const auto written = pending.find(key);
  if (written != pending.end()) return written->second.expiry_ms;
  const Cell* found = cell(key.first, key.second, 0);
  return found == nullptr ? 0 : found->expiry_ms;
}

void ModelStore::clear(const Key& begin, const base::Bytes& end, Pending& pending,
                       api::OperationResult& result) const {
  std::vector<Key> keys;
  const auto inside = [&](const Key& key) {
    return key.first == begin.first && key.second >= begin.second &&
           (end.empty() || key.second < end);
  };
  for (const auto& [key, cell] : pending) {
    if (inside(key)) keys.push_back(key);
  }
  const auto table = tables_.find(begin.first);
  if (table != tables_.end()) {
    for (const auto& [bytes, history] : table->second) {
      const Key key(begin.first, bytes);
      if (inside(key) && !pending.contains(key)) keys.push_back(key);
    }
  }
  for (const Key& key : keys) {
    if (!value_now(key, pending).has_value()) continue;
    pending[key] = Cell{};
    result.__set_number(result.number + 1);
    result.existed = true;
  }
}

std::optional<ModelStore::Failure> ModelStore::run_step(const api::Operation& step,
                                                        std::int64_t version, std::uint16_t& order,
                                                        Pending& pending,
                                                        api::OperationResult& result) const {
  Key key(namespace_of(step.__isset.column_family, step.column_family), step.key);
  const auto before = value_now(key, pending);
  result.existed = before.has_value();
  const std::int64_t old_expiry = expiry_now(key, pending);
  const std::int64_t new_expiry = step.ttl_ms > 0 ? now_ms_() + step.ttl_ms : 0;
  const bool stamps_key = step.type == "SET_VERSIONSTAMPED_KEY";
  const bool stamps_value = step.type == "SET_VERSIONSTAMPED_VALUE";
  if (stamps_key || stamps_value) {
    base::Bytes value = step.value;
    base::Bytes& buffer = stamps_key ? key.second : value;
    if ((step.flags & kStampOnlyZeroTail) == 0 || zero_tail(buffer)) {
      buffer = stamped(buffer, version, order++);
    }
    result.__set_generated(buffer);
    pending[key] = Cell{0, value, new_expiry};
  } else if (step.type == "set") {
    pending[key] = Cell{0, step.value, (step.flags & kKeepExpiry) != 0 ? old_expiry : new_expiry};
  } else if (step.type == "delete") {
    pending[key] = Cell{};
  } else if (step.type == "CHECK_VERSION") {
    const Cell* found = cell(key.first, key.second, 0);
    if ((found == nullptr ? 0 : found->version) != step.expected_version) {
      return Failure{"CONFLICT", "Version check failed", "CHECK"};
    }
  } else if (step.type == "INCREMENT") {
    const auto old = number_of(before.value_or("0"));
    std::int64_t sum = 0;
    if (!old || __builtin_add_overflow(*old, *number_of(step.value), &sum)) {
      return Failure{"INVALID_OPERATION", "INCREMENT needs a number", ""};
    }
    result.__set_number(sum);
    pending[key] = Cell{0, std::to_string(sum), old_expiry};
  } else if (step.type == "APPEND") {
    base::Bytes value = before.value_or("") + step.value;
    result.__set_number(static_cast<std::int64_t>(value.size()));
    pending[key] = Cell{0, std::move(value), old_expiry};
  } else if (step.type == "CLEAR_RANGE") {
    clear(key, step.end_key, pending, result);
  } else if (before.has_value()) {  // EXPIRE, PERSIST
    pending[key] = Cell{0, before, step.type == "EXPIRE" ? new_expiry : 0};
  }
  return std::nullopt;
}

api::AtomicCommitResponse ModelStore::execute(const api::AtomicCommitRequest& request) {
  api::AtomicCommitResponse reply;
  const auto refuse = [&](const Failure& failure) {
    reply.__set_success(false);
    reply.__set_error(failure.text);
    reply.__set_error_code(failure.code);
    if (!failure.detail.empty()) reply.__set_detail_code(failure.detail);
    return reply;
  };
  for (const auto& step : request.operations) {
    if (const auto failure = check_shape(step)) return refuse(*failure);
  }
  if (const auto failure = conflict(request)) return refuse(*failure);
  const std::int64_t version = std::max<std::int64_t>(version_, 1) + 1;
  Pending pending;
  std::uint16_t order = 0;
  std::vector<api::OperationResult> results;
  for (const auto& step : request.operations) {
    auto& result = results.emplace_back();
    if (const auto failure = run_step(step, version, order, pending, result)) {
      return refuse(*failure);
    }
  }
  version_ = version;
  for (auto& [key, cell] : pending) {
    cell.version = version;
    tables_[key.first][key.second].push_back(std::move(cell));
  }
  reply.__set_success(true);
  reply.__set_committed_version(version);
  reply.__set_results(std::move(results));
  return reply;
}

api::AtomicCommitResponse ModelStore::commit(const api::AtomicCommitRequest& request) {
  const std::lock_guard lock(mutex_);
  if (!request.__isset.client_id) return execute(request);
  auto& row = tokens_[request.client_id];
  const auto known = row.find(request.sequence);
  if (known != row.end()) return known->second;
  auto reply = execute(request);
  if (reply.success) row.emplace(request.sequence, reply);
  return reply;
}

}  // namespace synod::suite
