// SPDX-License-Identifier: Apache-2.0
// Filling a TransactionalKvDatabase from what the storage backend kept.
#include "base/assert.h"
#include "base/text.h"
#include "core/transactional_kv_database.h"

namespace synod::core {
namespace {
/// What both indexes will take for a node, and the list of nodes until then.
constexpr std::uint64_t kIndexBytes = 32;
/// There is no reader yet: what was replaced may go as soon as it is worth a look.
constexpr std::size_t kRetiredMax = 1'024;
constexpr std::uint64_t kLeavingBytesMax = 4U << 20U;
}  // namespace

struct TransactionalKvDatabase::Loading {
  std::vector<KeyNode*> nodes;
  std::size_t hand = 0;  ///< The values of the nodes before it have left again.
};

base::Result<LogIndex> TransactionalKvDatabase::load(const storage::StorageBackend& backend) {
  SYNOD_ASSERT(points_.size() == 0 && applied_index_ == LogIndex(0), "load fills an empty store");
  const char applied_key = kAppliedRow;
  const char scalars_key = kScalarsRow;
  SYNOD_ASSIGN_OR_RETURN(const auto applied_row, backend.get({&applied_key, 1}));
  SYNOD_ASSIGN_OR_RETURN(const auto scalars_row, backend.get({&scalars_key, 1}));
  if (!applied_row && scalars_row) {
    return base::Status(base::StatusCode::kCorruption, "the backend lacks its head rows");
  }
  if (scalars_row) {
    SYNOD_RETURN_IF_ERROR(state_.load_scalars(*scalars_row));
    // Nobody writes to the backend while it is loaded: one snapshot covers every row, so that
    // values beyond the bound never need to come into memory.
    if (cold_.is_wanted()) {
      SYNOD_RETURN_IF_ERROR(cold_.hold(state_.newest_version(), backend));
    }
  }
  SYNOD_RETURN_IF_ERROR(load_rows(backend, scalars_row.has_value()));
  if (!applied_row) return LogIndex(0);
  SYNOD_ASSIGN_OR_RETURN(const AppliedRow applied, parse_applied_row(*applied_row));
  SYNOD_RETURN_IF_ERROR(finish_loading(applied.index, applied.hash));
  return applied.index;
}

base::Status TransactionalKvDatabase::load_rows(const storage::StorageBackend& backend,
                                                bool has_scalars) {
  base::Status failed;
  Loading loading;
  // Nobody reads yet: a pause for a huge page harms nobody.
  heap_.set_eager(true);
  const base::Status scanned =
      backend.scan({}, {}, [&](base::BytesView key, base::BytesView value) {
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
          failed =
              kind == kEntryRow ? load_entry(key, value, loading) : state_.load_row(key, value);
        }
        return failed.ok();
      });
  heap_.set_eager(false);
  SYNOD_RETURN_IF_ERROR(scanned);
  SYNOD_RETURN_IF_ERROR(failed);
  // Both indexes at once: the backend's order is theirs.
  order_.build(loading.nodes);
  points_.build(loading.nodes);
  return {};
}

base::Status TransactionalKvDatabase::load_entry(base::BytesView key, base::BytesView value,
                                                 Loading& loading) {
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
  KeyNode* node = load_node(*ref, row, loading);
  entries_hash_.add(state_.hasher().entry(*ref, row.header));
  if (row.header.type == RecordType::kTombstone) {
    // Stored tombstones are those not yet forgotten, whether or not the floor has passed them.
    tombstones_.add(row.header.version, *node);
    tombstone_bytes_ += tombstone_cost(*node);
    return {};
  }
  if (row.header.expiry != TimeMs(0)) expiries_.add(row.header.expiry, *node);
  keys_.fetch_add(1, std::memory_order_relaxed);
  live_bytes_.fetch_add(node->key_size() + row.value.size(), std::memory_order_relaxed);
  count_value(*node->head.load(std::memory_order_relaxed));
  return {};
}

/// The node of a row, without its value if there is no room for that. Keys that come later need
/// the room of values that came before.
KeyNode* TransactionalKvDatabase::load_node(const KeyRef& ref, const EntryRow& row,
                                            Loading& loading) {
  const auto size = static_cast<std::uint32_t>(row.value.size());
  const bool is_held = row.header.version <= cold_.covered();
  const auto is_full = [&](std::uint64_t more) {
    return is_bounded() && used_bytes() + loading.nodes.size() * kIndexBytes + more > room_mark();
  };
  while (loading.hand < loading.nodes.size() && is_full(0)) {
    (void)drop_value(*loading.nodes[loading.hand++], true);
  }
  if (epochs_.retired_count() >= kRetiredMax || heap_.bytes_retired() >= kLeavingBytesMax) {
    epochs_.collect();
  }
  const bool may_leave =
      row.header.type != RecordType::kTombstone && size > 0 && size >= options_.spill_bytes_min;
  loading.nodes.push_back(may_leave && is_held && is_full(size)
                              ? heap_.create_cold_node(ref, row.header, size)
                              : heap_.create_node(ref, row.header, row.value));
  return loading.nodes.back();
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
  floor_.raise(newest, base::Nanos(0), SnapshotFloor::kPinMax);
  visible_version_.store(newest.value(), std::memory_order_release);
  epochs_.collect();
  count_lists();
  return {};
}

}  // namespace synod::core
