// SPDX-License-Identifier: Apache-2.0
// What each step means. Everything is planned into Execution::staged; nothing touches the tables.
#include <charconv>
#include <limits>

#include "base/text.h"
#include "core/execution.h"

namespace synod::core {
namespace {

/// Versionstamp: 8 bytes version, 2 bytes order, both big-endian.
constexpr std::size_t kStampBytes = 10;
/// A commit looks for its new namespaces one by one.
constexpr std::size_t kNamespacesPerCommitMax = 256;
/// More in one commit would get equal stamps.
constexpr std::uint32_t kStampsMax = 1U << 16;

/// A key as the next step sees it: what earlier steps staged, else what is stored and not expired.
struct Current {
  bool present = false;
  std::size_t value_size = 0;
  TimeMs expiry{0};
  Version version{0};
};

Current look_up(const KvDatabase& database, const KeyRef& ref, const StagedWrites& staged,
                TimeMs now, Version version) {
  if (const auto* write = staged.find(ref)) {
    if (write->is_delete) return {};
    return Current{true, write->value.size(), write->expiry, version};
  }
  const LatestEntry entry = database.latest(ref);
  const bool expired = entry.expiry != TimeMs(0) && entry.expiry <= now;
  if (!entry.present || expired) return {};
  return Current{true, entry.value_size, entry.expiry, entry.version};
}

/// The value of what look_up found present; it may have to come from the disk, so it is asked for
/// only where its bytes are used. Lives until the key is staged or the operation ends.
base::BytesView value_of(KvDatabase& database, const KeyRef& ref, const StagedWrites& staged) {
  if (const auto* write = staged.find(ref)) return write->value;
  return database.latest_value(ref);
}

Outcome too_many_old_bytes(std::uint64_t bytes_max) {
  return refused(OutcomeCode::kLimitExceeded,
                 base::concat("The values that the operation changes or keeps exceed ", bytes_max,
                              " bytes together; split it"));
}

Outcome invalid(std::string message) {
  return refused(OutcomeCode::kInvalidOperation, std::move(message));
}

bool expiry_after(TimeMs now, std::int64_t ttl_ms, TimeMs& expiry) {
  if (ttl_ms <= 0 || ttl_ms > std::numeric_limits<std::int64_t>::max() - now.value()) return false;
  expiry = TimeMs(now.value() + ttl_ms);
  return true;
}

bool parse_integer(base::BytesView text, std::int64_t& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

void write_stamp(base::Bytes& buffer, Version version, std::uint16_t order) {
  char* tail = buffer.data() + (buffer.size() - kStampBytes);
  base::store_be64(tail, static_cast<std::uint64_t>(version.value()));
  base::store_be16(tail + 8, order);
}

bool tail_is_zero(base::BytesView buffer) {
  return buffer.size() >= kStampBytes &&
         buffer.substr(buffer.size() - kStampBytes).find_first_not_of('\0') ==
             base::BytesView::npos;
}

bool creates_namespace(StepKind kind) {
  switch (kind) {
    case StepKind::kSet:
    case StepKind::kSetStampedKey:
    case StepKind::kSetStampedValue:
    case StepKind::kIncrement:
    case StepKind::kAppend:
      return true;
    default:
      return false;
  }
}

}  // namespace

Outcome KvServiceCore::run_steps(Execution& execution) const {
  Outcome fits = check_old_values(execution);
  if (!fits.ok()) return fits;
  execution.results.reserve(execution.operation.steps.size());
  for (const auto& step : execution.operation.steps) {
    execution.results.emplace_back();
    Outcome outcome = run_step(step, execution);
    if (!outcome.ok()) return outcome;
  }
  return {};
}

/// From sizes alone and before any value is asked for: the verdict depends on nothing that is in
/// memory, and a refused operation costs no disk. One step needs no more than one value.
Outcome KvServiceCore::check_old_values(const Execution& execution) const {
  if (execution.operation.steps.size() == 1) return {};
  const ReplicatedState& state = database_.state();
  const StagedWrites nothing;
  std::uint64_t bytes = 0;
  for (const auto& step : execution.operation.steps) {
    if (!needs_old_value(step.kind)) continue;
    const auto ns = execution.find_namespace(state, step.ns);
    if (!ns) continue;
    const KeyRef ref{*ns, Space(step.space), step.key};
    bytes += look_up(database_, ref, nothing, execution.now, execution.version).value_size;
    if (bytes > state.policy().old_value_bytes_max()) {
      return too_many_old_bytes(state.policy().old_value_bytes_max());
    }
  }
  return {};
}

Outcome KvServiceCore::run_step(const Step& step, Execution& execution) const {
  const ReplicatedState& state = database_.state();
  if ((step.flags & ~static_cast<std::uint32_t>(kStepFlagsAll)) != 0) {
    return invalid("Unknown step flags");
  }
  const std::string name(canonical_namespace(step.ns));
  if (std::find(execution.cleared.begin(), execution.cleared.end(), name) !=
      execution.cleared.end()) {
    return invalid("An emptied namespace takes no other step in the same commit");
  }
  auto found = execution.find_namespace(state, name);
  if (!found && creates_namespace(step.kind)) {
    const std::size_t namespaces = state.namespaces().entries().size() + execution.created.size();
    if (execution.created.size() >= kNamespacesPerCommitMax ||
        namespaces >= state.policy().namespaces_max) {
      return refused(OutcomeCode::kLimitExceeded,
                     base::concat("Namespaces are limited to ", state.policy().namespaces_max,
                                  ", new ones of a commit to ", kNamespacesPerCommitMax));
    }
    execution.created.push_back(name);
    found = execution.find_namespace(state, name);
  }
  // Nothing is stored under an id nobody has: steps on a missing namespace find missing keys.
  const NamespaceId ns = found.value_or(NamespaceId(0));
  const KeyRef ref{ns, Space(step.space), step.key};
  const auto current = [&] {
    return look_up(database_, ref, execution.staged, execution.now, execution.version);
  };
  StepResult& result = execution.results.back();
  switch (step.kind) {
    case StepKind::kSet:
      return run_set(step, execution, ns);
    case StepKind::kDelete:
      result.existed = current().present;
      if (found) execution.staged.erase(ref);
      return {};
    case StepKind::kSetStampedKey:
    case StepKind::kSetStampedValue:
      return run_stamped(step, execution, ns);
    case StepKind::kCheckVersion: {
      const Current old = current();
      result.existed = old.present;
      if (old.version.value() == step.number) return {};
      Outcome outcome = refused(OutcomeCode::kConflict,
                                base::concat("Version of key ", base::escape(step.key), " is ",
                                             old.version.value(), ", expected ", step.number));
      outcome.detail = ConflictDetail::kCheck;
      return outcome;
    }
    case StepKind::kIncrement:
      return run_increment(step, execution, ns);
    case StepKind::kAppend:
      return run_append(step, execution, ns);
    case StepKind::kExpire:
    case StepKind::kPersist:
      return run_expiry(step, execution, ns);
    case StepKind::kClearRange:
      return run_clear_range(step, execution, ns);
    case StepKind::kClearNamespace:
      return run_clear_namespace(name, execution, found);
  }
  return invalid(base::concat("Unknown operation type: ", static_cast<int>(step.kind)));
}

Outcome KvServiceCore::run_set(const Step& step, Execution& execution, NamespaceId ns) const {
  const KeyRef ref{ns, Space(step.space), step.key};
  const Current old = look_up(database_, ref, execution.staged, execution.now, execution.version);
  execution.results.back().existed = old.present;
  TimeMs expiry{0};
  if ((step.flags & kKeepExpiry) != 0) expiry = old.expiry;
  if (step.ttl_ms != 0 && !expiry_after(execution.now, step.ttl_ms, expiry)) {
    return invalid("ttl_ms is out of range");
  }
  execution.staged.put(ref, step.value, expiry);
  return {};
}

Outcome KvServiceCore::run_clear_namespace(const std::string& name, Execution& execution,
                                           std::optional<NamespaceId> ns) const {
  for (const auto& write : execution.staged.all()) {
    if (ns && write.key.ns == *ns) {
      return invalid("An emptied namespace takes no other step in the same commit");
    }
  }
  const bool exists = database_.state().namespaces().find(name) != nullptr;
  execution.results.back().existed = exists;
  if (exists) execution.cleared.push_back(name);
  return {};
}

Outcome KvServiceCore::run_stamped(const Step& step, Execution& execution, NamespaceId ns) const {
  const bool stamps_key = step.kind == StepKind::kSetStampedKey;
  base::Bytes buffer = stamps_key ? step.key : step.value;
  const bool only_zero_tail = (step.flags & kStampOnlyZeroTail) != 0;
  if (!only_zero_tail && buffer.size() < kStampBytes) {
    return invalid(
        base::concat(stamps_key ? "Versionstamped key error: " : "Versionstamped value error: ",
                     "Buffer must be at least 10 bytes for versionstamp"));
  }
  if (!only_zero_tail || tail_is_zero(buffer)) {
    if (execution.stamps == kStampsMax) {
      return refused(OutcomeCode::kLimitExceeded,
                     base::concat("A commit takes at most ", kStampsMax, " versionstamps"));
    }
    write_stamp(buffer, execution.version, static_cast<std::uint16_t>(execution.stamps++));
  }
  TimeMs expiry{0};
  if (step.ttl_ms != 0 && !expiry_after(execution.now, step.ttl_ms, expiry)) {
    return invalid("ttl_ms is out of range");
  }
  StepResult& result = execution.results.back();
  result.generated = buffer;
  const base::BytesView stamped = execution.staged.keep(std::move(buffer));
  const KeyRef ref{ns, Space(step.space), stamps_key ? stamped : base::BytesView(step.key)};
  result.existed =
      look_up(database_, ref, execution.staged, execution.now, execution.version).present;
  execution.staged.put(ref, stamps_key ? base::BytesView(step.value) : stamped, expiry);
  return {};
}

Outcome KvServiceCore::run_increment(const Step& step, Execution& execution, NamespaceId ns) const {
  const KeyRef ref{ns, Space(step.space), step.key};
  const Current old = look_up(database_, ref, execution.staged, execution.now, execution.version);
  std::int64_t number = 0;
  if (old.present && !parse_integer(value_of(database_, ref, execution.staged), number)) {
    return invalid("The value is not a decimal integer in range");
  }
  if (__builtin_add_overflow(number, step.number, &number)) {
    return invalid("The increment would overflow");
  }
  StepResult& result = execution.results.back();
  result.existed = old.present;
  result.number = number;
  execution.staged.put(ref, execution.staged.keep(std::to_string(number)), old.expiry);
  return {};
}

Outcome KvServiceCore::run_append(const Step& step, Execution& execution, NamespaceId ns) const {
  const KeyRef ref{ns, Space(step.space), step.key};
  const Current old = look_up(database_, ref, execution.staged, execution.now, execution.version);
  const std::uint64_t bytes_max = database_.state().policy().value_bytes_max;
  if (old.value_size + step.value.size() > bytes_max) {
    return refused(OutcomeCode::kLimitExceeded,
                   base::concat("The value would exceed value_bytes_max = ", bytes_max));
  }
  // Each append of a commit to one value is a copy of it.
  execution.appended_to += old.value_size;
  if (execution.appended_to > database_.state().policy().old_value_bytes_max()) {
    return too_many_old_bytes(database_.state().policy().old_value_bytes_max());
  }
  base::Bytes value;
  value.reserve(old.value_size + step.value.size());
  if (old.present) value += value_of(database_, ref, execution.staged);
  value += step.value;
  StepResult& result = execution.results.back();
  result.existed = old.present;
  result.number = static_cast<std::int64_t>(value.size());
  execution.staged.put(ref, execution.staged.keep(std::move(value)), old.expiry);
  return {};
}

Outcome KvServiceCore::run_expiry(const Step& step, Execution& execution, NamespaceId ns) const {
  TimeMs expiry{0};
  if (step.kind == StepKind::kExpire && !expiry_after(execution.now, step.ttl_ms, expiry)) {
    return invalid("ttl_ms is out of range");
  }
  const KeyRef ref{ns, Space(step.space), step.key};
  const Current old = look_up(database_, ref, execution.staged, execution.now, execution.version);
  execution.results.back().existed = old.present;
  if (old.present) {
    execution.staged.put(ref, value_of(database_, ref, execution.staged), expiry);
  }
  return {};
}

Outcome KvServiceCore::run_clear_range(const Step& step, Execution& execution,
                                       NamespaceId ns) const {
  const Space space(step.space);
  std::vector<base::Bytes> keys;
  const std::size_t keys_max = database_.state().policy().clear_range_keys_max;
  database_.visit_present(ns, space, step.key, step.end_key, execution.now,
                          [&](base::BytesView key) {
                            keys.emplace_back(key);
                            return keys.size() + execution.cleared_keys <= keys_max;
                          });
  execution.cleared_keys += keys.size();
  if (execution.cleared_keys > keys_max) {
    return refused(OutcomeCode::kLimitExceeded,
                   base::concat("The range holds more than clear_range_keys_max = ", keys_max,
                                " keys; clear it in parts"));
  }
  std::size_t removed = 0;
  for (auto& key : keys) {
    if (execution.staged.find(KeyRef{ns, space, key}) != nullptr) continue;
    ++removed;
    execution.staged.erase(KeyRef{ns, space, execution.staged.keep(std::move(key))});
  }
  removed += execution.staged.erase_range(ns, space, step.key, step.end_key);
  StepResult& result = execution.results.back();
  result.existed = removed > 0;
  result.number = static_cast<std::int64_t>(removed);
  return {};
}

}  // namespace synod::core
