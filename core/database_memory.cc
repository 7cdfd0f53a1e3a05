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
/// And while the writer waits: a few milliseconds.
constexpr std::size_t kNodesOfOneWait = 16'384;
/// What comes free by waiting must be worth it: this share of the bound.
constexpr std::uint64_t kWorthWaitingShare = 64;
/// Values of so many bytes share one entry of what waits for a snapshot.
constexpr std::uint64_t kUncoveredPerEntry = 64U << 10U;
/// The share of the bound that is made free at most for holes in the heap, and at least once there
/// are too many, so that values can move together.
constexpr std::uint64_t kHoleShareMax = 4;
constexpr std::uint64_t kHoleShare = 8;
constexpr int kReadAttempts = 3;
/// That come back in one call of housekeep: a fraction of a millisecond.
constexpr std::size_t kWarmValuesPerCall = 512;

std::uint64_t less(std::uint64_t bytes, std::uint64_t part) {
  return bytes - std::min(bytes, part);
}

bool is_cold_head(const KeyNode& node, Version version) {
  const Record& head = *node.head.load(std::memory_order_relaxed);
  return head.is_cold && head.version == version;
}

}  // namespace

std::uint64_t TransactionalKvDatabase::memory_bytes() const {
  return heap_.bytes_reserved() + points_.memory_bytes() + order_.memory_bytes() +
         pages_.bytes_waiting() + list_bytes_.load(std::memory_order_relaxed) +
         write_behind_.held_bytes() + warm_.bytes();
}

std::uint64_t TransactionalKvDatabase::used_bytes() const {
  return less(heap_.bytes_in_use(), heap_.bytes_retired()) +
         list_bytes_.load(std::memory_order_relaxed) + points_.memory_bytes() +
         order_.memory_bytes() + write_behind_.held_bytes() + warm_.bytes();
}

void TransactionalKvDatabase::count_lists() {
  list_bytes_.store(expiries_.memory_bytes() + tombstones_.memory_bytes() +
                        sizeof(Superseded) * superseded_.size() + sizeof(Dead) * dead_.size(),
                    std::memory_order_relaxed);
}

std::uint64_t TransactionalKvDatabase::unevictable_bytes() const {
  if (!cold_.is_wanted()) return memory_bytes();
  const std::uint64_t passing = droppable_bytes_.load(std::memory_order_relaxed) +
                                old_bytes_.load(std::memory_order_relaxed) +
                                write_behind_.held_bytes() + warm_.bytes();
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
  value_bytes_.fetch_add(record.value_size(), std::memory_order_relaxed);
  if (record.is_cold) {
    spilled_values_.fetch_add(1, std::memory_order_relaxed);
    spilled_bytes_.fetch_add(record.value_size(), std::memory_order_relaxed);
  } else if (may_leave(record)) {
    droppable_bytes_.fetch_add(record.value_size(), std::memory_order_relaxed);
    if (!cold_.is_wanted() || record.version <= cold_.covered()) return;
    if (uncovered_.empty() || uncovered_.back().second >= kUncoveredPerEntry) {
      uncovered_.emplace_back(record.version, 0);
    }
    uncovered_.back().first = record.version;
    uncovered_.back().second += record.value_size();
    uncovered_bytes_ += record.value_size();
  }
}

void TransactionalKvDatabase::uncount_value(const Record& record) {
  value_bytes_.fetch_sub(record.value_size(), std::memory_order_relaxed);
  if (record.is_cold) {
    spilled_values_.fetch_sub(1, std::memory_order_relaxed);
    spilled_bytes_.fetch_sub(record.value_size(), std::memory_order_relaxed);
  } else if (may_leave(record)) {
    droppable_bytes_.fetch_sub(record.value_size(), std::memory_order_relaxed);
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
  replace_head(node, heap_.create_cold(head->header(), head->value_size()));
  values_dropped_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

/// Moves the hand over up to `nodes_max` nodes, more of them over the bound; how many it passed, at
/// least one. If it is the holes in the heap that are too many, records move together.
std::size_t TransactionalKvDatabase::make_room(std::size_t nodes_max) {
  if (!cold_.is_wanted()) return 1;
  const std::uint64_t used = used_bytes();
  const bool has_holes = memory_bytes() > options_.memory_bytes_max;
  const std::uint64_t holes =
      std::clamp(less(memory_bytes(), used), options_.memory_bytes_max / kHoleShare,
                 options_.memory_bytes_max / kHoleShareMax);
  const std::uint64_t target = room_mark() - (has_holes ? holes : 0);
  if (used <= target) return 1;
  if (droppable_bytes_.load(std::memory_order_relaxed) == 0 &&
      less(memory_bytes(), used) <= options_.memory_bytes_max / kHoleShare) {
    return 1;  // Nothing would come free.
  }
  std::uint64_t excess = used - target;
  const bool is_over = used > options_.memory_bytes_max;
  if (is_over) nodes_max = std::max(nodes_max, kNodesUnderPressure);
  if (!is_over) round_.takes_all = false;
  std::size_t left = nodes_max;
  KeyNode* last = nullptr;
  const MemoryHand from = hand_;
  order_.scan(KeyRef{from.ns, from.space, from.key}, false, [&](KeyNode& node) {
    last = &node;
    const std::uint64_t size = node.head.load(std::memory_order_relaxed)->value_size();
    if (drop_value(node, is_over)) {
      excess = less(excess, size);
    } else if (has_holes) {
      (void)heap_.settle(node);
    }
    return excess > 0 && --left > 0;
  });
  if (last == nullptr || (excess > 0 && left > 0)) {
    begin_round();
  } else {
    hand_.ns = last->ns();
    hand_.space = last->space();
    hand_.key.assign(last->key());
  }
  return std::max<std::size_t>(nodes_max - left, 1);
}

/// The hand is at the end of the keys. A round in which it took all it might and found nothing
/// shows that what was covered when it began cannot leave before history goes.
void TransactionalKvDatabase::begin_round() {
  const std::uint64_t dropped = values_dropped_.load(std::memory_order_relaxed);
  if (round_.takes_all && dropped == round_.dropped_before) {
    round_.hopeless_bytes = round_.covered_before;
    round_.hopeless_until = visible_version();
  }
  hand_ = MemoryHand();
  round_.takes_all = true;
  round_.dropped_before = dropped;
  round_.covered_before = covered_bytes();
}

/// Values that may leave are there, and the hand has not looked at all of them in vain.
bool TransactionalKvDatabase::expects_room() {
  const std::uint64_t covered = covered_bytes();
  if (floor_.value() > round_.hopeless_until) round_.hopeless_bytes = 0;
  round_.hopeless_bytes = std::min(round_.hopeless_bytes, covered);
  return covered - round_.hopeless_bytes > options_.memory_bytes_max / kWorthWaitingShare;
}

/// Of values in memory that a snapshot holds.
std::uint64_t TransactionalKvDatabase::covered_bytes() {
  return less(droppable_bytes_.load(std::memory_order_relaxed), uncovered_bytes());
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
  if (!cold_.is_wanted()) return false;
  (void)make_room(kNodesUnderPressure);
  // Who would wait has nothing better to do than to move the hand.
  for (std::size_t nodes = kNodesOfOneWait; nodes > 0 && is_over_bound() && expects_room();) {
    nodes -= std::min(nodes, make_room(nodes));
  }
  const std::uint64_t coming = uncovered_bytes() + write_behind_.held_bytes();
  const bool helps = coming > options_.memory_bytes_max / kWorthWaitingShare;
  cold_.hurry(is_over_bound() && helps);
  return is_over_bound() && (helps || expects_room());
}

void TransactionalKvDatabase::take_warm_values() {
  if (warm_.is_empty()) return;
  std::uint64_t used = used_bytes();
  for (const WarmInbox::Value& warm : warm_.take(kWarmValuesPerCall)) {
    KeyNode* node = points_.find(KeyRef{warm.ns, warm.space, warm.key});
    if (node == nullptr || !is_cold_head(*node, warm.version)) continue;
    if (used + warm.value.size() > options_.memory_bytes_max) continue;
    used += warm.value.size();
    take_back(*node, warm.value);
  }
}

/// A value is in memory again.
void TransactionalKvDatabase::take_back(KeyNode& node, base::BytesView value) {
  const Record& head = *node.head.load(std::memory_order_relaxed);
  Record* record = heap_.create(head.header(), value);
  record->was_read.store(true, std::memory_order_relaxed);
  replace_head(node, record);
  values_warmed_.fetch_add(1, std::memory_order_relaxed);
}

base::BytesView TransactionalKvDatabase::latest_value(const KeyRef& ref) {
  KeyNode* node = points_.find(ref);
  SYNOD_ASSERT(node != nullptr, "only what is present has a value");
  const Record& head = *node->head.load(std::memory_order_relaxed);
  if (!head.is_cold) return head.value();
  if (auto warm = warm_.take_one(ref, head.version)) {
    // It was fetched for this operation, whether or not there is room for it to stay.
    if (used_bytes() + warm->size() <= options_.memory_bytes_max) take_back(*node, *warm);
    return fetched_.emplace_back(std::move(*warm));
  }
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
