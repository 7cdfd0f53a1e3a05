// SPDX-License-Identifier: Apache-2.0
#include "core/admission.h"

#include <algorithm>

#include "base/text.h"

namespace synod::core {
namespace {

Outcome exceeded(const char* what, const char* limit, std::uint64_t limit_value,
                 std::uint64_t value) {
  return refused(
      OutcomeCode::kLimitExceeded,
      base::concat(what, " has ", value, ", over the limit ", limit, " = ", limit_value));
}

}  // namespace

std::uint64_t payload_bytes(const KvOperation& operation) {
  std::uint64_t bytes = 0;
  for (const auto& step : operation.steps) {
    bytes += step.key.size() + step.value.size() + step.end_key.size() + step.ns.size();
  }
  for (const auto& key : operation.read_keys) {
    bytes += key.key.size() + (key.ns ? key.ns->size() : 0);
  }
  for (const auto& range : operation.read_ranges) {
    bytes += range.begin.size() + range.end.size() + range.ns.size();
  }
  return bytes;
}

std::uint64_t encoded_bytes_max(const KvOperation& operation) {
  // What the encoding adds to the bytes of a step, conflict key or range, at most.
  constexpr std::uint64_t kPerPart = 64;
  const std::uint64_t parts =
      1 + operation.steps.size() + operation.read_keys.size() + operation.read_ranges.size();
  return payload_bytes(operation) + kPerPart * parts;
}

std::optional<Outcome> check_limits(const KvOperation& operation, const Limits& limits) {
  const auto key_too_long = [&](base::BytesView key) { return key.size() > limits.key_bytes_max; };
  for (const auto& step : operation.steps) {
    if (key_too_long(step.key) || key_too_long(step.end_key) || key_too_long(step.ns)) {
      return exceeded("A key", "key_bytes_max", limits.key_bytes_max,
                      std::max({step.key.size(), step.end_key.size(), step.ns.size()}));
    }
    if (step.value.size() > limits.value_bytes_max) {
      return exceeded("A value", "value_bytes_max", limits.value_bytes_max, step.value.size());
    }
  }
  for (const auto& key : operation.read_keys) {
    const std::size_t name_bytes = key.ns ? key.ns->size() : 0;
    if (key_too_long(key.key) || name_bytes > limits.key_bytes_max) {
      return exceeded("A conflict key", "key_bytes_max", limits.key_bytes_max,
                      std::max(key.key.size(), name_bytes));
    }
  }
  for (const auto& range : operation.read_ranges) {
    if (key_too_long(range.begin) || key_too_long(range.end) || key_too_long(range.ns)) {
      return exceeded("A conflict range", "key_bytes_max", limits.key_bytes_max,
                      std::max({range.begin.size(), range.end.size(), range.ns.size()}));
    }
  }
  const std::uint64_t parts = operation.steps.size() + operation.read_keys.size();
  if (parts > limits.steps_max) {
    return exceeded("The commit", "steps_max", limits.steps_max, parts);
  }
  if (operation.read_ranges.size() > limits.conflict_ranges_max) {
    return exceeded("The commit", "conflict_ranges_max", limits.conflict_ranges_max,
                    operation.read_ranges.size());
  }
  const std::uint64_t bytes = payload_bytes(operation);
  if (parts <= 1 && operation.read_ranges.empty()) return std::nullopt;
  if (bytes > limits.commit_bytes_max) {
    return exceeded("The commit", "commit_bytes_max", limits.commit_bytes_max, bytes);
  }
  return std::nullopt;
}

}  // namespace synod::core
