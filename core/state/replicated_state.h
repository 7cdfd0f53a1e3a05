// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "core/operation.h"
#include "core/state/namespace_table.h"
#include "core/state/rows.h"
#include "core/state/state_hash.h"
#include "core/state/token_table.h"
#include "core/state/version_clock.h"
#include "core/types.h"

namespace synod::core {

/// Everything a verdict may depend on besides the entries themselves: newest version, command
/// clock with its marks, conflict floor, tokens, namespaces, policy.
///
/// Owned by a KvDatabase, changed only by KvServiceCore inside `execute`, mirrored row by row into
/// the RowSink so that it is persisted in the same batch as the entries.
///
/// Invariants
///   S1  newest_version(), clock() and conflict_floor() never decrease.
///   S2  conflict_floor() <= newest_version().
///   S3  The clock moves only together with a version.
///
/// Threads: confined to the writer, except version_clock().clock_at.
class ReplicatedState {
 public:
  explicit ReplicatedState(RowSink& rows);
  ReplicatedState(const ReplicatedState&) = delete;
  ReplicatedState& operator=(const ReplicatedState&) = delete;

  [[nodiscard]] Version newest_version() const { return newest_version_; }
  [[nodiscard]] TimeMs clock() const { return clock_; }
  [[nodiscard]] Version conflict_floor() const { return conflict_floor_; }
  /// Until the first policy no operation means anything: there is no state and no row of it.
  [[nodiscard]] bool has_policy() const { return has_policy_; }
  [[nodiscard]] const Policy& policy() const { return policy_; }
  [[nodiscard]] const VersionClock& version_clock() const { return version_clock_; }
  [[nodiscard]] TokenTable& tokens() { return tokens_; }
  [[nodiscard]] const TokenTable& tokens() const { return tokens_; }
  [[nodiscard]] NamespaceTable& namespaces() { return namespaces_; }
  [[nodiscard]] const NamespaceTable& namespaces() const { return namespaces_; }
  [[nodiscard]] const StateHasher& hasher() const { return *hasher_; }

  /// Takes `version` at `clock` (S1, S3).
  void advance(Version version, TimeMs clock);
  /// Raises the conflict floor and drops the marks it passes, at most `marks_max` of them.
  void raise_conflict_floor(Version floor, std::size_t marks_max);
  /// The first policy fixes the hash seed. False if `policy` would change it or breaks a bound.
  [[nodiscard]] bool accepts_policy(const Policy& policy) const;
  /// REQUIRES: accepts_policy(policy).
  void set_policy(const Policy& policy);

  /// Writes the scalars row if anything in it changed; once per sealed group.
  void flush_scalars();
  /// Hash of all of it but the entries.
  [[nodiscard]] StateHash hash() const;

  /// Recovery: takes over one row that is not an entry. Scalars must come first: their row is
  /// looked up before the scan.
  [[nodiscard]] base::Status load_scalars(base::BytesView value);
  [[nodiscard]] base::Status load_row(base::BytesView key, base::BytesView value);
  [[nodiscard]] base::Status check_loaded() const;

 private:
  [[nodiscard]] base::Bytes scalars_row() const;
  void add_mark(Version version, TimeMs clock);

  RowSink& rows_;
  Policy policy_;  ///< Before the hasher: it brings the seed.
  std::unique_ptr<const StateHasher> hasher_owner_;
  const StateHasher* hasher_;
  bool has_policy_ = false;
  Version newest_version_{0};
  TimeMs clock_{0};
  Version conflict_floor_{0};
  VersionClock version_clock_;
  StateHash marks_hash_;
  base::Bytes flushed_scalars_;
  TokenTable tokens_;
  NamespaceTable namespaces_;
};

}  // namespace synod::core
