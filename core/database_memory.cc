// SPDX-License-Identifier: Apache-2.0
// Which values of a TransactionalKvDatabase are in memory: the writer drops them (CLOCK), takes
// back what readers fetched, and fetches what an operation needs.
#include <algorithm>
#include <cstddef>

#include "base/assert.h"
#include "base/logging.h"
#include "base/plant.h"
#include "base/text.h"
#include "core/transactional_kv_database.h"

namespace synod::core {
namespace {

/// Over the bound the hand works harder: a tenth of a millisecond for an operation.
constexpr std::size_t kNodesUnderPressure = 512;
/// What comes free by waiting must be worth it: this share of the bound.
constexpr std::uint64_t kWorthWaitingShare = 64;
/// Values of so many bytes share one entry of what waits for a snapshot.
constexpr std::uint64_t kUncoveredPerEntry = 64U << 10U;
/// The share of the bound that is made free for values which move together.
constexpr std::uint64_t kHoleShare = 8;
constexpr int kReadAttempts = 3;

std::uint64_t less(std::uint64_t bytes, std::uint64_t part) {
  return bytes - std::min(bytes, part);
}

}  // namespace

std::uint64_t TransactionalKvDatabase::memory_bytes() const {
  return heap_.bytes_reserved() + points_.memory_bytes() + order_.memory_bytes() +
         write_behind_.bytes() + warm_.bytes();
}

std::uint64_t TransactionalKvDatabase::used_bytes() const {
  return less(heap_.bytes_in_use(), leaving_bytes_.load(std::memory_order_relaxed)) +
         points_.memory_bytes() + order_.memory_bytes() + write_behind_.bytes() + warm_.bytes();
}

std::uint64_t TransactionalKvDatabase::unevictable_bytes() const {
  if (!cold_.is_wanted()) return memory_bytes();
  const std::uint64_t passing = droppable_bytes_.load(std::memory_order_relaxed) +
                                old_bytes_.load(std::memory_order_relaxed) + write_behind_.bytes() +
                                warm_.bytes();
  return less(used_bytes(), passing);
}

MemoryStatus TransactionalKvDatabase::memory_status() const {
  const auto read = [](const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  MemoryStatus status;
  status.limit = options_.memory_bytes_max;
  status.total_bytes = memory_bytes();
  status.used_bytes = used_bytes();
  status.unevictable_bytes = unevictable_bytes();
  status.spilled_values = read(spilled_values_);
  status.spilled_bytes = read(spilled_bytes_);
  status.resident_values = less(key_count(), status.spilled_values);
  status.resident_bytes = less(read(value_bytes_), status.spilled_bytes);
  status.cold_reads = read(cold_reads_);
  status.apply_fetches = read(apply_fetches_);
  status.values_dropped = read(values_dropped_);
  status.values_warmed = read(values_warmed_);
  status.snapshots_held = cold_.held();
  return status;
}

void TransactionalKvDatabase::count_value(const Record& record) {
  value_bytes_.fetch_add(record.value_size, std::memory_order_relaxed);
  if (record.is_cold) {
    spilled_values_.fetch_add(1, std::memory_order_relaxed);
    spilled_bytes_.fetch_add(record.value_size, std::memory_order_relaxed);
  } else if (may_leave(record)) {
    droppable_bytes_.fetch_add(record.value_size, std::memory_order_relaxed);
    if (!is_bounded() || record.version <= cold_.covered()) return;
    if (uncovered_.empty() || uncovered_.back().second >= kUncoveredPerEntry) {
      uncovered_.emplace_back(record.version, 0);
    }
    uncovered_.back().first = record.version;
    uncovered_.back().second += record.value_size;
    uncovered_bytes_ += record.value_size;
  }
}

void TransactionalKvDatabase::uncount_value(const Record& record) {
  value_bytes_.fetch_sub(record.value_size, std::memory_order_relaxed);
  if (record.is_cold) {
    spilled_values_.fetch_sub(1, std::memory_order_relaxed);
    spilled_bytes_.fetch_sub(record.value_size, std::memory_order_relaxed);
  } else if (may_leave(record)) {
    droppable_bytes_.fetch_sub(record.value_size, std::memory_order_relaxed);
  }
}

/// Exchanges a head for its twin. Nothing else points at a head without history (DB6): entries of
/// `superseded_` name records that have one.
void TransactionalKvDatabase::replace_head(KeyNode& node, Record* record) {
  uncount_value(*node.head.load(std::memory_order_relaxed));
  heap_.replace_head(node, record);
  count_value(*record);
}

bool TransactionalKvDatabase::is_droppable(const Record& head, bool even_if_read) const {
  if (!may_leave(head) || head.is_cold) return false;
  if (head.older() != nullptr) return false;
  const bool is_covered = head.version <= cold_.covered();
  if (!is_covered && !SYNOD_PLANT("value_dropped_before_persisted")) return false;
  const bool was_read = head.was_read.load(std::memory_order_relaxed);
  if (was_read) head.was_read.store(false, std::memory_order_relaxed);
  return !was_read || even_if_read;
}

bool TransactionalKvDatabase::drop_value(KeyNode& node, bool even_if_read) {
  Record* head = node.head.load(std::memory_order_relaxed);
  if (!is_droppable(*head, even_if_read)) return false;
  leaving_bytes_.fetch_add(head->bytes(), std::memory_order_relaxed);
  replace_head(node, heap_.create_cold(head->header(), head->value_size));
  values_dropped_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

/// Moves the hand over up to `nodes_max` nodes, more of them over the bound. If it is the holes in
/// the heap that are too many, records move together.
void TransactionalKvDatabase::make_room(std::size_t nodes_max) {
  if (!cold_.is_wanted()) return;
  const std::uint64_t used = used_bytes();
  const bool has_holes = memory_bytes() > options_.memory_bytes_max;
  const std::uint64_t target =
      room_mark() - (has_holes ? options_.memory_bytes_max / kHoleShare : 0);
  if (used <= target) return;
  std::uint64_t excess = used - target;
  const bool is_over = used > options_.memory_bytes_max;
  if (is_over) nodes_max = std::max(nodes_max, kNodesUnderPressure);
  KeyNode* last = nullptr;
  const Hand from = hand_;
  order_.scan(KeyRef{from.ns, from.space, from.key}, false, [&](KeyNode& node) {
    last = &node;
    const std::uint64_t size = node.head.load(std::memory_order_relaxed)->value_size;
    if (drop_value(node, is_over)) {
      excess = less(excess, size);
    } else if (has_holes) {
      (void)heap_.settle(node);
    }
    return excess > 0 && --nodes_max > 0;
  });
  if (last == nullptr || (excess > 0 && nodes_max > 0)) {
    hand_ = Hand();  // The end: the next round begins.
    return;
  }
  hand_.ns = last->ns();
  hand_.space = last->space();
  hand_.key.assign(last->key());
}

std::uint64_t TransactionalKvDatabase::uncovered_bytes() {
  const Version covered = cold_.covered();
  while (!uncovered_.empty() && uncovered_.front().first <= covered) {
    uncovered_bytes_ -= uncovered_.front().second;
    uncovered_.pop_front();
  }
  return uncovered_bytes_;
}

bool TransactionalKvDatabase::must_wait() {
  if (!is_bounded() || !cold_.is_wanted()) return false;
  make_room(kNodesUnderPressure);
  const bool is_over = used_bytes() > options_.memory_bytes_max;
  const std::uint64_t coming = uncovered_bytes() + write_behind_.bytes();
  const bool waits = is_over && coming > options_.memory_bytes_max / kWorthWaitingShare;
  cold_.hurry(waits);
  return waits;
}

void TransactionalKvDatabase::take_warm_values() {
  if (warm_.is_empty()) return;
  for (const WarmInbox::Value& warm : warm_.take()) {
    KeyNode* node = points_.find(KeyRef{warm.ns, warm.space, warm.key});
    if (node == nullptr) continue;
    Record* head = node->head.load(std::memory_order_relaxed);
    if (!head->is_cold || head->version != warm.version) continue;
    if (used_bytes() + warm.value.size() > options_.memory_bytes_max) continue;
    Record* record = heap_.create(head->header(), warm.value);
    record->was_read.store(true, std::memory_order_relaxed);
    replace_head(*node, record);
    values_warmed_.fetch_add(1, std::memory_order_relaxed);
  }
}

base::BytesView TransactionalKvDatabase::latest_value(const KeyRef& ref) {
  KeyNode* node = points_.find(ref);
  SYNOD_ASSERT(node != nullptr, "only what is present has a value");
  if (node->head.load(std::memory_order_relaxed)->is_cold) take_warm_values();
  const Record& head = *node->head.load(std::memory_order_relaxed);
  if (!head.is_cold) return head.value();
  apply_fetches_.fetch_add(1, std::memory_order_relaxed);
  const ColdTicket ticket{ref.ns, head.version, head.digest, {}};
  base::Status failed;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    auto value = cold_.fetch(ref, ticket, state_.hasher());
    if (value.ok() && *value) return fetched_.emplace_back(std::move(**value));
    failed = value.ok() ? base::Status(base::StatusCode::kCorruption, "no snapshot holds it")
                        : value.status();
    if (failed.code() == base::StatusCode::kCorruption) break;
  }
  base::fail_stop("core", base::concat("an operation needs the value of ", base::escape(ref.key),
                                       ", which left memory: ", failed.to_string()));
}

}  // namespace synod::core
