// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "core/kv_database.h"
#include "core/state/state_hash.h"
#include "core/types.h"
#include "storage/storage_backend.h"

namespace synod::core {

/// Values that left memory, and the backend's snapshots in which they are found.
///
/// A value may leave memory only while a snapshot is held that contains exactly its record; the
/// snapshots are held until no reader can need them.
///
/// Owned by TransactionalKvDatabase; must end before the backend.
///
/// Invariants
///   CV1  covered() never decreases, and the newest snapshot holds, of every key, the newest record
///        that was applied when `covered` was the newest version.
///   CV2  A snapshot is let go only when a newer one is held and every version below the newer
///   one's
///        is below the snapshot floor: whoever may still read a superseded record finds it.
///
/// Threads: `covered` and `fetch` on any thread, fetch where waiting for the disk is allowed; `add`
/// and `release_below` on the persistence thread.
class ColdValues {
 public:
  /// What the writer applied up to `covered`, all of it and nothing later, is in `snapshot`.
  void add(Version covered, std::shared_ptr<const storage::BackendSnapshot> snapshot);
  /// Lets go of what no reader at or above `floor` can need.
  void release_below(Version floor);
  /// Up to here every record is in a held snapshot; 0 if none is held.
  [[nodiscard]] Version covered() const {
    return Version(covered_.load(std::memory_order_acquire));
  }
  /// The row's value at the ticket's version; nullopt if no held snapshot has that version: then
  /// the tables have moved on, and the read begins again. kCorruption if the value does not match
  /// the digest, or what the backend says.
  [[nodiscard]] base::Result<std::optional<base::Bytes>> fetch(const KeyRef& ref,
                                                               const ColdTicket& ticket,
                                                               const StateHasher& hasher) const;
  [[nodiscard]] std::size_t held() const;

 private:
  struct Held {
    Version covered;
    std::shared_ptr<const storage::BackendSnapshot> snapshot;
  };
  /// The likeliest first.
  [[nodiscard]] std::vector<Held> candidates(const ColdTicket& ticket) const;

  mutable std::mutex mutex_;
  std::deque<Held> held_;  ///< Oldest first.
  std::atomic<std::int64_t> covered_{0};
};

}  // namespace synod::core
