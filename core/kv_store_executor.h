// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "core/kv_service_core.h"
#include "core/transactional_kv_database.h"

namespace synod::core {

/// Applies what a log decided, in log order, to one database.
///
/// Owned by the router (standalone) or by the replica's state machine.
///
/// Invariants
///   X1  Index n is applied exactly once, after n-1 and before n+1.
///   X2  Whoever applies seals before anybody may want what was applied in the backend.
///
/// Threads: confined to the apply thread.
/// Failure: bytes that do not decode were damaged after they were checked or written by a newer
/// version; the log's owner decides, nothing was applied.
class KvStoreExecutor {
 public:
  KvStoreExecutor(KvServiceCore& core, TransactionalKvDatabase& database)
      : core_(core), database_(database) {}

  [[nodiscard]] LogIndex applied_index() const { return database_.applied_index(); }
  /// Applies an operation this process has in hand.
  [[nodiscard]] ExecutionResult apply(LogIndex index, const KvOperation& operation);
  /// Applies an operation as a log holds it.
  [[nodiscard]] base::Result<ExecutionResult> apply_encoded(LogIndex index,
                                                            base::BytesView operation);

  /// Passes a position of the log that holds no operation.
  void skip(LogIndex index);
  /// Ends a group of positions: what they changed is for the storage backend, as one unit. Until
  /// then nothing of it is.
  void seal() { database_.seal(); }

 private:
  KvServiceCore& core_;
  TransactionalKvDatabase& database_;
};

}  // namespace synod::core
