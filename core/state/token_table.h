// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/status.h"
#include "core/operation.h"
#include "core/outcome.h"
#include "core/state/rows.h"
#include "core/state/state_hash.h"

namespace synod::core {

/// Exactly-once: per client the committed results of its last sequences, as replicated state.
///
/// Owned by ReplicatedState, changed only by the writer inside `execute`.
///
/// Invariants
///   T1  A sequence whose commit is remembered is never executed again: its result is returned.
///   T2  A sequence below the remembered window is never executed, also when a later policy
///       remembers more.
///   T3  A client without a row is executed only at a read version >= token_floor(), the newest
///       commit version among all rows ever dropped: a repeat of a dropped commit carries a read
///       version below its own commit's, so it can never run twice.
///
/// Threads: confined to the writer.
class TokenTable {
 public:
  enum class Verdict : std::uint8_t { kExecute, kRepeat, kForgotten };
  struct Lookup {
    Verdict verdict = Verdict::kExecute;
    Outcome stored;  ///< kRepeat: the result of the first execution.
  };

  TokenTable(RowSink& rows, const StateHasher* const* hasher) : rows_(rows), hasher_(hasher) {}

  [[nodiscard]] Lookup find(const ClientToken& token, Version read_version) const;
  /// Remembers the outcome of a commit; forgets what falls out of the client's window.
  void remember(const ClientToken& token, const Outcome& outcome, TimeMs clock,
                const Policy& policy);
  /// Drops rows over the policy's bounds, oldest commit first, at most `rows_max`.
  void expire(TimeMs clock, const Policy& policy, std::size_t rows_max);

  [[nodiscard]] Version token_floor() const { return token_floor_; }
  void restore_token_floor(Version floor) { token_floor_ = floor; }
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }
  [[nodiscard]] const StateHash& hash() const { return hash_; }

  /// Recovery: takes over one token or result row.
  [[nodiscard]] base::Status load_row(base::BytesView key, base::BytesView value);
  /// Recovery: every result must belong to a client. Call after the last load_row.
  [[nodiscard]] base::Status check_loaded() const;

 private:
  struct Client {
    Version newest{0};
    TimeMs last_commit{0};
    std::int64_t highest_sequence = 0;
    std::int64_t first_sequence =
        INT64_MIN;  ///< Lower ones are forgotten, whatever policy follows.
    std::map<std::int64_t, base::Bytes> results;  ///< Encoded outcomes by sequence.
  };
  struct ClientIdHash {
    std::size_t operator()(const ClientId& id) const;
  };

  void put(base::Bytes key, base::Bytes value, const base::Bytes* replaced);
  void erase(base::Bytes key, const base::Bytes& value);
  void drop_oldest();

  RowSink& rows_;
  const StateHasher* const* hasher_;  ///< The state's hasher; it changes once, with the seed.
  std::unordered_map<ClientId, Client, ClientIdHash> clients_;
  std::map<Version, ClientId> by_newest_;  ///< Commit versions are unique, so is the order.
  Version token_floor_{0};
  StateHash hash_;
};

}  // namespace synod::core
