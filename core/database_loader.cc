// SPDX-License-Identifier: Apache-2.0
// Filling a TransactionalKvDatabase from what the storage backend kept.
#include "base/assert.h"
#include "base/text.h"
#include "core/transactional_kv_database.h"

namespace synod::core {
base::Result<LogIndex> TransactionalKvDatabase::load(const storage::StorageBackend& backend) {
  SYNOD_ASSERT(points_.size() == 0 && applied_index_ == LogIndex(0), "load fills an empty store");
  const char applied_key = kAppliedRow;
  const char scalars_key = kScalarsRow;
  SYNOD_ASSIGN_OR_RETURN(const auto applied_row, backend.get({&applied_key, 1}));
  SYNOD_ASSIGN_OR_RETURN(const auto scalars_row, backend.get({&scalars_key, 1}));
  if (!applied_row && scalars_row) {
    return base::Status(base::StatusCode::kCorruption, "the backend lacks its head rows");
  }
  if (scalars_row) SYNOD_RETURN_IF_ERROR(state_.load_scalars(*scalars_row));
  SYNOD_RETURN_IF_ERROR(load_rows(backend, scalars_row.has_value()));
  if (!applied_row) return LogIndex(0);
  SYNOD_ASSIGN_OR_RETURN(const AppliedRow applied, parse_applied_row(*applied_row));
  SYNOD_RETURN_IF_ERROR(finish_loading(applied.index, applied.hash));
  return applied.index;
}

base::Status TransactionalKvDatabase::load_rows(const storage::StorageBackend& backend,
                                                bool has_scalars) {
  base::Status failed;
  SYNOD_RETURN_IF_ERROR(backend.scan({}, {}, [&](base::BytesView key, base::BytesView value) {
    const char kind = key.empty() ? '\0' : key[0];
    if (key.size() == 1 && (kind == kAppliedRow || kind == kScalarsRow)) return true;
    if (key.size() == 1 && kind == kLabelRow) {
      label_ = base::Bytes(value);
      return true;
    }
    if (!has_scalars) {
      // Before the first policy there is nothing but the position in the log.
      failed = {base::StatusCode::kCorruption, "the backend lacks its head rows"};
    } else {
      failed = kind == kEntryRow ? load_entry(key, value) : state_.load_row(key, value);
    }
    return failed.ok();
  }));
  return failed;
}

base::Status TransactionalKvDatabase::load_entry(base::BytesView key, base::BytesView value) {
  const auto ref = parse_entry_row_key(key);
  if (!ref) return {base::StatusCode::kCorruption, "an entry row has a malformed key"};
  SYNOD_ASSIGN_OR_RETURN(const EntryRow row, parse_entry_row_value(value));
  if (row.header.version > state_.newest_version()) {
    return {base::StatusCode::kCorruption,
            base::concat("entry ", base::escape(ref->key), " is newer than the newest version")};
  }
  if (state_.hasher().digest(row.value) != row.header.digest &&
      row.header.type != RecordType::kTombstone) {
    return {base::StatusCode::kCorruption,
            base::concat("the value of ", base::escape(ref->key), " does not match its digest")};
  }
  KeyNode* node = KeyNode::create(*ref);
  Record* record = Record::create(row.header, row.value);
  node->head.store(record, std::memory_order_relaxed);
  order_.insert(node);
  points_.insert(node);
  if (row.header.type == RecordType::kTombstone) {
    // Stored tombstones are those not yet forgotten, whether or not the floor has passed them.
    tombstones_.emplace(row.header.version, node);
    tombstone_bytes_ += tombstone_cost(*node);
    entries_hash_.add(state_.hasher().entry(node->ref(), row.header));
  } else {
    tally(*node, *record);
  }
  return {};
}

base::Status TransactionalKvDatabase::finish_loading(LogIndex applied, const StateHash& stored) {
  SYNOD_RETURN_IF_ERROR(state_.check_loaded());
  write_behind_.discard_open();
  if (!(hash() == stored)) {
    return {base::StatusCode::kCorruption, base::concat("the rows hash to ", hash().to_string(),
                                                        ", stored is ", stored.to_string())};
  }
  applied_index_ = applied;
  sealed_index_ = applied;
  const Version newest = state_.newest_version();
  recent_.reset(newest);
  publish_namespaces();
  floor_.raise(newest, base::Nanos(0));
  visible_version_.store(newest.value(), std::memory_order_release);
  epochs_.collect();
  return {};
}

}  // namespace synod::core
