// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/function.h"
#include "base/status.h"
#include "core/state/replicated_state.h"
#include "core/table/key_node.h"
#include "core/types.h"

namespace synod::core {

/// How a read of one version ended.
enum class ReadKind : std::uint8_t {
  kFound,
  kMissing,
  kTooOld,            ///< The version lies below the snapshot floor.
  kUnknownNamespace,  ///< The name did not exist at that version.
  kCold,              ///< The value left memory; the storage pool fetches it by `ticket`.
};

/// What it takes to fetch a cold value. Holds no pointer and no epoch.
struct ColdTicket {
  NamespaceId ns{0};
  Version version{0};
  std::uint64_t digest = 0;
  std::optional<Version> superseded;  ///< By the record of this version, when it was read.
};

struct PointRead {
  ReadKind kind = ReadKind::kMissing;
  base::Bytes value;
  Version version{0};  ///< With kFound and kCold, as the next.
  TimeMs expiry{0};
  ColdTicket ticket;
};

struct ScanBounds {
  std::string_view ns;
  Space space = kUserSpace;
  base::BytesView begin;
  bool begin_inclusive = true;
  std::optional<base::BytesView> end;  ///< nullopt: to the last key of the space.
  bool end_inclusive = false;
  std::uint64_t skip = 0;   ///< So many present keys are passed by first.
  std::uint64_t limit = 0;  ///< Keys behind so many come without their value; 0: none.
};

/// The newest entry of a key as the writer sees it, all of it but the value.
struct LatestEntry {
  bool present = false;  ///< False for a missing key and for a tombstone.
  Version version{0};    ///< Of the entry or the tombstone; 0 if neither is known.
  TimeMs expiry{0};
  std::uint32_t value_size = 0;
};

/// What KvServiceCore needs of a store: versioned reads for everybody, and for the one writer the
/// newest entries, conflict questions and bounded housekeeping. No rule about what an operation
/// means lives behind this interface.
///
/// Threads: the read methods from any thread; the others from the writer alone.
class KvDatabase {
 public:
  virtual ~KvDatabase() = default;

  // Reading, any thread.
  [[nodiscard]] virtual Version visible_version() const = 0;
  [[nodiscard]] virtual PointRead read(std::string_view ns, Space space, base::BytesView key,
                                       Version at) const = 0;
  /// Calls `row` for each key behind `skip` that is present at `at`, in order, until it returns
  /// false. Values that nobody wants are not looked for. Ends in kFound, kUnknownNamespace, kCold,
  /// or kTooOld: then discard what was delivered.
  [[nodiscard]] virtual ReadKind scan(
      const ScanBounds& bounds, Version at,
      base::Function<bool(base::BytesView key, base::BytesView value)> row) const = 0;

  // Reading where the disk may be waited for: the same answers, never kCold. A failed one means
  // that the disk could not be read (kIoError) or holds something else than was written
  // (kCorruption). A store that keeps all values needs nothing of its own.
  [[nodiscard]] virtual base::Result<PointRead> read_waiting(std::string_view ns, Space space,
                                                             base::BytesView key,
                                                             Version at) const {
    return read(ns, space, key, at);
  }
  [[nodiscard]] virtual base::Result<ReadKind> scan_waiting(
      const ScanBounds& bounds, Version at,
      base::Function<bool(base::BytesView key, base::BytesView value)> row) const {
    return scan(bounds, at, std::move(row));
  }
  /// True if the newest value of the key is not in memory now.
  [[nodiscard]] virtual bool is_cold(std::string_view /*ns*/, Space /*space*/,
                                     base::BytesView /*key*/) const {
    return false;
  }

  // The writer.
  [[nodiscard]] virtual ReplicatedState& state() = 0;
  [[nodiscard]] virtual LatestEntry latest(const KeyRef& ref) const = 0;
  /// The value of latest(ref), from wherever it is; it lives until the operation is finished.
  /// REQUIRES: the entry is present.
  [[nodiscard]] virtual base::BytesView latest_value(const KeyRef& ref) = 0;
  /// True if a key in [begin, end) (`end` empty: to the last) was written above `after`, or its
  /// expiry lies in (after_clock, now].
  [[nodiscard]] virtual bool range_changed(NamespaceId ns, Space space, base::BytesView begin,
                                           base::BytesView end, Version after, TimeMs after_clock,
                                           TimeMs now) const = 0;
  /// Calls `key` for each entry in [begin, end) present at `now`, in order, until it returns false.
  virtual void visit_present(NamespaceId ns, Space space, base::BytesView begin,
                             base::BytesView end, TimeMs now,
                             base::Function<bool(base::BytesView key)> key) const = 0;
  virtual void put(const KeyRef& ref, base::BytesView value, TimeMs expiry, Version version) = 0;
  virtual void erase(const KeyRef& ref, Version version) = 0;
  /// Turns up to `keys_max` entries whose expiry is at or before `clock` into tombstones, in
  /// (expiry, key) order, each at the first version whose clock reached its expiry.
  virtual std::size_t sweep_expired(TimeMs clock, std::size_t keys_max) = 0;
  /// Removes up to `keys_max` entries of a cleared namespace id at `version`; fewer: it is empty.
  virtual std::size_t sweep_namespace(NamespaceId ns, Version version, std::size_t keys_max) = 0;
  /// Forgets up to `keys_max` tombstones at or below the conflict floor, oldest first.
  virtual std::size_t drop_tombstones(Version conflict_floor, std::size_t keys_max) = 0;
  /// Bytes of the tombstones kept for conflict checks, from key lengths alone.
  [[nodiscard]] virtual std::uint64_t tombstone_bytes() const = 0;
  /// Version of the oldest tombstone kept; nullopt if there is none.
  [[nodiscard]] virtual std::optional<Version> oldest_tombstone() const = 0;
  /// The earliest expiry among present entries; nullopt if none expires.
  [[nodiscard]] virtual std::optional<TimeMs> next_expiry() const = 0;
  /// Ends the operation at `index`: its rows are never persisted in part, its version is visible.
  virtual void finish(LogIndex index) = 0;
};

}  // namespace synod::core
