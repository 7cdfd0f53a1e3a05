// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "client/cpp/types.h"

namespace synod::client {

class Client;
class Wire;

/// Reads at one version, buffers writes, commits them all or none.
///
/// Invariants
///   X1  Every read sees the state at read_version() with this transaction's own writes on top.
///   X2  Every key and range that was read from the database is named in the commit.
///   X3  commit_again() repeats the very same request under the same token, so that it takes
///       effect at most once.
///
/// Threads: externally synchronized, together with its client, which must outlive it.
/// Failure: a failed read leaves the transaction as it was; a write is only checked by the commit.
class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) noexcept;
  ~Transaction();  ///< Without a commit nothing is written.

  [[nodiscard]] std::int64_t read_version() const;

  base::Result<std::optional<base::Bytes>> get(base::BytesView key, std::string_view ns = {});
  /// With a limit, only the part of the range that was looked at can cause a conflict.
  base::Result<std::vector<Row>> get_range(const RangeQuery& query);

  void set(base::BytesView key, base::BytesView value, base::Millis ttl = base::Millis(0),
           std::string_view ns = {});
  void remove(base::BytesView key, std::string_view ns = {});
  /// Adds to the decimal number in key without reading it: concurrent additions do not conflict.
  void increment(base::BytesView key, std::int64_t delta, std::string_view ns = {});
  void append(base::BytesView key, base::BytesView suffix, std::string_view ns = {});
  /// Removes [begin, end); an empty end means to the last key.
  void clear_range(base::BytesView begin, base::BytesView end, std::string_view ns = {});
  void expire(base::BytesView key, base::Millis ttl, std::string_view ns = {});
  void persist(base::BytesView key, std::string_view ns = {});
  /// The commit conflicts unless the key's last write has this version; 0: the key is missing.
  void check_version(base::BytesView key, std::int64_t version, std::string_view ns = {});
  /// The last 10 bytes of `buffer` become the commit's versionstamp.
  void set_versionstamped_key(base::BytesView buffer, base::BytesView value,
                              std::string_view ns = {});
  void set_versionstamped_value(base::BytesView key, base::BytesView buffer,
                                std::string_view ns = {});
  /// Treats a key as read although it was not.
  void add_read_conflict(base::BytesView key, std::string_view ns = {});

  /// At most once. A transaction without writes and checks commits without asking the server.
  CommitOutcome commit();
  /// After commit() ended in kUnknown: asks again until the caller gives up.
  CommitOutcome commit_again();

 private:
  friend class Client;
  struct State;
  explicit Transaction(std::unique_ptr<State> state);
  CommitOutcome send();
  std::unique_ptr<State> state_;
};

/// How run_transaction() goes on.
struct RetryOptions {
  int attempts_max = 20;
  base::Millis backoff_first{2};
  base::Millis backoff_max{500};
  std::function<void(base::Millis)> pause;  ///< Unset: sleeps.
};

/// Runs `body` in a transaction and commits it; on a conflict, or when the server is busy, runs it
/// again in a new one after a randomised pause. An unknown outcome is settled by repeating the same
/// commit. kOutcomeUnknown only if that does not succeed either; an error of `body` ends it at
/// once.
base::Result<CommitOutcome> run_transaction(Client& client,
                                            const std::function<base::Status(Transaction&)>& body,
                                            const RetryOptions& options = {});

}  // namespace synod::client
