// SPDX-License-Identifier: Apache-2.0
// Reads of a TransactionalKvDatabase that may wait for the disk: values that left memory.
#include "base/text.h"
#include "core/transactional_kv_database.h"

namespace synod::core {
namespace {

/// CV2 makes the first attempt of a reader whose version is not too old succeed.
constexpr int kAttemptsMax = 3;

base::Status lost(const KeyRef& ref, const ColdTicket& ticket) {
  return {base::StatusCode::kCorruption,
          base::concat("the value of ", base::escape(ref.key), " at version ",
                       ticket.version.value(), " left memory, and no snapshot holds it")};
}

}  // namespace

base::Result<PointRead> TransactionalKvDatabase::read_waiting(std::string_view ns, Space space,
                                                              base::BytesView key,
                                                              Version at) const {
  PointRead found = read(ns, space, key, at);
  if (found.kind != ReadKind::kCold) return found;
  const auto pin = floor_.pin(at);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const KeyRef ref{found.ticket.ns, space, key};
    SYNOD_ASSIGN_OR_RETURN(auto value, fetch(ref, found.ticket));
    if (value) {
      offer_to_writer(ref, found.ticket, *value);
      // What the ticket names is what a reader at `at` sees, whatever the floor did since (P3).
      found.kind = ReadKind::kFound;
      found.value = std::move(*value);
      return found;
    }
    // The floor has passed `at`, or had before it was pinned: the tables know.
    found = read(ns, space, key, at);
    if (found.kind != ReadKind::kCold) return found;
  }
  return lost(KeyRef{found.ticket.ns, space, key}, found.ticket);
}

base::Result<ReadKind> TransactionalKvDatabase::scan_waiting(const ScanBounds& bounds, Version at,
                                                             RowVisitor row) const {
  return scan_from(bounds, at, true, row);
}

/// The row a scan stopped at. False if the visitor wants no more.
base::Result<bool> TransactionalKvDatabase::deliver_cold(const ScanBounds& bounds,
                                                         ScanPosition& position,
                                                         RowVisitor& row) const {
  const KeyRef ref{position.ticket.ns, bounds.space, position.key};
  SYNOD_ASSIGN_OR_RETURN(const auto value, fetch(ref, position.ticket));
  if (!value) {
    // Too old, which the next chunk finds out; or it finds the same row once more.
    if (++position.failures == kAttemptsMax) return lost(ref, position.ticket);
    return true;
  }
  position.failures = 0;
  position.is_inclusive = false;
  ++position.passed;
  // One scan of everything is no reason to push out what others read.
  if (used_bytes() < room_mark() / 2) offer_to_writer(ref, position.ticket, *value);
  return row(position.key, *value);
}

base::Result<std::optional<base::Bytes>> TransactionalKvDatabase::fetch(
    const KeyRef& ref, const ColdTicket& ticket) const {
  cold_reads_.fetch_add(1, std::memory_order_relaxed);
  return cold_.fetch(ref, ticket, state_.hasher());
}

void TransactionalKvDatabase::offer_to_writer(const KeyRef& ref, const ColdTicket& ticket,
                                              base::BytesView value) const {
  if (ticket.superseded) return;
  warm_.offer({ref.ns, ref.space, base::Bytes(ref.key), ticket.version, base::Bytes(value)});
}

bool TransactionalKvDatabase::is_cold(std::string_view ns, Space space, base::BytesView key) const {
  const auto guard = epochs_.enter();
  const auto id = namespaces_.load(std::memory_order_acquire)->find(ns, visible_version());
  if (!id) return false;
  const KeyNode* node = points_.find(KeyRef{*id, space, key});
  if (node == nullptr) return false;
  const Record* head = node->head.load(std::memory_order_acquire);
  return head != nullptr && head->is_cold;  // H3: null in a node that is being removed.
}

}  // namespace synod::core
