// SPDX-License-Identifier: Apache-2.0
#include "core/transactional_kv_database.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::core {
namespace {

std::uint64_t record_cost(const Record& record) {
  return (record.is_cold ? 0 : record.value_size()) + sizeof(Record);
}

/// Steps of one call of housekeep, of each kind.
constexpr std::size_t kStepsMax = 4'096;
/// What one call frees at most: more than a group of writes supersedes, less than a long pause.
constexpr std::uint64_t kCutBytesMax = 16U << 20U;
/// And of objects that readers may have held: half a millisecond, or this share of them.
constexpr std::size_t kCollectedMax = 4'096;
constexpr std::size_t kCollectedShare = 8;
/// Nodes the hand passes after an operation and in one call of housekeep: microseconds, and less
/// than a millisecond together with what is freed there.
constexpr std::size_t kNodesPerOperation = 32;
constexpr std::size_t kNodesPerHousekeeping = 512;
/// With a memory bound, history takes at most one part in so many of it.
constexpr std::uint64_t kHistoryShare = 8;
/// And so little of it is not worth the readers it would end.
constexpr std::uint64_t kSmallHistoryShare = 64;

/// So many bytes of fetched values wait for the writer at most.
constexpr std::uint64_t kWarmBytesMax = 4U << 20U;

void destroy_view(void* view) { delete static_cast<const NamespaceView*>(view); }

}  // namespace

TransactionalKvDatabase::TransactionalKvDatabase(const DatabaseOptions& options)
    : options_(options),
      heap_(epochs_, options.node_range_bytes),
      points_(base::random_sip_key(), epochs_, heap_.base()),
      order_(epochs_, heap_.base()),
      state_(write_behind_),
      cold_(options.memory_bytes_max != 0, floor_),
      warm_(kWarmBytesMax),
      expiries_(heap_.base()),
      tombstones_(heap_.base()) {
  heap_.set_pages(&pages_);
  points_.set_pages(&pages_);
  publish_namespaces();
}

TransactionalKvDatabase::~TransactionalKvDatabase() {
  delete namespaces_.load(std::memory_order_relaxed);
}

LatestEntry TransactionalKvDatabase::latest(const KeyRef& ref) const {
  const KeyNode* node = points_.find(ref);
  if (node == nullptr) return {};
  const Record& record = *node->head.load(std::memory_order_relaxed);
  LatestEntry entry;
  entry.version = record.version;
  entry.present = !record.is_tombstone();
  if (entry.present) {
    entry.expiry = record.expiry();
    entry.value_size = record.value_size();
  }
  return entry;
}

bool TransactionalKvDatabase::range_changed(NamespaceId ns, Space space, base::BytesView begin,
                                            base::BytesView end, Version after, TimeMs after_clock,
                                            TimeMs now) const {
  SYNOD_ASSERT(after >= state_.conflict_floor(), "W2: below the floor the answer is TOO_OLD");
  const auto inside = [&](const KeyRef& ref) {
    return ref.ns == ns && ref.space == space && ref.key >= begin && (end.empty() || ref.key < end);
  };
  // Both ways give the same verdict; walk the range until it proves longer than the ring's part.
  std::size_t budget = SIZE_MAX;
  if (after >= recent_.covered_from()) budget = recent_.count_after(after) + 1;
  bool changed = false;
  bool complete = true;
  order_.scan(KeyRef{ns, space, begin}, true, [&](KeyNode& node) {
    if (!inside(node.ref())) return false;
    if (budget-- == 0) {
      complete = false;
      return false;
    }
    const Record& record = *node.head.load(std::memory_order_relaxed);
    const TimeMs expiry = record.expiry();
    const bool expired =
        !record.is_tombstone() && expiry != TimeMs(0) && expiry > after_clock && expiry <= now;
    changed = record.version > after || expired;
    return !changed;
  });
  if (changed || complete) return changed;
  if (recent_.touched(ns, space, begin, end, after)) return true;
  return expiries_.any_between(after_clock, now,
                               [&](const KeyNode& node) { return inside(node.ref()); });
}

void TransactionalKvDatabase::visit_present(NamespaceId ns, Space space, base::BytesView begin,
                                            base::BytesView end, TimeMs now,
                                            base::Function<bool(base::BytesView key)> key) const {
  order_.scan(KeyRef{ns, space, begin}, true, [&](KeyNode& node) {
    if (node.ns() != ns || node.space() != space || (!end.empty() && node.key() >= end))
      return false;
    const Record& record = *node.head.load(std::memory_order_relaxed);
    const TimeMs expiry = record.expiry();
    if (record.is_tombstone() || (expiry != TimeMs(0) && expiry <= now)) return true;
    return key(node.key());
  });
}

void TransactionalKvDatabase::put(const KeyRef& ref, base::BytesView value, TimeMs expiry,
                                  Version version) {
  RecordHeader header;
  header.version = version;
  header.expiry = expiry;
  header.digest = state_.hasher().digest(value);
  header.type = RecordType::kBytes;
  write(ref, header, value, version);
}

void TransactionalKvDatabase::erase(const KeyRef& ref, Version version) {
  RecordHeader header;
  header.version = version;
  header.type = RecordType::kTombstone;
  write(ref, header, {}, version);
}

void TransactionalKvDatabase::write(const KeyRef& ref, const RecordHeader& header,
                                    base::BytesView value, Version applied) {
  if (KeyNode* known = points_.find(ref)) {
    write_node(*known, header, value, applied);
    return;
  }
  KeyNode& node = *heap_.create_node(ref, header, value);
  order_.insert(&node);
  points_.insert(&node);  // DB3
  const Record& record = *node.head.load(std::memory_order_relaxed);
  count(node, record);
  recent_.add(applied, header.version, node);
  if (record.is_tombstone()) bury(node, header.version);
}

void TransactionalKvDatabase::write_node(KeyNode& node, const RecordHeader& header,
                                         base::BytesView value, Version applied) {
  const Record& old = *node.head.load(std::memory_order_relaxed);
  SYNOD_ASSERT(old.version < header.version, "a chain is newest first");
  uncount(node, old);
  Record* record = heap_.supersede(node, header, value);
  const std::uint64_t bytes = record_cost(old);
  superseded_.push_back({applied, &node, record, bytes});
  old_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  count(node, *record);
  recent_.add(applied, header.version, node);
  if (record->is_tombstone()) bury(node, header.version);
}

/// The record is the newest of its key: in the sums, and on its way to the backend.
void TransactionalKvDatabase::count(KeyNode& node, const Record& record) {
  tally(node, record);
  const bool is_forgotten = record.is_tombstone() && (SYNOD_PLANT("tombstone_not_persisted") ||
                                                      is_below_floor(record.version));
  if (is_forgotten) {
    write_behind_.erase_entry(node.ref());
  } else {
    write_behind_.put_entry(node.ref(), record.header(), record.value());
  }
}

void TransactionalKvDatabase::tally(KeyNode& node, const Record& record) {
  if (record.is_tombstone()) {
    if (is_below_floor(record.version)) return;
    tombstones_.add(record.version, node);
    tombstone_bytes_ += tombstone_cost(node);
  } else {
    if (record.expiry() != TimeMs(0)) expiries_.add(record.expiry(), node);
    keys_.fetch_add(1, std::memory_order_relaxed);
    live_bytes_.fetch_add(node.key_size() + record.value_size(), std::memory_order_relaxed);
    count_value(record);
  }
  entries_hash_.add(state_.hasher().entry(node.ref(), record.header()));
}

void TransactionalKvDatabase::uncount(KeyNode& node, const Record& record) {
  if (record.is_tombstone()) {
    if (!tombstones_.remove(record.version, node)) return;
    tombstone_bytes_ -= tombstone_cost(node);
  } else {
    if (record.expiry() != TimeMs(0)) expiries_.remove(record.expiry(), node);
    keys_.fetch_sub(1, std::memory_order_relaxed);
    live_bytes_.fetch_sub(node.key_size() + record.value_size(), std::memory_order_relaxed);
    uncount_value(record);
  }
  entries_hash_.subtract(state_.hasher().entry(node.ref(), record.header()));
}

/// Queues the node for removal if its tombstone is already forgotten.
void TransactionalKvDatabase::bury(KeyNode& node, Version tombstone) {
  if (tombstone > state_.conflict_floor()) return;
  dead_.push_back({applying(), &node, tombstone});
}

std::size_t TransactionalKvDatabase::sweep_expired(TimeMs clock, std::size_t keys_max) {
  std::size_t swept = 0;
  while (swept < keys_max && !expiries_.empty() && expiries_.first_rank() <= clock) {
    const TimeMs expiry = expiries_.first_rank();
    RecordHeader header;
    header.version = state_.version_clock().first_version_at(expiry);
    header.type = RecordType::kTombstone;
    write_node(expiries_.first_node(), header, {}, applying());
    ++swept;
  }
  return swept;
}

std::size_t TransactionalKvDatabase::sweep_namespace(NamespaceId ns, Version version,
                                                     std::size_t keys_max) {
  if (ns != swept_ns_) {
    swept_ns_ = ns;
    swept_space_ = Space(0);
    swept_key_.clear();
  }
  std::vector<KeyNode*> nodes;
  order_.scan(KeyRef{ns, swept_space_, swept_key_}, true, [&](KeyNode& node) {
    if (node.ns() != ns || nodes.size() == keys_max) return false;
    if (!node.head.load(std::memory_order_relaxed)->is_tombstone()) nodes.push_back(&node);
    return true;
  });
  if (!nodes.empty()) {
    swept_space_ = nodes.back()->space();
    swept_key_.assign(nodes.back()->key());
  }
  for (KeyNode* node : nodes) {
    RecordHeader header;
    header.version = version;
    header.type = RecordType::kTombstone;
    write_node(*node, header, {}, applying());
  }
  return nodes.size();
}

std::size_t TransactionalKvDatabase::drop_tombstones(Version conflict_floor, std::size_t keys_max) {
  std::size_t dropped = 0;
  while (dropped < keys_max && !tombstones_.empty() && tombstones_.first_rank() <= conflict_floor) {
    KeyNode& node = tombstones_.first_node();
    const Record& record = *node.head.load(std::memory_order_relaxed);
    uncount(node, record);
    write_behind_.erase_entry(node.ref());
    bury(node, record.version);
    ++dropped;
  }
  return dropped;
}

std::optional<Version> TransactionalKvDatabase::oldest_tombstone() const {
  if (tombstones_.empty()) return std::nullopt;
  return tombstones_.first_rank();
}

std::optional<TimeMs> TransactionalKvDatabase::next_expiry() const {
  if (expiries_.empty()) return std::nullopt;
  return expiries_.first_rank();
}

StateHash TransactionalKvDatabase::hash() const {
  StateHash sum = entries_hash_;
  sum.add(state_.hash());
  return sum;
}

void TransactionalKvDatabase::finish(LogIndex index) {
  applied_index_ = index;
  if (state_.namespaces().view_changed()) publish_namespaces();
  visible_version_.store(state_.newest_version().value(), std::memory_order_release);  // DB2
  if (!is_bounded()) return;
  fetched_.clear();
  (void)make_room(kNodesPerOperation);
}

void TransactionalKvDatabase::seal() {
  if (sealed_index_ == applied_index_) return;
  state_.flush_scalars();
  write_behind_.put_row({&kAppliedRow, 1}, applied_row_value({applied_index_, hash()}));
  write_behind_.seal(applied_index_, state_.newest_version());
  sealed_index_ = applied_index_;
}

void TransactionalKvDatabase::put_label(base::Bytes label) {
  label_ = std::move(label);
  write_behind_.put_row({&kLabelRow, 1}, label_);
}

void TransactionalKvDatabase::publish_namespaces() {
  const NamespaceView* old = namespaces_.exchange(
      state_.namespaces().make_view(floor_.value()).release(), std::memory_order_acq_rel);
  if (old != nullptr) epochs_.retire(const_cast<NamespaceView*>(old), destroy_view);
}

void TransactionalKvDatabase::housekeep(base::Nanos now) {
  const Version visible = visible_version();
  floor_.sample(visible, now);
  const Version wanted = std::max(floor_.visible_at(now - options_.snapshot_window),
                                  std::min(state_.conflict_floor(), visible));
  floor_.raise(history_wanted(wanted), now,
               is_over_bound() ? SnapshotFloor::kPinMaxUnderPressure : SnapshotFloor::kPinMax);
  cut_chains(kStepsMax);
  remove_dead(kStepsMax);
  if (is_bounded()) {
    // Half of it is a table that doubles, or a huge page here and there, away from the bound.
    pages_.hold_back(memory_bytes() > options_.memory_bytes_max / 2);
    take_warm_values();
    (void)make_room(kNodesPerHousekeeping);
  }
  // A reader that was not running held up more: that goes in parts, yet faster than it comes.
  epochs_.collect(std::max(kCollectedMax, epochs_.retired_count() / kCollectedShare));
  count_lists();
}

/// Where the floor should be, given where time wants it: over the budget history is given up to
/// where half of it is free again, over the memory bound as much as is missing. So little that it
/// would not help stays: readers at a version go on while keys alone exceed the bound.
Version TransactionalKvDatabase::history_wanted(Version wanted) const {
  std::uint64_t budget = options_.old_bytes_max;
  if (is_bounded()) budget = std::min(budget, options_.memory_bytes_max / kHistoryShare);
  const std::uint64_t old_bytes = old_bytes_.load(std::memory_order_relaxed);
  std::uint64_t excess = old_bytes > budget ? old_bytes - budget / 2 : 0;
  if (is_bounded() && old_bytes > options_.memory_bytes_max / kSmallHistoryShare) {
    const std::uint64_t used = used_bytes();
    excess = std::max(excess, used - std::min(used, options_.memory_bytes_max));
  }
  if (excess == 0) return wanted;
  const Version visible = visible_version();
  std::size_t looked_at = 0;
  for (const auto& entry : superseded_) {
    if (++looked_at > kStepsMax) break;
    wanted = std::max(wanted, std::min(entry.at, visible));
    if (entry.bytes >= excess) break;
    excess -= entry.bytes;
  }
  return wanted;
}

void TransactionalKvDatabase::cut_chains(std::size_t steps_max) {
  constexpr std::size_t kAhead = 8;
  const Version floor = floor_.value();
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < steps_max && bytes < kCutBytesMax && !superseded_.empty(); ++i) {
    if (superseded_.front().at > floor) return;
    bytes += superseded_.front().bytes;
    if (superseded_.size() > kAhead) {
      RecordHeap::prefetch(*superseded_[kAhead].node, *superseded_[kAhead].by);
    }
    old_bytes_.fetch_sub(superseded_.front().bytes, std::memory_order_relaxed);
    // In order: what is behind it has waited before.
    heap_.cut_behind(*superseded_.front().by);
    heap_.settle(*superseded_.front().node);
    superseded_.pop_front();
  }
}

void TransactionalKvDatabase::remove_dead(std::size_t steps_max) {
  const Version floor = floor_.value();
  for (std::size_t i = 0; i < steps_max && !dead_.empty(); ++i) {
    const Dead dead = dead_.front();
    if (dead.at > floor) return;
    // Chains first: an entry of this node that still waits there would outlive the node.
    if (!superseded_.empty() && superseded_.front().at <= dead.at) return;
    dead_.pop_front();
    const Record* head = dead.node->head.load(std::memory_order_relaxed);
    if (!head->is_tombstone() || head->version != dead.tombstone) continue;
    points_.erase(dead.node);
    order_.erase(dead.node);
    heap_.retire_node(*dead.node);
  }
}

}  // namespace synod::core
