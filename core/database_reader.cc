// SPDX-License-Identifier: Apache-2.0
// The reading half of TransactionalKvDatabase: any thread, no locks, no I/O.
#include <optional>

#include "base/assert.h"
#include "core/transactional_kv_database.h"

namespace synod::core {
namespace {

/// Keys a scan passes under one epoch; a longer scan re-enters, so that memory keeps flowing.
constexpr std::size_t kKeysPerEpoch = 1'000;

struct Visible {
  const Record* record = nullptr;
  const Record* newer = nullptr;  ///< What superseded it; null if nothing has.
};

/// The newest record at or below `at` (DB1); null if the chain begins above it.
Visible record_at(const KeyNode& node, Version at) {
  Visible found{node.head.load(std::memory_order_acquire), nullptr};
  while (found.record != nullptr && found.record->version > at) {
    found.newer = found.record;
    found.record = found.record->older();
  }
  return found;
}

ColdTicket ticket_for(NamespaceId ns, const Visible& found) {
  ColdTicket ticket;
  ticket.ns = ns;
  ticket.version = found.record->version;
  ticket.digest = found.record->digest;
  if (found.newer != nullptr) ticket.superseded = found.newer->version;
  return ticket;
}

/// Tells the hand that the value is in use. Written once a round, so that readers of one key do
/// not take its line from each other.
void mark_read(const Record& record) {
  if (record.was_read.load(std::memory_order_relaxed)) return;
  record.was_read.store(true, std::memory_order_relaxed);
}

/// What a reader at `at` makes of a record.
ReadKind judge(const Record* record, Version at, const VersionClock& clock) {
  if (record == nullptr || record->is_tombstone()) return ReadKind::kMissing;
  if (record->expiry() != TimeMs(0)) {
    const auto now = clock.clock_at(at);
    if (!now) return ReadKind::kTooOld;
    if (record->expiry() <= *now) return ReadKind::kMissing;
  }
  return record->is_cold ? ReadKind::kCold : ReadKind::kFound;
}

bool is_past_end(const ScanBounds& bounds, NamespaceId ns, const KeyRef& ref) {
  if (ref.ns != ns || ref.space != bounds.space) return true;
  if (!bounds.end) return false;
  return bounds.end_inclusive ? ref.key > *bounds.end : ref.key >= *bounds.end;
}

bool is_behind_limit(const ScanBounds& bounds, std::uint64_t passed) {
  return bounds.limit > 0 && passed - bounds.skip >= bounds.limit;
}

}  // namespace

PointRead TransactionalKvDatabase::read(std::string_view ns, Space space, base::BytesView key,
                                        Version at) const {
  PointRead result;
  const auto guard = epochs_.enter();
  const auto id = namespaces_.load(std::memory_order_acquire)->find(ns, at);
  if (!id) {
    result.kind = ReadKind::kUnknownNamespace;
  } else if (const KeyNode* node = points_.find(KeyRef{*id, space, key})) {
    const Visible found = record_at(*node, at);
    result.kind = judge(found.record, at, state_.version_clock());
    const bool is_cold = result.kind == ReadKind::kCold;
    if (is_cold || result.kind == ReadKind::kFound) {
      result.version = found.record->version;
      result.expiry = found.record->expiry();
      if (is_cold) {
        result.ticket = ticket_for(*id, found);
      } else {
        result.value = found.record->value();
        if (is_bounded()) mark_read(*found.record);
      }
    }
  }
  // P3: what was read is complete only if the floor did not pass meanwhile.
  if (!floor_.covers(at)) {
    PointRead too_old;
    too_old.kind = ReadKind::kTooOld;
    return too_old;
  }
  return result;
}

ReadKind TransactionalKvDatabase::scan(const ScanBounds& bounds, Version at, RowVisitor row) const {
  return *scan_from(bounds, at, false, row);
}

/// Only one that waits can fail.
base::Result<ReadKind> TransactionalKvDatabase::scan_from(const ScanBounds& bounds, Version at,
                                                          bool waits, RowVisitor& row) const {
  const auto pin = floor_.pin(at);
  std::optional<NamespaceId> ns;
  {
    const auto guard = epochs_.enter();
    ns = namespaces_.load(std::memory_order_acquire)->find(bounds.ns, at);
  }
  if (!floor_.covers(at)) return ReadKind::kTooOld;
  if (!ns) return ReadKind::kUnknownNamespace;
  ScanPosition position;
  position.key.assign(bounds.begin);
  position.is_inclusive = bounds.begin_inclusive;
  while (!position.is_finished) {
    const ReadKind end = scan_chunk(bounds, *ns, at, position, row);
    if (!floor_.covers(at)) return ReadKind::kTooOld;  // P3
    if (end == ReadKind::kFound) continue;
    if (end != ReadKind::kCold || !waits) return end;
    SYNOD_ASSIGN_OR_RETURN(const bool goes_on, deliver_cold(bounds, position, row));
    if (!goes_on) break;
  }
  return ReadKind::kFound;
}

ReadKind TransactionalKvDatabase::scan_chunk(const ScanBounds& bounds, NamespaceId ns, Version at,
                                             ScanPosition& position, RowVisitor& row) const {
  const auto guard = epochs_.enter();
  std::size_t keys = 0;
  ReadKind end = ReadKind::kFound;
  bool is_finished = true;
  order_.scan(KeyRef{ns, bounds.space, position.key}, position.is_inclusive, [&](KeyNode& node) {
    if (is_past_end(bounds, ns, node.ref())) return false;
    const Visible found = record_at(node, at);
    ReadKind kind = judge(found.record, at, state_.version_clock());
    if (kind == ReadKind::kFound || kind == ReadKind::kCold) {
      const bool is_skipped = position.passed < bounds.skip;
      const bool is_bare = !is_skipped && is_behind_limit(bounds, position.passed);
      if (is_skipped || is_bare) kind = ReadKind::kFound;
      if (kind == ReadKind::kFound) ++position.passed;
      if (is_bare && !row(node.key(), {})) return false;
      const bool has_value = !is_skipped && !is_bare && kind == ReadKind::kFound;
      if (has_value && !row(node.key(), found.record->value())) return false;
    }
    if (kind != ReadKind::kFound && kind != ReadKind::kMissing) {
      end = kind;
      if (kind == ReadKind::kCold) position.ticket = ticket_for(ns, found);
    } else if (++keys < kKeysPerEpoch) {
      return true;
    }
    position.key.assign(node.key());
    position.is_inclusive = kind == ReadKind::kCold;
    is_finished = false;
    return false;
  });
  position.is_finished = is_finished;
  return end;
}

}  // namespace synod::core
