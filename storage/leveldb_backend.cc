// SPDX-License-Identifier: Apache-2.0
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <cstdarg>
#include <cstdio>

#include "base/logging.h"
#include "base/text.h"
#include "storage/file.h"
#include "storage/storage_backend.h"

namespace synod::storage {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

constexpr std::uint64_t kCopyBatchBytes = std::uint64_t{1} << 20;

leveldb::Slice to_slice(BytesView bytes) { return {bytes.data(), bytes.size()}; }

/// LevelDB has one code for every I/O error; the text is all it keeps of ENOSPC.
Status from_leveldb(const leveldb::Status& status) {
  if (status.ok()) return Status();
  const std::string text = status.ToString();
  StatusCode code = StatusCode::kIoError;
  if (text.find("No space left") != std::string::npos) code = StatusCode::kNoSpace;
  if (status.IsCorruption()) code = StatusCode::kCorruption;
  if (status.IsInvalidArgument() || status.IsNotSupportedError()) {
    code = StatusCode::kInvalidArgument;
  }
  return Status(code, base::concat("leveldb: ", text));
}

class DebugLogger final : public leveldb::Logger {
 public:
  void Logv(const char* format, va_list arguments) override {
    if (!base::log_enabled(base::LogLevel::kDebug)) return;
    char line[512];
    if (std::vsnprintf(line, sizeof(line), format, arguments) < 0) return;
    base::log_debug("storage", base::concat("leveldb: ", base::escape(line, sizeof(line))));
  }
};

Result<std::optional<Bytes>> get_with(leveldb::DB& db, const leveldb::ReadOptions& options,
                                      BytesView key) {
  Bytes value;
  const leveldb::Status status = db.Get(options, to_slice(key), &value);
  if (status.IsNotFound()) return std::optional<Bytes>();
  if (!status.ok()) return from_leveldb(status);
  return std::optional<Bytes>(std::move(value));
}

class LeveldbSnapshot final : public BackendSnapshot {
 public:
  explicit LeveldbSnapshot(leveldb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~LeveldbSnapshot() override { db_.ReleaseSnapshot(snapshot_); }
  LeveldbSnapshot(const LeveldbSnapshot&) = delete;
  LeveldbSnapshot& operator=(const LeveldbSnapshot&) = delete;

  [[nodiscard]] Result<std::optional<Bytes>> get(BytesView key) const override {
    leveldb::ReadOptions options;
    options.snapshot = snapshot_;
    return get_with(db_, options, key);
  }

 private:
  leveldb::DB& db_;
  const leveldb::Snapshot* const snapshot_;
};

/// See StorageBackend. LevelDB's write-ahead log cannot be turned off, so each batch is one synced
/// record of it.
///
/// Why each: LevelDB starts a new log file with each memtable and a sync covers only the newest.
/// Unsynced records at the end of an older log could be lost while later ones survive, which
/// would break B2, and a marker written by `flush` would then vouch for more than is there (B3).
class LeveldbBackend final : public StorageBackend {
 public:
  LeveldbBackend() : logger_(std::make_unique<DebugLogger>()) {}

  Status open(const std::string& directory, const BackendOptions& limits) {
    cache_.reset(leveldb::NewLRUCache(limits.block_cache_bytes));
    filter_.reset(leveldb::NewBloomFilterPolicy(10));
    leveldb::Options options;
    options.create_if_missing = true;
    options.paranoid_checks = true;
    // Two memtables may be alive at a time.
    options.write_buffer_size = limits.write_buffer_bytes / 2;
    options.block_cache = cache_.get();
    options.filter_policy = filter_.get();
    options.info_log = logger_.get();
    leveldb::DB* db = nullptr;
    const leveldb::Status status = leveldb::DB::Open(options, directory, &db);
    db_.reset(db);
    return from_leveldb(status);
  }

  Status write(const WriteBatch& batch) override {
    leveldb::WriteBatch rows;
    for (const WriteBatch::Put& put : batch.puts()) {
      if (put.value) {
        rows.Put(to_slice(put.key), to_slice(*put.value));
      } else {
        rows.Delete(to_slice(put.key));
      }
    }
    return write_synced(rows);
  }

  Result<std::optional<Bytes>> get(BytesView key) const override {
    return get_with(*db_, leveldb::ReadOptions(), key);
  }

  Result<std::shared_ptr<const BackendSnapshot>> snapshot() const override {
    return std::shared_ptr<const BackendSnapshot>(std::make_shared<LeveldbSnapshot>(*db_));
  }

  /// Nothing becomes visible before it is synced, and open syncs what it replays.
  Result<std::optional<Bytes>> get_durable(BytesView key) const override { return get(key); }

  Status scan(BytesView begin, BytesView end,
              base::Function<bool(BytesView, BytesView)> row) const override {
    const std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(leveldb::ReadOptions()));
    for (it->Seek(to_slice(begin)); it->Valid(); it->Next()) {
      const BytesView key(it->key().data(), it->key().size());
      if (!end.empty() && key >= end) break;
      if (!row(key, BytesView(it->value().data(), it->value().size()))) break;
    }
    return from_leveldb(it->status());
  }

  /// An empty synced record: reports a background error that no write has met yet.
  Status flush() override {
    leveldb::WriteBatch nothing;
    return write_synced(nothing);
  }

  Status compact() override {
    db_->CompactRange(nullptr, nullptr);
    return flush();
  }

  Status checkpoint(const std::string& directory) override {
    const std::unique_ptr<FileSystem> files = make_posix_file_system();
    if (files->exists(directory)) {
      return Status(StatusCode::kAlreadyExists, base::concat(directory, " exists already"));
    }
    SYNOD_RETURN_IF_ERROR(files->create_directories(directory));
    LeveldbBackend copy;
    SYNOD_RETURN_IF_ERROR(copy.open(directory, BackendOptions{}));
    WriteBatch batch;
    Status failure;
    SYNOD_RETURN_IF_ERROR(scan({}, {}, [&](BytesView key, BytesView value) {
      batch.put(key, value);
      if (batch.bytes() >= kCopyBatchBytes || batch.puts().size() >= kCopyRowsMax) {
        failure = copy.write(batch);
        batch = {};
      }
      return failure.ok();
    }));
    SYNOD_RETURN_IF_ERROR(failure);
    SYNOD_RETURN_IF_ERROR(copy.write(batch));
    return files->sync_directory(directory);
  }

  Stats stats() const override {
    Stats stats;
    const leveldb::Range all(leveldb::Slice(""), leveldb::Slice(kLastKey));
    db_->GetApproximateSizes(&all, 1, &stats.disk_bytes);
    std::string memory;
    if (db_->GetProperty("leveldb.approximate-memory-usage", &memory)) {
      stats.memory_bytes = std::stoull(memory);
    }
    return stats;
  }

  std::string name() const override { return "leveldb"; }

 private:
  static constexpr std::size_t kCopyRowsMax = 1024;
  static constexpr const char* kLastKey = "\xff\xff\xff\xff\xff\xff\xff\xff";

  Status write_synced(leveldb::WriteBatch& rows) {
    leveldb::WriteOptions options;
    options.sync = true;
    return from_leveldb(db_->Write(options, &rows));
  }

  std::unique_ptr<DebugLogger> logger_;
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::DB> db_;
};

}  // namespace

Result<std::unique_ptr<StorageBackend>> open_leveldb_backend(const std::string& directory,
                                                             const BackendOptions& options) {
  const std::unique_ptr<FileSystem> files = make_posix_file_system();
  SYNOD_RETURN_IF_ERROR(files->create_directories(directory));
  auto backend = std::make_unique<LeveldbBackend>();
  if (const Status status = backend->open(directory, options); !status.ok()) {
    return status.with_context(directory);
  }
  return std::unique_ptr<StorageBackend>(std::move(backend));
}

}  // namespace synod::storage
