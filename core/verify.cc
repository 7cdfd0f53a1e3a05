// SPDX-License-Identifier: Apache-2.0
// Deep verification: recomputes what is kept incrementally and compares every copy of the data.
#include <string>

#include "base/codec.h"
#include "base/text.h"
#include "core/transactional_kv_database.h"

namespace synod::core {
namespace {

base::Status differs(std::string what) { return {base::StatusCode::kCorruption, std::move(what)}; }

std::string name_of(const KeyRef& ref) {
  return base::concat("key ", base::escape(ref.key), " of namespace ", ref.ns.value());
}

/// Discards rows: verification rebuilds state without writing anything.
class NoRows final : public RowSink {
 public:
  void put_row(base::BytesView /*key*/, base::BytesView /*value*/) override {}
  void erase_row(base::BytesView /*key*/) override {}
};

}  // namespace

/// What the tables keep incrementally, computed again from the nodes.
struct TransactionalKvDatabase::Recount {
  StateHash sum;
  std::uint64_t nodes = 0;
  std::uint64_t keys = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t value_bytes = 0;
  std::uint64_t droppable_bytes = 0;
  std::uint64_t spilled_values = 0;
  std::uint64_t spilled_bytes = 0;
  std::uint64_t expiries = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t tombstone_bytes = 0;
};

base::Status TransactionalKvDatabase::verify_node(const KeyNode& node, Recount& recount) const {
  if (points_.find(node.ref()) != &node) {
    return differs(
        base::concat(name_of(node.ref()), " is in the B-tree but not in the cuckoo table"));
  }
  const Record& head = *node.head.load(std::memory_order_relaxed);
  ++recount.nodes;
  if (!head.is_tombstone()) {
    ++recount.keys;
    recount.live_bytes += node.key_size() + head.value_size();
    recount.value_bytes += head.value_size();
    if (head.is_cold) {
      ++recount.spilled_values;
      recount.spilled_bytes += head.value_size();
      if (head.version > cold_.covered()) {
        return differs(base::concat("the value of ", name_of(node.ref()), " is held nowhere"));
      }
    } else if (may_leave(head)) {
      recount.droppable_bytes += head.value_size();
    }
    recount.sum.add(state_.hasher().entry(node.ref(), head.header()));
    if (head.expiry() != TimeMs(0)) {
      ++recount.expiries;
      if (!expiries_.contains(head.expiry(), node)) {
        return differs(base::concat("the expiry of ", name_of(node.ref()), " is not indexed"));
      }
    }
  } else if (tombstones_.contains(head.version, node)) {
    ++recount.tombstones;
    recount.tombstone_bytes += tombstone_cost(node);
    recount.sum.add(state_.hasher().entry(node.ref(), head.header()));
  }
  Version above(INT64_MAX);
  for (const Record* record = &head; record != nullptr; record = record->older()) {
    if (record->version >= above) {
      return differs(base::concat("versions of ", name_of(node.ref()), " do not decrease"));
    }
    above = record->version;
    if (!record->is_tombstone() && !record->is_cold &&
        state_.hasher().digest(record->value()) != record->digest) {
      return differs(
          base::concat("a value of ", name_of(node.ref()), " does not match its digest"));
    }
  }
  return {};
}

base::Status TransactionalKvDatabase::verify_counts(const Recount& recount) const {
  const auto compare = [](const char* what, std::uint64_t counted, std::uint64_t kept) {
    if (counted == kept) return base::Status();
    return differs(base::concat(what, ": counted ", counted, ", kept is ", kept));
  };
  SYNOD_RETURN_IF_ERROR(compare("keys of the cuckoo table", recount.nodes, points_.size()));
  SYNOD_RETURN_IF_ERROR(compare("present keys", recount.keys, key_count()));
  SYNOD_RETURN_IF_ERROR(compare("live bytes", recount.live_bytes, live_bytes()));
  SYNOD_RETURN_IF_ERROR(compare("value bytes", recount.value_bytes, value_bytes_));
  SYNOD_RETURN_IF_ERROR(
      compare("bytes that may leave memory", recount.droppable_bytes, droppable_bytes_));
  SYNOD_RETURN_IF_ERROR(compare("values on disk alone", recount.spilled_values, spilled_values_));
  SYNOD_RETURN_IF_ERROR(compare("bytes on disk alone", recount.spilled_bytes, spilled_bytes_));
  SYNOD_RETURN_IF_ERROR(compare("expiries", recount.expiries, expiries_.size()));
  SYNOD_RETURN_IF_ERROR(compare("tombstones", recount.tombstones, tombstones_.size()));
  SYNOD_RETURN_IF_ERROR(compare("tombstone bytes", recount.tombstone_bytes, tombstone_bytes_));
  if (recount.sum == entries_hash_) return {};
  return differs(base::concat("entries hash to ", recount.sum.to_string(), ", kept is ",
                              entries_hash_.to_string()));
}

base::Status TransactionalKvDatabase::verify_tables() const {
  Recount recount;
  const KeyNode* previous = nullptr;
  base::Status failed;
  order_.scan(KeyRef{NamespaceId(0), Space(0), {}}, true, [&](KeyNode& node) {
    if (previous != nullptr && !(previous->ref() < node.ref())) {
      failed = differs(base::concat(name_of(node.ref()), " is out of order in the B-tree"));
    } else {
      failed = verify_node(node, recount);
    }
    previous = &node;
    return failed.ok();
  });
  SYNOD_RETURN_IF_ERROR(failed);
  return verify_counts(recount);
}

base::Status TransactionalKvDatabase::verify_backend(const storage::StorageBackend& backend) const {
  NoRows no_rows;
  ReplicatedState stored(no_rows);
  const char scalars_key = kScalarsRow;
  const char applied_key = kAppliedRow;
  SYNOD_ASSIGN_OR_RETURN(const auto scalars, backend.get({&scalars_key, 1}));
  if (!scalars && (state_.has_policy() || key_count() != 0)) {
    return differs("the backend has no scalars row");
  }
  const char label_key = kLabelRow;
  SYNOD_ASSIGN_OR_RETURN(const auto label_row, backend.get({&label_key, 1}));
  if (label_row.value_or(base::Bytes()) != label_) return differs("the label row is another one");
  if (applied_index_ == LogIndex(0)) return {};
  SYNOD_ASSIGN_OR_RETURN(const auto applied_row, backend.get({&applied_key, 1}));
  if (!applied_row) return differs("the backend has no applied row");
  SYNOD_ASSIGN_OR_RETURN(const AppliedRow applied, parse_applied_row(*applied_row));
  if (applied.index != applied_index_ || !(applied.hash == hash())) {
    return differs(base::concat("the applied row says ", applied.index.value(), " ",
                                applied.hash.to_string(), ", the tables ", applied_index_.value(),
                                " ", hash().to_string()));
  }
  if (!scalars) return {};
  SYNOD_RETURN_IF_ERROR(stored.load_scalars(*scalars));
  StateHash sum;
  base::Status failed;
  SYNOD_RETURN_IF_ERROR(backend.scan({}, {}, [&](base::BytesView key, base::BytesView value) {
    if (key == base::BytesView(&scalars_key, 1) || key == base::BytesView(&applied_key, 1) ||
        key == base::BytesView(&label_key, 1)) {
      return true;
    }
    const auto ref = parse_entry_row_key(key);
    if (!ref) {
      failed = stored.load_row(key, value);
      return failed.ok();
    }
    const auto row = parse_entry_row_value(value);
    const KeyNode* node = points_.find(*ref);
    if (!row.ok() || node == nullptr) {
      failed = differs(base::concat(name_of(*ref), " is damaged or unknown in the backend"));
      return false;
    }
    const Record& head = *node->head.load(std::memory_order_relaxed);
    if (head.version != row->header.version || head.digest != row->header.digest ||
        row->value.size() != head.value_size() ||
        (!head.is_tombstone() && state_.hasher().digest(row->value) != head.digest)) {
      failed = differs(base::concat(name_of(*ref), " differs between tables and backend"));
      return false;
    }
    sum.add(state_.hasher().entry(*ref, row->header));
    return true;
  }));
  SYNOD_RETURN_IF_ERROR(failed);
  SYNOD_RETURN_IF_ERROR(stored.check_loaded());
  sum.add(stored.hash());
  if (sum == hash()) return {};
  return differs(base::concat("the backend hashes to ", sum.to_string(), ", the tables to ",
                              hash().to_string()));
}

}  // namespace synod::core
