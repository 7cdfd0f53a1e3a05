// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/status.h"

namespace synod::storage {

class FileSystem;

/// Puts and deletes that become visible, and later durable, all or not at all. Of several of one
/// key the last counts. A copy shares the memory of the rows, which nobody changes.
class WriteBatch {
 public:
  struct Put {
    base::BytesView key;
    std::optional<base::BytesView> value;  ///< nullopt deletes.
  };
  // These copy the bytes.
  void put(base::BytesView key, base::BytesView value);
  void erase(base::BytesView key);
  /// A row whose bytes lie in memory that is handed to `keep`.
  void add_view(const Put& row) {
    puts_.push_back(row);
    bytes_ += row.key.size() + (row.value ? row.value->size() : 0);
  }
  void keep(std::shared_ptr<const void> memory) { memory_.push_back(std::move(memory)); }
  void reserve(std::size_t rows) { puts_.reserve(rows); }
  [[nodiscard]] const std::vector<Put>& puts() const { return puts_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  std::vector<Put> puts_;
  std::vector<std::shared_ptr<const void>> memory_;
  std::uint64_t bytes_ = 0;
};

/// What a backend held at one moment, between two batches. Holding it keeps that state readable,
/// and on disk, whatever is written later; release it soon. It must end before its backend.
///
/// Threads: thread-safe; may block on the disk.
class BackendSnapshot {
 public:
  virtual ~BackendSnapshot() = default;
  [[nodiscard]] virtual base::Result<std::optional<base::Bytes>> get(base::BytesView key) const = 0;
};

/// An ordered map of bytes on disk, written behind the tables: the seam to RocksDB and its twins.
///
/// Invariants
///   B1  A batch is applied whole or not at all, also across a crash.
///   B2  Batches become durable in the order they were written: what a crash leaves is a prefix.
///   B3  `get_durable` answers only from what survives a power cut now.
///
/// No write-ahead log of its own where the engine allows it: storage/log is the only log.
/// Threads: thread-safe; `write` from one thread at a time.
/// Failure: kNoSpace and kIoError leave the state of the last durable batch readable after reopen
/// and may be retried; kCorruption is final.
class StorageBackend {
 public:
  virtual ~StorageBackend() = default;
  [[nodiscard]] virtual base::Status write(const WriteBatch& batch) = 0;
  [[nodiscard]] virtual base::Result<std::optional<base::Bytes>> get(base::BytesView key) const = 0;
  [[nodiscard]] virtual base::Result<std::optional<base::Bytes>> get_durable(
      base::BytesView key) const = 0;
  /// Calls `row` for every key in [begin, end) in order (`end` empty: to the last) until it
  /// returns false.
  [[nodiscard]] virtual base::Status scan(
      base::BytesView begin, base::BytesView end,
      base::Function<bool(base::BytesView key, base::BytesView value)> row) const = 0;
  /// Everything written so far and nothing later. kUnsupported if the engine has no such thing.
  [[nodiscard]] virtual base::Result<std::shared_ptr<const BackendSnapshot>> snapshot() const;
  /// Makes everything written so far durable before it returns.
  [[nodiscard]] virtual base::Status flush() = 0;
  /// Rewrites storage so that deleted rows give their space back.
  [[nodiscard]] virtual base::Status compact() = 0;
  /// Makes a `compact` under way, and every later one, end early. Thread-safe.
  virtual void interrupt() {}
  /// A consistent copy of everything written so far in a new directory, durable on return.
  [[nodiscard]] virtual base::Status checkpoint(const std::string& directory) = 0;
  /// Rows of a checkpoint that this engine made, here or elsewhere: one answer for each key. Opens
  /// it without changing its files. kUnsupported if the engine cannot do that.
  [[nodiscard]] virtual base::Result<std::vector<std::optional<base::Bytes>>> read_checkpoint(
      const std::string& directory, const std::vector<base::Bytes>& keys) const;
  struct Stats {
    std::uint64_t disk_bytes = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t compaction_pending_bytes = 0;
    std::uint64_t write_buffer_bytes = 0;  ///< Part of memory_bytes, as the next.
    std::uint64_t block_cache_bytes = 0;
    bool is_write_stopped = false;  ///< It lets writes wait until it has compacted.
  };
  [[nodiscard]] virtual Stats stats() const = 0;
  [[nodiscard]] virtual std::string name() const = 0;
};

struct BackendOptions {
  std::uint64_t write_buffer_bytes = 64U << 20;
  std::uint64_t block_cache_bytes = 64U << 20;
  int background_jobs = 2;
};

/// `files` null: the engine's own POSIX files; otherwise every file of the engine goes through the
/// seam, so that crash tests cover it.
[[nodiscard]] base::Result<std::unique_ptr<StorageBackend>> open_rocksdb_backend(
    const std::string& directory, const BackendOptions& options, FileSystem* files = nullptr);
[[nodiscard]] base::Result<std::unique_ptr<StorageBackend>> open_leveldb_backend(
    const std::string& directory, const BackendOptions& options);
/// Loses everything on destruction; `get_durable` finds nothing, so a log replays from its start.
[[nodiscard]] std::unique_ptr<StorageBackend> make_memory_backend();

}  // namespace synod::storage
