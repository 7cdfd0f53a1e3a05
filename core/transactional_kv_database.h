// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "core/cold_values.h"
#include "core/database_options.h"
#include "core/kv_database.h"
#include "core/memory_hand.h"
#include "core/memory_status.h"
#include "core/ranked_nodes.h"
#include "core/recent_writes.h"
#include "core/snapshot_floor.h"
#include "core/state/replicated_state.h"
#include "core/table/btree.h"
#include "core/table/cuckoo_table.h"
#include "core/table/epoch.h"
#include "core/table/page_keeper.h"
#include "core/table/record_heap.h"
#include "core/warm_inbox.h"
#include "core/write_behind.h"
#include "storage/storage_backend.h"

namespace synod::core {

/// The store: a cuckoo table and a B-tree over the same version chains, replicated state beside
/// them, every change mirrored as rows for the storage backend.
///
/// Owned by the server's composition (ServerManager, or a test); written by KvStoreExecutor.
///
/// Invariants
///   DB1  A reader at v sees, of every chain, the newest record at or below v, whole.
///   DB2  visible_version() is stored after everything it covers (release).
///   DB3  A node is in both indexes or in neither, from the writer's view.
///   DB4  hash() is the sum over present entries, tombstones not yet forgotten, and the state.
///   DB5  Local housekeeping (chains cut, nodes freed, values dropped and fetched, the snapshot
///        floor) changes no result.
///   DB6  The value of a record leaves memory only if the record is the head of its chain, has
///        nothing behind it, and is held in ColdValues. Its cold twin takes its place; whoever had
///        the old one in hand keeps it to the end of its epoch.
///
/// Threads: KvDatabase's rule. `load`, `housekeep`, `hash` and `verify_*` on the writer.
/// Failure: out of memory aborts; admission is there to keep away from it.
class TransactionalKvDatabase final : public KvDatabase {
 public:
  explicit TransactionalKvDatabase(const DatabaseOptions& options);
  ~TransactionalKvDatabase() override;
  TransactionalKvDatabase(const TransactionalKvDatabase&) = delete;
  TransactionalKvDatabase& operator=(const TransactionalKvDatabase&) = delete;

  // KvDatabase, readers (database_reader.cc).
  [[nodiscard]] Version visible_version() const override {
    return Version(visible_version_.load(std::memory_order_acquire));
  }
  [[nodiscard]] PointRead read(std::string_view ns, Space space, base::BytesView key,
                               Version at) const override;
  [[nodiscard]] ReadKind scan(
      const ScanBounds& bounds, Version at,
      base::Function<bool(base::BytesView key, base::BytesView value)> row) const override;
  // Where the disk may be waited for (cold_reads.cc).
  [[nodiscard]] base::Result<PointRead> read_waiting(std::string_view ns, Space space,
                                                     base::BytesView key,
                                                     Version at) const override;
  [[nodiscard]] base::Result<ReadKind> scan_waiting(
      const ScanBounds& bounds, Version at,
      base::Function<bool(base::BytesView key, base::BytesView value)> row) const override;
  [[nodiscard]] bool is_cold(std::string_view ns, Space space, base::BytesView key) const override;

  // KvDatabase, the writer.
  [[nodiscard]] ReplicatedState& state() override { return state_; }
  [[nodiscard]] LatestEntry latest(const KeyRef& ref) const override;
  /// Fail-stop if a value that left memory cannot be read: no result may depend on it.
  [[nodiscard]] base::BytesView latest_value(const KeyRef& ref) override;
  [[nodiscard]] bool range_changed(NamespaceId ns, Space space, base::BytesView begin,
                                   base::BytesView end, Version after, TimeMs after_clock,
                                   TimeMs now) const override;
  void visit_present(NamespaceId ns, Space space, base::BytesView begin, base::BytesView end,
                     TimeMs now, base::Function<bool(base::BytesView key)> key) const override;
  void put(const KeyRef& ref, base::BytesView value, TimeMs expiry, Version version) override;
  void erase(const KeyRef& ref, Version version) override;
  std::size_t sweep_expired(TimeMs clock, std::size_t keys_max) override;
  std::size_t sweep_namespace(NamespaceId ns, Version version, std::size_t keys_max) override;
  std::size_t drop_tombstones(Version conflict_floor, std::size_t keys_max) override;
  [[nodiscard]] std::uint64_t tombstone_bytes() const override { return tombstone_bytes_; }
  [[nodiscard]] std::optional<Version> oldest_tombstone() const override;
  [[nodiscard]] std::optional<TimeMs> next_expiry() const override;
  void finish(LogIndex index) override;
  /// Ends a group of finished operations: their rows, with the scalars and the applied row that
  /// match the last of them, are for the backend from here on. Nothing of them is before.
  void seal();

  /// Keeps bytes of the log's owner with the state: they are persisted together with the operation
  /// or position that is finished next. Not hashed: they describe the log, not the data.
  void put_label(base::Bytes label);
  [[nodiscard]] const base::Bytes& label() const { return label_; }

  /// Fills an empty database from the backend's rows and returns the index they cover (0: none).
  /// kCorruption if rows contradict each other or the stored state hash (database_loader.cc).
  [[nodiscard]] base::Result<LogIndex> load(const storage::StorageBackend& backend);

  /// Moves the snapshot floor with time, cuts chains, drops values, frees memory: bounded work.
  void housekeep(base::Nanos now);
  /// True while the store is over its bound and comes back below it as persistence catches up, or
  /// as the hand finds what may leave: seal, kick persistence, execute nothing, call housekeep and
  /// ask again. Drops what it can first. On the writer. Ends as soon as the backend has taken what
  /// is sealed and the hand was everywhere once.
  [[nodiscard]] bool must_wait();
  /// Where Persistence puts the backend's snapshots.
  [[nodiscard]] ColdValues& cold_values() { return cold_; }
  /// The large memory of the tables, for Persistence to attend to.
  [[nodiscard]] PageKeeper& pages() { return pages_; }
  /// Any thread, as the next.
  [[nodiscard]] MemoryStatus memory_status() const;
  /// What remains if every value that may leave has left; only fewer keys make it less.
  [[nodiscard]] std::uint64_t unevictable_bytes() const;
  /// No more keys may be admitted (nor, then, deletes of what is not there): RecordHeap's.
  [[nodiscard]] bool has_full_keys() const { return heap_.is_nearly_full(); }
  [[nodiscard]] bool has_no_room_for_tombstones() const { return heap_.is_full(); }

  [[nodiscard]] StateHash hash() const;
  [[nodiscard]] LogIndex applied_index() const { return applied_index_; }
  [[nodiscard]] WriteBehind& write_behind() { return write_behind_; }
  [[nodiscard]] Version snapshot_floor() const { return floor_.value(); }
  /// For operators: present keys and their bytes. Any thread.
  [[nodiscard]] std::uint64_t key_count() const { return keys_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t live_bytes() const {
    return live_bytes_.load(std::memory_order_relaxed);
  }
  /// What the tables hold in memory: indexes, nodes, values, history and rows on their way to the
  /// backend, as the kernel counts it but for what malloc adds to the last. Any thread.
  [[nodiscard]] std::uint64_t memory_bytes() const;

  /// Walks both indexes and recomputes everything that is kept incrementally (verify.cc).
  /// kCorruption names the first contradiction.
  [[nodiscard]] base::Status verify_tables() const;
  /// Compares the tables with the backend row by row. REQUIRES: everything was persisted.
  [[nodiscard]] base::Status verify_backend(const storage::StorageBackend& backend) const;

 private:
  using ExpiryIndex = RankedNodes<TimeMs>;
  using TombstoneIndex = RankedNodes<Version>;
  /// The record `by` took another's place at `at`: once no reader is older than that, the other
  /// goes. It is there still when its turn comes, for only later entries let go of it.
  struct Superseded {
    Version at;
    KeyNode* node;
    Record* by;
    std::uint64_t bytes;
  };
  struct Dead {
    Version at;
    KeyNode* node;
    Version tombstone;
  };

  /// What a tombstone costs in the policy's byte bound: its key and a fixed share, from lengths
  /// alone so that every replica counts the same.
  [[nodiscard]] static std::uint64_t tombstone_cost(const KeyNode& node) {
    return node.key_size() + 64ULL;
  }
  /// Where a scan goes on.
  struct ScanPosition {
    base::Bytes key;
    bool is_inclusive = true;
    bool is_finished = false;
    ColdTicket ticket;         ///< After kCold: of the row at `key`.
    int failures = 0;          ///< To fetch that row.
    std::uint64_t passed = 0;  ///< Present keys before it, skipped ones as well.
  };
  using RowVisitor = base::Function<bool(base::BytesView key, base::BytesView value)>;
  [[nodiscard]] base::Result<ReadKind> scan_from(const ScanBounds& bounds, Version at, bool waits,
                                                 RowVisitor& row) const;
  [[nodiscard]] ReadKind scan_chunk(const ScanBounds& bounds, NamespaceId ns, Version at,
                                    ScanPosition& position, RowVisitor& row) const;
  [[nodiscard]] base::Result<std::optional<base::Bytes>> fetch(const KeyRef& ref,
                                                               const ColdTicket& ticket) const;
  [[nodiscard]] base::Result<bool> deliver_cold(const ScanBounds& bounds, ScanPosition& position,
                                                RowVisitor& row) const;
  void offer_to_writer(const KeyRef& ref, const ColdTicket& ticket, base::BytesView value) const;

  void write(const KeyRef& ref, const RecordHeader& header, base::BytesView value, Version applied);
  void write_node(KeyNode& node, const RecordHeader& header, base::BytesView value,
                  Version applied);
  void uncount(KeyNode& node, const Record& record);
  void count(KeyNode& node, const Record& record);
  void tally(KeyNode& node, const Record& record);
  void bury(KeyNode& node, Version tombstone);
  [[nodiscard]] Version applying() const { return state_.newest_version(); }
  /// Such a tombstone is no longer part of replicated state.
  [[nodiscard]] bool is_below_floor(Version tombstone) const {
    return tombstone <= state_.conflict_floor();
  }
  void publish_namespaces();
  [[nodiscard]] Version history_wanted(Version wanted) const;
  void cut_chains(std::size_t steps_max);
  void count_lists();
  void remove_dead(std::size_t steps_max);
  // What is in memory (database_memory.cc).
  [[nodiscard]] bool is_bounded() const { return options_.memory_bytes_max != 0; }
  [[nodiscard]] bool may_leave(const Record& record) const {
    return !record.is_tombstone() && record.value_size() >= options_.spill_bytes_min &&
           record.value_size() > 0;
  }
  void count_value(const Record& record);
  void uncount_value(const Record& record);
  std::size_t make_room(std::size_t nodes_max);
  void begin_round();
  [[nodiscard]] bool expects_room();
  [[nodiscard]] std::uint64_t covered_bytes();
  [[nodiscard]] bool drop_value(KeyNode& node, bool even_if_read);
  [[nodiscard]] bool is_droppable(const Record& head, bool even_if_read) const;
  void replace_head(KeyNode& node, Record* record);
  void take_warm_values();
  void take_back(KeyNode& node, base::BytesView value);
  [[nodiscard]] std::uint64_t uncovered_bytes();
  /// memory_bytes() without what is free inside the heap or waits for the end of epochs.
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] bool is_over_bound() const {
    return is_bounded() && used_bytes() > options_.memory_bytes_max;
  }
  /// Values leave from here on: the bound less what one group of operations may add.
  [[nodiscard]] std::uint64_t room_mark() const {
    return options_.memory_bytes_max - options_.memory_bytes_max / 16;
  }
  struct Loading;
  [[nodiscard]] KeyNode* load_node(const KeyRef& ref, const EntryRow& row, Loading& loading);
  [[nodiscard]] base::Status load_entry(base::BytesView key, base::BytesView value,
                                        Loading& loading);
  [[nodiscard]] base::Status load_rows(const storage::StorageBackend& backend, bool has_scalars);
  [[nodiscard]] base::Status finish_loading(LogIndex applied, const StateHash& stored);
  struct Recount;
  [[nodiscard]] base::Status verify_node(const KeyNode& node, Recount& recount) const;
  [[nodiscard]] base::Status verify_counts(const Recount& recount) const;

  const DatabaseOptions options_;
  PageKeeper pages_;  ///< Outlives all that has memory.
  EpochManager epochs_;
  RecordHeap heap_;
  CuckooTable points_;
  BTree order_;
  WriteBehind write_behind_;
  ReplicatedState state_;
  std::atomic<const NamespaceView*> namespaces_{nullptr};
  std::atomic<std::int64_t> visible_version_{0};
  mutable SnapshotFloor floor_;
  ColdValues cold_;  ///< After the floor it follows.
  mutable WarmInbox warm_;

  // Writer only, derived from the entries.
  RecentWrites recent_;
  ExpiryIndex expiries_;
  TombstoneIndex tombstones_;
  std::uint64_t tombstone_bytes_ = 0;
  StateHash entries_hash_;
  LogIndex applied_index_{0};
  LogIndex sealed_index_{0};  ///< Whose rows are all for the backend.
  base::Bytes label_;

  // Writer only, local housekeeping.
  std::deque<Superseded> superseded_;
  std::deque<Dead> dead_;
  std::atomic<std::uint64_t> old_bytes_{0};  ///< Read by memory_bytes on any thread.
  // How far the sweep of a cleared namespace came: nobody writes to its id any more, so all before
  // is tombstones. Saves walking over them again; forgetting it changes nothing.
  NamespaceId swept_ns_{0};
  Space swept_space_{0};
  base::Bytes swept_key_;

  // Writer only, which values are in memory.
  MemoryHand hand_;
  MemoryRound round_;
  /// Bytes of values that may leave once the version is covered: at most so many, for some of them
  /// may be gone. Oldest first.
  std::deque<std::pair<Version, std::uint64_t>> uncovered_;
  std::uint64_t uncovered_bytes_ = 0;
  /// Of the expiry and tombstone indexes and what waits for its turn, as of the last housekeeping.
  std::atomic<std::uint64_t> list_bytes_{0};
  /// Values that the operation under way had to fetch: Policy::old_value_bytes_max() at most.
  std::deque<base::Bytes> fetched_;

  std::atomic<std::uint64_t> keys_{0};
  std::atomic<std::uint64_t> live_bytes_{0};
  std::atomic<std::uint64_t> value_bytes_{0};      ///< Part of live_bytes_.
  std::atomic<std::uint64_t> droppable_bytes_{0};  ///< Of values in memory that may leave it.
  std::atomic<std::uint64_t> spilled_values_{0};
  std::atomic<std::uint64_t> spilled_bytes_{0};
  mutable std::atomic<std::uint64_t> cold_reads_{0};
  std::atomic<std::uint64_t> apply_fetches_{0};
  std::atomic<std::uint64_t> values_dropped_{0};
  std::atomic<std::uint64_t> values_warmed_{0};
};

}  // namespace synod::core
