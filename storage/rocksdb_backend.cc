// SPDX-License-Identifier: Apache-2.0
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "base/logging.h"
#include "base/text.h"
#include "storage/file.h"
#include "storage/rocksdb_file_env.h"
#include "storage/storage_backend.h"

namespace synod::storage {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

rocksdb::Slice to_slice(BytesView bytes) { return {bytes.data(), bytes.size()}; }

Status from_rocksdb(const rocksdb::Status& status) {
  if (status.ok()) return Status();
  StatusCode code = StatusCode::kIoError;
  if (status.IsNoSpace() || status.ToString().find(kNoSpaceText) != std::string::npos) {
    code = StatusCode::kNoSpace;
  }
  if (status.IsCorruption()) code = StatusCode::kCorruption;
  if (status.IsInvalidArgument() || status.IsNotSupported()) code = StatusCode::kInvalidArgument;
  if (status.IsShutdownInProgress()) code = StatusCode::kClosed;
  if (status.IsBusy()) code = StatusCode::kBusy;
  return Status(code, base::concat("rocksdb: ", status.ToString()));
}

/// Remembers why RocksDB stopped writing in the background, so that the next write tries again.
/// Thread-safe.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    base::log_warning("storage", base::concat("rocksdb paused: ", error->ToString()));
    const std::lock_guard lock(mutex_);
    reason_ = from_rocksdb(*error);
  }
  /// With its own files RocksDB recovers from a full disk by itself.
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override {
    if (info.new_bg_error.ok()) clear();
  }
  [[nodiscard]] Status reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    reason_ = Status();
  }
  /// Puts a cleared reason back, unless a newer one has come meanwhile.
  void restore(const Status& reason) {
    const std::lock_guard lock(mutex_);
    if (reason_.ok()) reason_ = reason;
  }

 private:
  mutable std::mutex mutex_;
  Status reason_;
};

/// RocksDB's own log, where it may not write LOG files: warnings and errors only.
class ForwardingLogger final : public rocksdb::Logger {
 public:
  ForwardingLogger() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[512];
    if (std::vsnprintf(line, sizeof(line), format, arguments) < 0) return;
    base::log_warning("storage", base::concat("rocksdb: ", base::escape(line, sizeof(line))));
  }
};

Result<std::optional<Bytes>> get_with(rocksdb::DB& db, const rocksdb::ReadOptions& options,
                                      BytesView key) {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db.Get(options, db.DefaultColumnFamily(), to_slice(key), &value);
  if (status.IsNotFound()) return std::optional<Bytes>();
  if (!status.ok()) return from_rocksdb(status);
  return std::optional<Bytes>(Bytes(value.data(), value.size()));
}

class RocksdbSnapshot final : public BackendSnapshot {
 public:
  explicit RocksdbSnapshot(rocksdb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~RocksdbSnapshot() override { db_.ReleaseSnapshot(snapshot_); }
  RocksdbSnapshot(const RocksdbSnapshot&) = delete;
  RocksdbSnapshot& operator=(const RocksdbSnapshot&) = delete;

  [[nodiscard]] Result<std::optional<Bytes>> get(BytesView key) const override {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    return get_with(db_, options, key);
  }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* const snapshot_;
};

/// See StorageBackend. One column family, no write-ahead log: storage/log is the log, and what a
/// crash leaves is the prefix of batches that reached an SST file named by a synced MANIFEST.
///
/// Failure: after a failed flush or compaction RocksDB refuses writes; each later write or flush
/// asks it to resume first, so that the service goes on once there is space again.
class RocksdbBackend final : public StorageBackend {
 public:
  RocksdbBackend(std::unique_ptr<rocksdb::Env> env, std::unique_ptr<FileSystem> own_files,
                 FileSystem* files, std::shared_ptr<BackgroundErrors> errors)
      : env_(std::move(env)),
        own_files_(std::move(own_files)),
        files_(files),
        errors_(std::move(errors)) {}

  Status open(const std::string& directory, const rocksdb::Options& options) {
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, directory, &db);
    db_.reset(db);
    return from_rocksdb(status);
  }

  Status write(const WriteBatch& batch) override {
    SYNOD_RETURN_IF_ERROR(resume_if_stopped());
    constexpr std::size_t kRowOverhead = 8;  // Kind and two lengths.
    rocksdb::WriteBatch rows(batch.bytes() + kRowOverhead * batch.puts().size() + 64);
    for (const WriteBatch::Put& put : batch.puts()) {
      const rocksdb::Status status = put.value ? rows.Put(to_slice(put.key), to_slice(*put.value))
                                               : rows.Delete(to_slice(put.key));
      if (!status.ok()) return from_rocksdb(status);
    }
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    return from_rocksdb(db_->Write(options, &rows));
  }

  Result<std::optional<Bytes>> get(BytesView key) const override {
    return get_with(*db_, rocksdb::ReadOptions(), key);
  }

  /// The persisted tier without a write-ahead log is the SST files alone (B3).
  Result<std::optional<Bytes>> get_durable(BytesView key) const override {
    rocksdb::ReadOptions options;
    options.read_tier = rocksdb::kPersistedTier;
    return get_with(*db_, options, key);
  }

  Result<std::shared_ptr<const BackendSnapshot>> snapshot() const override {
    return std::shared_ptr<const BackendSnapshot>(std::make_shared<RocksdbSnapshot>(*db_));
  }

  Status scan(BytesView begin, BytesView end,
              base::Function<bool(BytesView, BytesView)> row) const override {
    rocksdb::ReadOptions options;
    const rocksdb::Slice upper = to_slice(end);
    if (!end.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
    for (it->Seek(to_slice(begin)); it->Valid(); it->Next()) {
      if (!row(BytesView(it->key().data(), it->key().size()),
               BytesView(it->value().data(), it->value().size()))) {
        break;
      }
    }
    return from_rocksdb(it->status());
  }

  Status flush() override {
    SYNOD_RETURN_IF_ERROR(resume_if_stopped());
    return from_rocksdb(db_->Flush(rocksdb::FlushOptions()));
  }

  Status compact() override {
    SYNOD_RETURN_IF_ERROR(resume_if_stopped());
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    return from_rocksdb(db_->CompactRange(options, nullptr, nullptr));
  }

  void interrupt() override { db_->DisableManualCompaction(); }

  Status checkpoint(const std::string& directory) override {
    SYNOD_RETURN_IF_ERROR(flush());
    rocksdb::Checkpoint* raw = nullptr;
    const rocksdb::Status created = rocksdb::Checkpoint::Create(db_.get(), &raw);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    if (!created.ok()) return from_rocksdb(created);
    if (const auto made = checkpoint->CreateCheckpoint(directory); !made.ok()) {
      return from_rocksdb(made);
    }
    return make_durable(directory);
  }

  Result<std::vector<std::optional<Bytes>>> read_checkpoint(
      const std::string& directory, const std::vector<Bytes>& keys) const override {
    constexpr int kOpenFilesMax = 16;  // Two rows are wanted, not every file in memory.
    rocksdb::Options options;
    if (env_ != nullptr) options.env = env_.get();
    options.paranoid_checks = true;
    options.max_open_files = kOpenFilesMax;
    // RocksDB would write a LOG file into the checkpoint.
    options.info_log = std::make_shared<ForwardingLogger>();
    rocksdb::DB* raw = nullptr;
    const rocksdb::Status opened = rocksdb::DB::OpenForReadOnly(options, directory, &raw);
    const std::unique_ptr<rocksdb::DB> db(raw);
    if (!opened.ok()) return from_rocksdb(opened).with_context(directory);
    std::vector<std::optional<Bytes>> values;
    for (const Bytes& key : keys) {
      Bytes value;
      const rocksdb::Status status = db->Get(rocksdb::ReadOptions(), to_slice(key), &value);
      if (!status.ok() && !status.IsNotFound()) return from_rocksdb(status).with_context(directory);
      values.push_back(status.ok() ? std::optional<Bytes>(std::move(value)) : std::nullopt);
    }
    return values;
  }

  Stats stats() const override {
    Stats stats;
    stats.disk_bytes = property("rocksdb.total-sst-files-size");
    stats.write_buffer_bytes = property("rocksdb.cur-size-all-mem-tables");
    stats.block_cache_bytes = property("rocksdb.block-cache-usage");
    stats.memory_bytes = stats.write_buffer_bytes + stats.block_cache_bytes +
                         property("rocksdb.estimate-table-readers-mem");
    stats.is_write_stopped = property("rocksdb.is-write-stopped") != 0;
    stats.compaction_pending_bytes = property("rocksdb.estimate-pending-compaction-bytes");
    return stats;
  }

  std::string name() const override { return "rocksdb"; }

 private:
  Status resume_if_stopped() {
    const Status reason = errors_->reason();
    if (reason.ok()) return Status();
    // Cleared first: an error that comes while or after it resumes must not be wiped out.
    errors_->clear();
    const rocksdb::Status status = db_->Resume();
    if (!status.ok()) {
      errors_->restore(reason);
      // Busy: RocksDB's own recovery is under way.
      return status.IsBusy() ? reason : from_rocksdb(status);
    }
    base::log_info("storage", "rocksdb resumed");
    return Status();
  }

  std::uint64_t property(const char* name) const {
    std::uint64_t value = 0;
    return db_->GetIntProperty(name, &value) ? value : 0;
  }

  /// RocksDB syncs what it copies; the names in the directory and its own name are ours to sync.
  Status make_durable(const std::string& directory) {
    SYNOD_RETURN_IF_ERROR(files_->sync_directory(directory));
    const std::size_t slash = directory.find_last_of('/');
    return files_->sync_directory(slash == std::string::npos ? "." : directory.substr(0, slash));
  }

  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<FileSystem> own_files_;
  FileSystem* files_;
  std::shared_ptr<BackgroundErrors> errors_;
  std::unique_ptr<rocksdb::DB> db_;
};

rocksdb::Options make_options(const BackendOptions& limits) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.avoid_flush_during_shutdown = false;
  options.max_background_jobs = limits.background_jobs;
  // Small memtables, several of them for one file: a row finds its place in what the processor's
  // caches hold.
  options.write_buffer_size = limits.write_buffer_bytes / 8;
  options.min_write_buffer_number_to_merge = 4;
  options.max_write_buffer_number = 10;
  // One writer and sorted batches: a row's place in the memtable is next to the one before it.
  options.allow_concurrent_memtable_write = false;
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  // In proportion to what is flushed: with levels for much larger files, each flush of a small
  // buffer would rewrite a hundred times as much.
  constexpr std::uint64_t kLevelBytesMax = 256U << 20;
  constexpr std::uint64_t kFileBytesMax = 64U << 20;
  options.max_bytes_for_level_base =
      std::min<std::uint64_t>(4 * limits.write_buffer_bytes, kLevelBytesMax);
  options.target_file_size_base = std::min<std::uint64_t>(limits.write_buffer_bytes, kFileBytesMax);
  options.max_bgerror_resume_count = 0;  // Retries are ours: one place decides (resume_if_stopped).
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.max_log_file_size = std::size_t{4} << 20;
  options.keep_log_file_num = 3;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_open_files = 1024;
  const std::shared_ptr<rocksdb::Cache> cache =
      rocksdb::NewLRUCache(limits.block_cache_bytes + limits.write_buffer_bytes);
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(limits.write_buffer_bytes, cache);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

Result<std::unique_ptr<StorageBackend>> open_rocksdb_backend(const std::string& directory,
                                                             const BackendOptions& limits,
                                                             FileSystem* files) {
  rocksdb::Options options = make_options(limits);
  const auto errors = std::make_shared<BackgroundErrors>();
  options.listeners.push_back(errors);
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<FileSystem> own_files;
  if (files != nullptr) {
    env = make_rocksdb_file_env(*files);
    options.env = env.get();
    options.info_log = std::make_shared<ForwardingLogger>();
  } else {
    own_files = make_posix_file_system();
    files = own_files.get();
  }
  SYNOD_RETURN_IF_ERROR(files->create_directories(directory));
  auto backend =
      std::make_unique<RocksdbBackend>(std::move(env), std::move(own_files), files, errors);
  if (const Status status = backend->open(directory, options); !status.ok()) {
    return status.with_context(directory);
  }
  return std::unique_ptr<StorageBackend>(std::move(backend));
}

}  // namespace synod::storage
