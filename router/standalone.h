// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/dispatcher.h"
#include "base/random.h"
#include "core/admission.h"
#include "core/kv_service_core.h"
#include "core/persistence.h"
#include "core/transactional_kv_database.h"
#include "router/commit_pipeline.h"
#include "router/direct_router.h"
#include "router/run_record.h"
#include "router/store.h"
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
  /// Of what can not leave memory: MEMORY_FULL beyond it; 0: no limit.
  std::uint64_t table_bytes_max = 0;
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
  /// Read values that left memory. Needed with DatabaseOptions::memory_bytes_max alone; without
  /// them whoever meets such a value waits himself.
  std::vector<base::Dispatcher*> cold_reads = {};
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
class Standalone final : public Store {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Standalone>> open(StandaloneSeams seams,
                                                                      StandaloneOptions options);
  ~Standalone() override;

  [[nodiscard]] DirectRouter& router() override { return *router_; }
  [[nodiscard]] core::TransactionalKvDatabase& database() { return *database_; }
  [[nodiscard]] core::Persistence& persistence() { return *persistence_; }
  [[nodiscard]] CommitPipeline& pipeline() { return *pipeline_; }
  [[nodiscard]] const storage::DataDirectory& directory() const { return *data_directory_; }

  [[nodiscard]] base::Status start() override;
  void interrupt() override { backend_->interrupt(); }
  void set_endpoint(std::string endpoint) override { router_->set_endpoint(std::move(endpoint)); }
  /// After the dispatchers stopped: completes the log, flushes the backend, marks the run clean.
  [[nodiscard]] base::Status close();

  void status(base::Function<void(StoreStatus)> done) override;
  /// Writes wait while a deep one runs.
  void verify(bool deep, base::Function<void(VerifyReport)> done) override;
  void flush(base::Function<void(base::Result<core::LogIndex>)> done) override;
  void compact(base::Function<void(base::Status)> done) override;
  /// A checkpoint in `<directory>/backup/<name>`; name: [A-Za-z0-9._-]{1,64}, no dot first.
  void backup(const std::string& name,
              base::Function<void(base::Result<std::string>)> done) override;
  // There is no group: these refuse at once.
  void snapshot(base::Function<void(base::Result<std::uint64_t>)> done) override;
  void transfer_leadership(std::uint32_t to, base::Function<void(base::Status)> done) override;
  void change_member(MemberChange change, std::uint32_t node, std::uint32_t by,
                     base::Function<void(base::Status)> done) override;

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
  [[nodiscard]] VerifyReport verify_report(const base::Status& found, bool deep) const;
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
