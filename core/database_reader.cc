// SPDX-License-Identifier: Apache-2.0
// The reading half of TransactionalKvDatabase: any thread, no locks, no I/O.
#include <optional>

#include "base/assert.h"
#include "core/transactional_kv_database.h"

namespace synod::core {
namespace {

/// Keys a scan passes under one epoch; a longer scan re-enters, so that memory keeps flowing.
constexpr std::size_t kKeysPerEpoch = 1'000;

/// The newest record at or below `at` (DB1); nullptr if the chain begins above it.
const Record* record_at(const KeyNode& node, Version at) {
  const Record* record = node.head.load(std::memory_order_acquire);
  while (record != nullptr && record->version > at) {
    record = record->older();
  }
  return record;
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

}  // namespace

PointRead TransactionalKvDatabase::read(std::string_view ns, Space space, base::BytesView key,
                                        Version at) const {
  PointRead result;
  const auto guard = epochs_.enter();
  const auto id = namespaces_.load(std::memory_order_acquire)->find(ns, at);
  if (!id) {
    result.kind = ReadKind::kUnknownNamespace;
  } else if (const KeyNode* node = points_.find(KeyRef{*id, space, key})) {
    const Record* record = record_at(*node, at);
    result.kind = judge(record, at, state_.version_clock());
    if (result.kind == ReadKind::kFound) {
      result.value = record->value();
      result.version = record->version;
      result.expiry = record->expiry();
    } else if (result.kind == ReadKind::kCold) {
      result.ticket = ColdTicket{*id, record->version, record->digest, {}};
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

ReadKind TransactionalKvDatabase::scan(
    const ScanBounds& bounds, Version at,
    base::Function<bool(base::BytesView key, base::BytesView value)> row) const {
  const auto pin = floor_.pin(at);
  std::optional<NamespaceId> ns;
  {
    const auto guard = epochs_.enter();
    ns = namespaces_.load(std::memory_order_acquire)->find(bounds.ns, at);
  }
  if (!floor_.covers(at)) return ReadKind::kTooOld;
  if (!ns) return ReadKind::kUnknownNamespace;
  base::Bytes resume(bounds.begin);
  bool inclusive = bounds.begin_inclusive;
  for (bool finished = false; !finished;) {
    const ReadKind end = scan_chunk(bounds, *ns, at, resume, inclusive, finished, row);
    if (end != ReadKind::kFound) return end;
    if (!floor_.covers(at)) return ReadKind::kTooOld;  // P3
  }
  return ReadKind::kFound;
}

ReadKind TransactionalKvDatabase::scan_chunk(
    const ScanBounds& bounds, NamespaceId ns, Version at, base::Bytes& resume,
    bool& resume_inclusive, bool& finished,
    base::Function<bool(base::BytesView, base::BytesView)>& row) const {
  const auto guard = epochs_.enter();
  std::size_t keys = 0;
  ReadKind end = ReadKind::kFound;
  finished = true;
  order_.scan(KeyRef{ns, bounds.space, resume}, resume_inclusive, [&](KeyNode& node) {
    if (is_past_end(bounds, ns, node.ref())) return false;
    const Record* record = record_at(node, at);
    const ReadKind kind = judge(record, at, state_.version_clock());
    if (kind == ReadKind::kFound && !row(node.key(), record->value())) return false;
    if (kind != ReadKind::kFound && kind != ReadKind::kMissing) {
      end = kind;
      return false;
    }
    if (++keys < kKeysPerEpoch) return true;
    resume.assign(node.key());
    resume_inclusive = false;
    finished = false;
    return false;
  });
  return end;
}

}  // namespace synod::core
