// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/state/rows.h"
#include "core/types.h"
#include "storage/storage_backend.h"

namespace synod::core {

/// Rows on their way to the storage backend: several writes of one row become one, and a batch
/// always ends at an operation's boundary.
///
/// Owned by TransactionalKvDatabase, drained by Persistence.
///
/// Invariants
///   WB1  What `take` returns is the net effect of whole operations: all rows of every applied
///        index up to its last one, and none of a later one.
///
/// Threads: rows and `seal` on the writer; `take` and `bytes` on any one other thread.
class WriteBehind final : public RowSink {
 public:
  void put_row(base::Bytes key, base::Bytes value) override;
  void erase_row(base::Bytes key) override;
  /// Ends the operation at `index`, after which `version` is the newest: what was put since the
  /// last seal becomes takeable.
  void seal(LogIndex index, Version version);

  struct Batch {
    storage::WriteBatch rows;
    LogIndex last{0};    ///< 0: nothing was sealed since the last take.
    Version version{0};  ///< The newest version after `last`.
  };
  [[nodiscard]] Batch take();
  /// Bytes sealed and not yet taken.
  [[nodiscard]] std::uint64_t bytes() const;
  /// Drops rows put since the last seal; recovery uses it to discard what loading wrote.
  void discard_open() { open_.clear(); }

 private:
  using Row = storage::WriteBatch::Put;
  std::vector<Row> open_;  ///< Writer only: rows of the operation under way.

  /// Keyed: the rows' keys come from clients.
  struct RowKeyHash {
    std::size_t operator()(const base::Bytes& key) const;
  };
  using SealedRows = std::unordered_map<base::Bytes, std::optional<base::Bytes>, RowKeyHash>;

  mutable std::mutex mutex_;
  SealedRows sealed_;
  std::uint64_t sealed_bytes_ = 0;
  LogIndex last_{0};
  Version version_{0};
};

}  // namespace synod::core
