// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/dispatcher.h"
#include "base/random.h"
#include "core/admission.h"
#include "core/kv_service_core.h"
#include "core/persistence.h"
#include "core/transactional_kv_database.h"
#include "router/commit_pipeline.h"
#include "router/direct_router.h"
#include "router/run_record.h"
#include "storage/data_directory.h"
#include "storage/file.h"
#include "storage/log/segmented_log.h"
#include "storage/storage_backend.h"

namespace synod::router {

struct StandaloneOptions {
  std::string directory;
  NodeIdentity node;
  PipelineOptions pipeline;
  core::PersistenceOptions persistence;
  core::DatabaseOptions database;
  core::Limits limits;
  core::Policy policy;  ///< Used when the store is created, never later.
  storage::LogOptions log;
  std::uint64_t table_bytes_max = 0;     ///< MEMORY_FULL beyond it; 0: no limit.
  std::uint64_t disk_reserve_bytes = 0;  ///< 0: the smaller of 256 MiB and a quarter of the disk.
  base::Nanos space_interval = std::chrono::milliseconds(250);
};

/// The seams a standalone store stands on.
struct StandaloneSeams {
  storage::FileSystem& files;
  base::Dispatcher& commit;       ///< Log writer and apply.
  base::Dispatcher& persistence;  ///< Backend, next segments, free space.
  base::Dispatcher& storage;      ///< Work on the backend that takes long: compaction, backups.
  base::Random random;
  /// Opens the backend in the given directory.
  std::function<base::Result<std::unique_ptr<storage::StorageBackend>>(const std::string&)>
      open_backend;
  FatalHandler fatal;
};

/// What an operator sees of the store.
struct StandaloneStatus {
  std::string cluster_id;
  std::string backend;
  Durability durability = Durability::kSync;
  core::Version newest_version{0};
  core::Version conflict_floor{0};
  core::Version snapshot_floor{0};
  core::LogIndex applied_index{0};
  core::LogIndex written_index{0};
  core::LogIndex durable_index{0};
  core::StateHash state_hash;
  std::uint64_t keys = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::size_t pending = 0;
};

/// One standalone store: data directory, backend, log, tables, pipeline and router, composed over
/// seams so that the same object runs in the server and on a simulated loop.
///
/// Owned by ServerManager or a test.
///
/// Invariants
///   SA1  `open` serves exactly the state of every acknowledged operation the mode promises:
///        backend rows at index p, then the log from p+1, executed again.
///   SA2  Damage is refused with file and offset, never repaired by forgetting.
///
/// Threads: `open` before the dispatchers run; `close` after they stopped; admin calls post.
class Standalone {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Standalone>> open(StandaloneSeams seams,
                                                                      StandaloneOptions options);
  ~Standalone();

  [[nodiscard]] DirectRouter& router() { return *router_; }
  [[nodiscard]] core::TransactionalKvDatabase& database() { return *database_; }
  [[nodiscard]] core::Persistence& persistence() { return *persistence_; }
  [[nodiscard]] CommitPipeline& pipeline() { return *pipeline_; }
  [[nodiscard]] const storage::DataDirectory& directory() const { return *data_directory_; }

  /// Serves from here on.
  [[nodiscard]] base::Status start();
  /// Makes long work on the storage dispatcher end early, so that it can stop. Any thread.
  void interrupt() { backend_->interrupt(); }
  /// After the dispatchers stopped: completes the log, flushes the backend, marks the run clean.
  [[nodiscard]] base::Status close();

  // Administration: each completes on one of the dispatchers.
  void status(base::Function<void(StandaloneStatus)> done);
  /// Tables against each other; `deep`: also against the backend, row by row. Writes wait.
  void verify(bool deep, base::Function<void(base::Status, core::StateHash)> done);
  void flush(base::Function<void(base::Status)> done);
  void compact(base::Function<void(base::Status)> done);
  /// A checkpoint in `<directory>/backup/<name>`; name: [A-Za-z0-9._-]{1,64}, no dot first.
  void backup(const std::string& name, base::Function<void(base::Result<std::string>)> done);

 private:
  Standalone(StandaloneSeams seams, StandaloneOptions options);
  [[nodiscard]] base::Status recover();
  [[nodiscard]] base::Status check_log_exists(const std::optional<RunRecord>& last_run) const;
  [[nodiscard]] base::Status open_log(core::LogIndex persisted,
                                      const std::optional<RunRecord>& last_run);
  [[nodiscard]] base::Status replay(const storage::LogFrame& frame);
  [[nodiscard]] base::Status check_log_end(core::LogIndex persisted,
                                           const std::optional<RunRecord>& last_run) const;
  [[nodiscard]] base::Status begin_run(const std::optional<RunRecord>& last_run);
  void watch_space();
  [[nodiscard]] base::Status write_backup(const std::string& path);

  StandaloneSeams seams_;
  const StandaloneOptions options_;
  std::unique_ptr<storage::DataDirectory> data_directory_;
  std::unique_ptr<storage::StorageBackend> backend_;
  std::unique_ptr<core::TransactionalKvDatabase> database_;
  std::unique_ptr<core::KvServiceCore> core_;
  std::unique_ptr<core::Persistence> persistence_;
  std::unique_ptr<CommitPipeline> pipeline_;
  std::unique_ptr<DirectRouter> router_;
  std::unique_ptr<storage::SegmentedLog> log_;  ///< Until the pipeline takes it.
  std::optional<core::LogIndex> first_gap_;     ///< Recovery: where operations are missing.
  core::LogIndex log_last_{0};                  ///< Last index the log holds; 0: it is empty.
  bool closed_ = false;
};

}  // namespace synod::router
