// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "base/bytes.h"
#include "base/status.h"
#include "core/kv_database.h"
#include "core/snapshot_floor.h"
#include "core/state/state_hash.h"
#include "core/types.h"
#include "storage/storage_backend.h"

namespace synod::core {

/// Values that left memory, and the backend's snapshots in which they are found.
///
/// A value may leave memory only while a snapshot is held that contains exactly its record; the
/// snapshots are held until no reader can need them.
///
/// Owned by TransactionalKvDatabase, fed by Persistence; must end before the backend.
///
/// Invariants
///   CV1  covered() never decreases, and the newest snapshot holds, of every key, the newest record
///        that was applied when `covered` was the newest version.
///   CV2  A snapshot is let go only when a newer one is held and the snapshot floor has reached
///        that one's version. Let R be a cold record written at r and superseded by what was
///        applied at s. Some snapshot in [r, s) was held when R's value left; the last one below s
///        goes only after the floor has reached a snapshot at or above s, and then no reader may
///        read R any more.
///   CV3  A fetch returns the bytes that were written at the ticket's version, or says that it has
///        none: version and digest of what was read are compared.
///
/// Threads: `add`, `release` and `give_up` on the persistence thread (or before there is one);
/// everything else on any thread, `fetch` where waiting for the disk is allowed.
class ColdValues {
 public:
  /// `is_wanted`: values may leave memory at all.
  ColdValues(bool is_wanted, const SnapshotFloor& floor) : is_wanted_(is_wanted), floor_(floor) {}

  /// False: nobody needs snapshots.
  [[nodiscard]] bool is_wanted() const { return is_wanted_.load(std::memory_order_relaxed); }
  /// The engine keeps no snapshots: all values stay.
  void give_up() { is_wanted_.store(false, std::memory_order_relaxed); }
  /// The writer waits for values that may leave: a snapshot is wanted sooner.
  void hurry(bool is_hurried) { is_hurried_.store(is_hurried, std::memory_order_relaxed); }
  [[nodiscard]] bool is_hurried() const { return is_hurried_.load(std::memory_order_relaxed); }

  /// Holds what the backend has now: what was applied up to `covered`, all of it and nothing later.
  /// Gives up, which is no failure, if the engine keeps no snapshots.
  [[nodiscard]] base::Status hold(Version covered, const storage::StorageBackend& backend);
  /// What was applied up to `covered`, all of it and nothing later, is in `snapshot`.
  void add(Version covered, std::shared_ptr<const storage::BackendSnapshot> snapshot);
  /// Lets go of what no reader can need any more.
  void release();
  /// Up to here every record is in a held snapshot; 0 if none is held.
  [[nodiscard]] Version covered() const {
    return Version(covered_.load(std::memory_order_acquire));
  }
  [[nodiscard]] std::size_t held() const;

  /// The row's value at the ticket's version; nullopt if no held snapshot has that version: then
  /// the floor has passed the reader, who holds a pin or begins again. kCorruption if the value
  /// does not match the digest, or what the backend says. REQUIRES: no epoch is held.
  [[nodiscard]] base::Result<std::optional<base::Bytes>> fetch(const KeyRef& ref,
                                                               const ColdTicket& ticket,
                                                               const StateHasher& hasher) const;

 private:
  struct Held {
    Version covered{0};
    std::shared_ptr<const storage::BackendSnapshot> snapshot;
  };
  /// The newest held snapshot in [from, below); its pointer is null if there is none.
  [[nodiscard]] Held newest_in(Version from, Version below) const;
  [[nodiscard]] base::Result<std::optional<base::Bytes>> fetch_in(const KeyRef& ref,
                                                                  const ColdTicket& ticket,
                                                                  const StateHasher& hasher,
                                                                  Version from,
                                                                  Version below) const;

  std::atomic<bool> is_wanted_;
  std::atomic<bool> is_hurried_{false};
  const SnapshotFloor& floor_;
  mutable std::mutex mutex_;
  std::deque<Held> held_;  ///< Oldest first.
  std::atomic<std::int64_t> covered_{0};
};

}  // namespace synod::core
