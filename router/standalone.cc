// SPDX-License-Identifier: Apache-2.0
#include "router/standalone.h"

#include <algorithm>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"

namespace synod::router {
namespace {

constexpr std::uint64_t kDiskReserveMax = 256ULL << 20;

bool is_safe_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

base::Status stands_alone() { return {base::StatusCode::kUnsupported, "this server stands alone"}; }

}  // namespace

Standalone::Standalone(StandaloneSeams seams, StandaloneOptions options)
    : seams_(std::move(seams)), options_(std::move(options)) {}

Standalone::~Standalone() = default;

base::Result<std::unique_ptr<Standalone>> Standalone::open(StandaloneSeams seams,
                                                           StandaloneOptions options) {
  std::unique_ptr<Standalone> store(new Standalone(std::move(seams), std::move(options)));
  SYNOD_RETURN_IF_ERROR(store->recover());
  return store;
}

base::Status Standalone::recover() {
  SYNOD_ASSIGN_OR_RETURN(
      auto directory,
      storage::DataDirectory::open(
          seams_.files, options_.directory,
          storage::DirectoryNodeId(static_cast<std::uint64_t>(options_.node.node_id)),
          seams_.random.fork(), seams_.commit.clock()));
  data_directory_ = std::make_unique<storage::DataDirectory>(std::move(directory));
  SYNOD_ASSIGN_OR_RETURN(const auto last_run, read_run_record(seams_.files, options_.directory));
  SYNOD_ASSIGN_OR_RETURN(backend_, seams_.open_backend(data_directory_->db_path()));
  database_ = std::make_unique<core::TransactionalKvDatabase>(options_.database);
  core_ = std::make_unique<core::KvServiceCore>(*database_);
  auto persisted = database_->load(*backend_);
  if (!persisted.ok()) return persisted.status().with_context(data_directory_->db_path());
  persistence_ =
      std::make_unique<core::Persistence>(seams_.persistence, database_->write_behind(), *backend_,
                                          options_.persistence, &database_->cold_values());
  persistence_->start_at(*persisted);
  SYNOD_RETURN_IF_ERROR(open_log(*persisted, last_run));
  FatalHandler fatal = std::move(seams_.fatal);
  pipeline_ = std::make_unique<CommitPipeline>(
      seams_.commit, seams_.persistence, seams_.files, options_.directory, std::move(log_), *core_,
      *database_, *persistence_, options_.pipeline, std::move(fatal));
  router_ = std::make_unique<DirectRouter>(
      *pipeline_, *core_, *database_, *persistence_, seams_.commit.clock(), options_.limits,
      AdmissionBounds{options_.pipeline.log_bytes_max, options_.table_bytes_max},
      WarmingBounds{options_.pipeline.pending_max, options_.pipeline.pending_bytes_max},
      seams_.cold_reads, options_.node);
  persistence_->on_durable([this](core::LogIndex durable) {
    seams_.commit.post([this, durable] { pipeline_->truncate(durable); });
  });
  return begin_run(last_run);
}

base::Status Standalone::check_log_exists(const std::optional<RunRecord>& last_run) const {
  // A run leaves at least the segment it began; a restored backup has neither a run nor a log.
  if (!last_run) return {};
  const std::string path = data_directory_->log_path();
  SYNOD_ASSIGN_OR_RETURN(const auto names, seams_.files.list(path));
  const bool has_segment = std::any_of(
      names.begin(), names.end(), [](const std::string& name) { return name.ends_with(".seg"); });
  if (has_segment) return {};
  return {base::StatusCode::kCorruption,
          base::concat(path,
                       ": every segment is missing; operations that were acknowledged are "
                       "lost with them")};
}

base::Status Standalone::open_log(core::LogIndex persisted,
                                  const std::optional<RunRecord>& last_run) {
  SYNOD_RETURN_IF_ERROR(check_log_exists(last_run));
  auto opened = storage::open_segmented_log(
      seams_.files, data_directory_->log_path(), data_directory_->log_identity(), options_.log,
      seams_.random.fork(), storage::FrameSeq(1),
      [this](const storage::LogFrame& frame) { return replay(frame); });
  if (!opened.ok()) return opened.status();
  if (!opened->recovery.damages.empty()) {
    const auto& damage = opened->recovery.damages.front();
    return {base::StatusCode::kCorruption,
            base::concat(damage.file, ": damaged at offset ", damage.offset, ": ", damage.reason,
                         " (frame ", damage.first.value(),
                         "); restore a backup or inspect with "
                         "'synod-server tool verify'")};
  }
  if (opened->recovery.torn_tail) {
    base::log_info("log", "dropped a torn last frame: it was never acknowledged");
  }
  if (first_gap_) {
    return {
        base::StatusCode::kCorruption,
        base::concat(data_directory_->log_path(), ": the log continues at operation ",
                     first_gap_->value(), ", the data ends at ", database_->applied_index().value(),
                     ": operations between them are missing")};
  }
  log_ = std::move(opened->log);
  return check_log_end(persisted, last_run);
}

base::Status Standalone::replay(const storage::LogFrame& frame) {
  SYNOD_RETURN_IF_ERROR(read_operation_group(
      frame.body, [this](core::LogIndex index, base::BytesView bytes) -> base::Status {
        log_last_ = index;
        const core::LogIndex next = database_->applied_index().next();
        if (index < next) return {};
        if (index > next) {
          // A frame before this one is lost. Recovery goes on, to say where the damage is.
          if (!first_gap_) first_gap_ = index;
          return {};
        }
        core::KvStoreExecutor executor(*core_, *database_);
        const auto applied = executor.apply_encoded(index, bytes);
        return applied.ok() ? base::Status() : applied.status();
      }));
  database_->seal();
  database_->housekeep(seams_.commit.clock().boot_time());
  const bool is_behind = persistence_->backlog_bytes() > options_.pipeline.backlog_bytes_max / 2;
  if (!is_behind && !database_->must_wait()) return {};
  return persistence_->drain_now(false);
}

base::Status Standalone::check_log_end(core::LogIndex persisted,
                                       const std::optional<RunRecord>& last_run) const {
  const bool log_is_short = log_last_ != core::LogIndex(0) && log_last_ < persisted;
  const bool was_sync = !last_run || last_run->durability == Durability::kSync;
  if (!log_is_short || !was_sync) return {};
  // With `sync` nothing is executed before it is in the log: the log lost its end.
  return {base::StatusCode::kCorruption,
          base::concat(data_directory_->log_path(), ": the log ends at operation ",
                       log_last_.value(), " but the data holds operation ", persisted.value())};
}

base::Status Standalone::begin_run(const std::optional<RunRecord>& last_run) {
  if (database_->applied_index() == core::LogIndex(0)) {
    core::KvOperation creation;
    creation.kind = core::OperationKind::kPolicy;
    creation.policy = options_.policy;
    base::store_le64(creation.policy->hash_seed.data(), seams_.random.next());
    base::store_le64(creation.policy->hash_seed.data() + 8, seams_.random.next());
    SYNOD_ASSIGN_OR_RETURN(const auto outcome, pipeline_->execute_now(std::move(creation)));
    if (!outcome.ok()) return {base::StatusCode::kInvalidArgument, outcome.message};
  }
  const bool may_have_lost = last_run && !last_run->is_clean &&
                             last_run->durability != Durability::kSync &&
                             last_run->ceiling > database_->state().newest_version();
  if (may_have_lost) {
    base::log_warning(
        "router",
        base::concat("the last run used durability '", durability_name(last_run->durability),
                     "' and did not end cleanly: its last operations may be lost; "
                     "versions continue above ",
                     last_run->ceiling.value()));
    core::KvOperation resume;
    resume.kind = core::OperationKind::kResume;
    resume.resume_version = last_run->ceiling;
    SYNOD_ASSIGN_OR_RETURN(const auto outcome, pipeline_->execute_now(std::move(resume)));
    if (!outcome.ok()) return {base::StatusCode::kInternal, outcome.message};
  }
  return {};
}

base::Status Standalone::start() {
  SYNOD_RETURN_IF_ERROR(pipeline_->start());
  persistence_->kick();
  seams_.persistence.post([this] {
    persistence_->tend(database_->pages());
    watch_space();
  });
  return {};
}

void Standalone::watch_space() {
  if (closed_) return;
  router_->gate().set_compaction_pending(backend_->stats().compaction_pending_bytes);
  const auto space = seams_.files.space(options_.directory);
  if (space.ok()) {
    const std::uint64_t reserve =
        options_.disk_reserve_bytes != 0
            ? options_.disk_reserve_bytes
            : std::min<std::uint64_t>(kDiskReserveMax, space->total_bytes / 4);
    router_->gate().set_no_space(space->free_bytes < reserve);
  } else {
    base::log_warning("storage", "free space is unknown: " + space.status().to_string());
  }
  seams_.persistence.run_after(options_.space_interval, [this] { watch_space(); });
}

base::Status Standalone::close() {
  closed_ = true;
  router_->close();
  SYNOD_RETURN_IF_ERROR(pipeline_->finish());
  const base::Status persisted = persistence_->drain_now(true);
  persistence_->stop();
  if (!persisted.ok()) {
    // The log holds everything: the next start replays it.
    base::log_warning("persistence", "final flush: " + persisted.to_string());
  }
  RunRecord record;
  record.durability = options_.pipeline.durability;
  record.is_clean = true;
  record.ceiling = database_->state().newest_version();
  return write_run_record(seams_.files, options_.directory, record);
}

void Standalone::status(base::Function<void(StoreStatus)> done) {
  seams_.commit.post([this, done = std::move(done)]() mutable {
    StoreStatus status;
    status.cluster_id = data_directory_->identity().cluster_id_hex();
    status.backend = backend_->name();
    status.durability = options_.pipeline.durability;
    status.newest_version = database_->state().newest_version();
    status.conflict_floor = database_->state().conflict_floor();
    status.snapshot_floor = database_->snapshot_floor();
    status.applied_index = database_->applied_index();
    status.written_index = persistence_->written_index();
    status.durable_index = persistence_->durable_index();
    status.state_hash = database_->hash();
    status.keys = database_->key_count();
    status.live_bytes = database_->live_bytes();
    status.memory_bytes = database_->memory_bytes();
    status.memory = database_->memory_status();
    status.waits = router_->storage_waits();
    status.log_bytes = pipeline_->log_bytes();
    status.pending = pipeline_->pending();
    done(std::move(status));
  });
}

void Standalone::verify(bool deep, base::Function<void(VerifyReport)> done) {
  seams_.commit.post([this, deep, done = std::move(done)]() mutable {
    const base::Status tables = database_->verify_tables();
    if (!tables.ok() || !deep) {
      done(verify_report(tables, deep));
      return;
    }
    // The writer stands still while the backend catches up and is compared.
    pipeline_->pause();
    seams_.persistence.post([this, done = std::move(done)]() mutable {
      const base::Status drained = persistence_->drain_now(false);
      seams_.commit.post([this, drained, done = std::move(done)]() mutable {
        const base::Status verified = drained.ok() ? database_->verify_backend(*backend_) : drained;
        done(verify_report(verified, true));
        pipeline_->resume();
      });
    });
  });
}

VerifyReport Standalone::verify_report(const base::Status& found, bool deep) const {
  VerifyReport report;
  report.status = found;
  report.state_hash = database_->hash();
  report.lines.push_back(base::concat("cuckoo table, B-tree, chains, digests and state hash",
                                      deep ? "; backend, row by row" : ""));
  report.lines.push_back(found.ok() ? "they agree" : found.to_string());
  return report;
}

void Standalone::flush(base::Function<void(base::Result<core::LogIndex>)> done) {
  persistence_->request_flush([this, done = std::move(done)](const base::Status& flushed) mutable {
    if (flushed.ok()) {
      done(persistence_->durable_index());
    } else {
      done(flushed);
    }
  });
}

void Standalone::snapshot(base::Function<void(base::Result<std::uint64_t>)> done) {
  done(stands_alone());
}

void Standalone::transfer_leadership(std::uint32_t /*to*/,
                                     base::Function<void(base::Status)> done) {
  done(stands_alone());
}

void Standalone::change_member(MemberChange /*change*/, std::uint32_t /*node*/,
                               std::uint32_t /*by*/, base::Function<void(base::Status)> done) {
  done(stands_alone());
}

void Standalone::compact(base::Function<void(base::Status)> done) {
  seams_.persistence.post([this, done = std::move(done)]() mutable {
    const base::Status drained = persistence_->drain_now(true);
    if (!drained.ok()) {
      done(drained);
      return;
    }
    seams_.storage.post([this, done = std::move(done)]() mutable { done(backend_->compact()); });
  });
}

void Standalone::backup(const std::string& name,
                        base::Function<void(base::Result<std::string>)> done) {
  if (!is_safe_name(name)) {
    done(base::Status(base::StatusCode::kInvalidArgument,
                      "a backup name is 1 to 64 of [A-Za-z0-9._-], not starting with a dot"));
    return;
  }
  const std::string path = options_.directory + "/backup/" + name;
  seams_.persistence.post([this, path, done = std::move(done)]() mutable {
    const base::Status drained = persistence_->drain_now(false);
    if (!drained.ok()) {
      done(drained);
      return;
    }
    seams_.storage.post([this, path, done = std::move(done)]() mutable {
      const base::Status written = write_backup(path);
      if (written.ok()) {
        done(path);
      } else {
        done(written);
      }
    });
  });
}

base::Status Standalone::write_backup(const std::string& path) {
  storage::FileSystem& files = seams_.files;
  if (files.exists(path)) return {base::StatusCode::kAlreadyExists, path + " exists"};
  SYNOD_RETURN_IF_ERROR(files.create_directories(path));
  SYNOD_RETURN_IF_ERROR(backend_->checkpoint(path + "/db"));
  // Written last: a backup without an identity is not one.
  SYNOD_ASSIGN_OR_RETURN(const base::Bytes identity,
                         storage::read_file(files, options_.directory + "/IDENTITY"));
  SYNOD_RETURN_IF_ERROR(storage::replace_file(files, path, "IDENTITY", identity));
  return files.sync_directory(options_.directory + "/backup");
}

}  // namespace synod::router
