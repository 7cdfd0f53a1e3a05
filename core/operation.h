// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "core/types.h"

namespace synod::core {

/// What one step of an operation does. Values are part of the log format: never renumber.
enum class StepKind : std::uint8_t {
  kSet = 1,              ///< key = value; `ttl_ms` > 0 sets an expiry.
  kDelete = 2,           ///< Removes key; succeeds if it is missing.
  kSetStampedKey = 3,    ///< The last 10 bytes of key become the versionstamp; then as kSet.
  kSetStampedValue = 4,  ///< The last 10 bytes of value become the versionstamp; then as kSet.
  kCheckVersion = 5,     ///< Conflict unless key's version equals `number` (0: key is missing).
  kIncrement = 6,        ///< Adds `number` to the decimal integer in key (missing: 0).
  kAppend = 7,           ///< Appends value to key's bytes.
  kExpire = 8,           ///< Sets the expiry of an existing key to `ttl_ms` from now.
  kPersist = 9,          ///< Removes the expiry of an existing key.
  kClearRange = 10,      ///< Removes all keys in [key, end_key).
  kClearNamespace = 11,  ///< Empties the namespace: a new id now, the old one swept in steps.
};

/// Modifiers of a step; a bit an old server does not know is a defined error.
enum StepFlags : std::uint32_t {
  kStampOnlyZeroTail = 1U << 0,  ///< Stamped kinds: store verbatim unless the last 10 bytes are 0.
  kKeepExpiry = 1U << 1,         ///< kSet: keep the expiry the key has.
  kStepFlagsAll = (1U << 2) - 1,
};

/// Kinds whose result holds bytes of the value that was there.
[[nodiscard]] constexpr bool needs_old_value(StepKind kind) {
  return kind == StepKind::kIncrement || kind == StepKind::kAppend || kind == StepKind::kExpire ||
         kind == StepKind::kPersist;
}

struct Step {
  StepKind kind = StepKind::kSet;
  std::uint8_t space = 0;
  std::uint32_t flags = 0;
  std::string ns;  ///< Empty and "default" are one namespace.
  base::Bytes key;
  base::Bytes value;
  base::Bytes end_key;
  std::int64_t number = 0;
  std::int64_t ttl_ms = 0;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(kind, space, flags, ns, key, value, end_key, number, ttl_ms);
  }
};

struct ReadConflictKey {
  std::optional<std::string> ns;  ///< nullopt: checked in every namespace.
  base::Bytes key;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(ns, key);
  }
};

/// [begin, end) in one namespace; an empty `end` means to the last key.
struct ReadConflictRange {
  std::string ns;
  base::Bytes begin;
  base::Bytes end;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(ns, begin, end);
  }
};

/// Names one attempt of one client, for exactly-once.
struct ClientToken {
  ClientId client_id{};
  std::int64_t sequence = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(client_id, sequence);
  }
};

enum class OperationKind : std::uint8_t {
  kCommit = 1,  ///< Steps under conflict checks: one version, all or nothing.
  kTick = 2,    ///< Moves the clock, sweeps what is due.
  kPolicy = 3,  ///< Replaces the policy row by `policy`.
  kResume = 4,  ///< After an unclean stop without `sync`: counting resumes above `resume_version`.
};

/// Numbers every verdict depends on: replicated state, changed only by a kPolicy operation.
struct Policy {
  std::uint32_t semantic_version = 1;
  std::int64_t conflict_window_ms = 60'000;
  std::uint64_t conflict_bytes_max = 256U << 20;  ///< Tombstones and marks kept for the checks.
  std::uint32_t sweep_per_operation = 64;
  std::uint32_t sweep_per_tick = 2'000;
  std::uint32_t tokens_per_client = 64;
  std::uint32_t clients_max = 100'000;
  std::int64_t client_idle_ms = 600'000;
  std::uint32_t marks_max = kMarksMax;           ///< Clock marks kept; more raise the floor.
  std::uint32_t clear_range_keys_max = 100'000;  ///< Keys one operation may clear.
  std::uint32_t namespaces_max = 10'000;         ///< Names; each new one copies the readers' view.
  std::uint64_t value_bytes_max = 16U << 20;     ///< A value may not grow beyond it.
  std::array<char, 16> hash_seed{};  ///< Keys the state hash; fixed by the first policy.

  static constexpr std::uint32_t kMarksMax = 120'000;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(semantic_version, conflict_window_ms, conflict_bytes_max, sweep_per_operation,
       sweep_per_tick, tokens_per_client, clients_max, client_idle_ms, marks_max,
       clear_range_keys_max, namespaces_max, value_bytes_max, hash_seed);
  }
  bool operator==(const Policy&) const = default;

  /// So many bytes of old values one operation may need, and again as many appended to by its
  /// steps; part of what an operation means. Steps of a few bytes name values of megabytes, which
  /// may all be on disk and are in memory together while it is executed.
  [[nodiscard]] std::uint64_t old_value_bytes_max() const {
    return std::max(kOldValueBytes, value_bytes_max);
  }
  static constexpr std::uint64_t kOldValueBytes = 64U << 20;
};

/// The unit of the log: a list of steps with everything their meaning depends on.
struct KvOperation {
  OperationKind kind = OperationKind::kCommit;
  TimeMs stamp{0};  ///< Set by the router when it orders the operation.
  std::int64_t read_version = 0;
  std::vector<ReadConflictKey> read_keys;
  std::vector<ReadConflictRange> read_ranges;
  std::optional<ClientToken> token;
  std::vector<Step> steps;
  std::optional<Policy> policy;  ///< kPolicy.
  Version resume_version{0};     ///< kResume.

  [[nodiscard]] bool has_read_set() const { return !read_keys.empty() || !read_ranges.empty(); }
};

/// The log format of an operation: a format byte, then the fields in base/codec.h's encoding.
[[nodiscard]] base::Bytes encode_operation(const KvOperation& operation);
/// Appends it to `out`.
void encode_operation(const KvOperation& operation, base::Bytes& out);
/// kCorruption for anything encode_operation cannot have made; allocates no more than a small
/// multiple of `bytes`, whatever lengths they claim.
[[nodiscard]] base::Result<KvOperation> decode_operation(base::BytesView bytes);

}  // namespace synod::core
