// SPDX-License-Identifier: Apache-2.0
#include "router/commit_pipeline.h"

#include <algorithm>
#include <span>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"

namespace synod::router {
namespace {

/// Versions reserved at a time by the ceiling of `batched` and `async`.
constexpr std::int64_t kCeilingStep = 1'000'000;
constexpr std::uint64_t kMarkEvery = 64;
constexpr std::size_t kLotMax = 64;
constexpr base::Nanos kBacklogPause = std::chrono::milliseconds(1);
/// Between two requests to make the backend durable because the log grows long.
constexpr base::Nanos kFlushInterval = std::chrono::seconds(1);
/// What a refused caller is told to wait.
constexpr std::int64_t kRetryAfterMs = 100;
constexpr base::Nanos kPrepareRetry = std::chrono::seconds(1);

}  // namespace

CommitPipeline::CommitPipeline(base::Dispatcher& dispatcher, base::Dispatcher& background,
                               storage::FileSystem& files, std::string directory,
                               std::unique_ptr<storage::SegmentedLog> log,
                               core::KvServiceCore& core, core::TransactionalKvDatabase& database,
                               core::Persistence& persistence, const PipelineOptions& options,
                               FatalHandler fatal)
    : dispatcher_(dispatcher),
      background_(background),
      files_(files),
      directory_(std::move(directory)),
      log_(std::move(log)),
      core_(core),
      database_(database),
      executor_(core, database),
      persistence_(persistence),
      options_(options),
      fatal_(std::move(fatal)),
      stamps_(dispatcher.clock(), database.state().clock()),
      queue_(options.pending_max) {
  log_bytes_.store(log_->disk_bytes());
}

bool CommitPipeline::submit(PendingOperation& pending) {
  const std::uint64_t bytes = pending.bytes;
  if (pending_bytes_.fetch_add(bytes) + bytes > options_.pending_bytes_max) {
    pending_bytes_.fetch_sub(bytes);
    return false;
  }
  using Push = base::BoundedChannel<PendingOperation>::Push;
  const Push pushed = queue_.push(pending);
  if (pushed == Push::kRefused) {
    pending_bytes_.fetch_sub(bytes);
    return false;
  }
  if (pushed == Push::kQueuedFirst) dispatcher_.post([this] { wake(); });
  return true;
}

void CommitPipeline::wake() {
  if (scheduled_ || stopped_) return;
  scheduled_ = true;
  run();
}

void CommitPipeline::resume() {
  SYNOD_ASSERT(pauses_ > 0, "every resume ends one pause");
  if (--pauses_ == 0) wake();
}

core::LogIndex CommitPipeline::next_index() const { return executor_.applied_index().next(); }

/// At the end nobody waits any more: the log holds what the backend has not taken.
bool CommitPipeline::is_behind() const {
  if (finishing_) return false;
  return persistence_.backlog_bytes() > options_.backlog_bytes_max || database_.must_wait();
}

void CommitPipeline::run() {
  scheduled_ = false;
  if (failed_ || pauses_ > 0) return;
  if (is_behind()) {
    // The backend is behind, or values cannot leave memory before it has them: wait for it, the
    // queue in front of us turns callers away.
    database_.housekeep(dispatcher_.clock().boot_time());
    persistence_.kick();
    scheduled_ = true;
    dispatcher_.run_after(kBacklogPause, [this] { run(); });
    return;
  }
  auto group = take_group();
  if (!group.empty()) {
    if (options_.durability == Durability::kSync) {
      commit_durably(std::move(group));
    } else {
      commit_at_once(std::move(group));
    }
    if (failed_) return;
    database_.housekeep(dispatcher_.clock().boot_time());
    persistence_.kick();
    relieve_log();
  }
  if (queue_.size() > 0 && !scheduled_) {
    scheduled_ = true;
    dispatcher_.post([this] { run(); });
  }
}

std::vector<PendingOperation> CommitPipeline::take_group() {
  std::vector<PendingOperation> group;
  std::uint64_t bytes = 0;
  const base::Nanos now = dispatcher_.clock().boot_time();
  const core::TimeMs stamp = stamps_.now();
  if (tick_wanted_) {
    tick_wanted_ = false;
    PendingOperation tick;
    tick.operation.kind = core::OperationKind::kTick;
    tick.operation.stamp = stamp;
    group.push_back(std::move(tick));
  }
  while (group.size() < options_.group_operations_max && bytes < options_.group_bytes_max) {
    auto pending = queue_.pop();
    if (!pending) break;
    pending_bytes_.fetch_sub(pending->bytes);
    if (pending->deadline && now > *pending->deadline) {
      pending->done(core::refused(core::OutcomeCode::kTimeout, "Transaction timed out"));
      continue;
    }
    bytes += pending->bytes;
    pending->operation.stamp = stamp;
    group.push_back(std::move(*pending));
  }
  return group;
}

void CommitPipeline::commit_durably(std::vector<PendingOperation> group) {
  OperationGroup frame(next_index());
  for (const auto& pending : group) frame.add(pending.operation);
  const base::Status written = write_group(frame);
  if (!written.ok()) {
    refuse(group, written);
    return;
  }
  execute(group);  // CP1
}

void CommitPipeline::commit_at_once(std::vector<PendingOperation> group) {
  if (log_is_full_) {
    // What is executed already waits to be written; to add to it would break the mode's promise.
    refuse(group, {base::StatusCode::kNoSpace, "the log waits for space"});
    return;
  }
  if (!raise_ceiling(group.size())) return;
  if (!unsynced_) unsynced_.emplace(next_index());
  for (const auto& pending : group) unsynced_->add(pending.operation);
  execute(group);
  if (unsynced_->bytes() >= options_.unsynced_bytes_max) {
    flush_unsynced();
  } else if (!flush_timer_set_) {
    flush_timer_set_ = true;
    dispatcher_.run_after(options_.batched_interval, [this] {
      flush_timer_set_ = false;
      flush_unsynced();
    });
  }
}

/// Executes and answers in small lots: what a caller was told is in the rows for the backend, and
/// the rows that every lot has once are shared by many operations.
void CommitPipeline::execute(std::vector<PendingOperation>& group) {
  const base::Nanos begun = dispatcher_.clock().boot_time();
  std::vector<core::Outcome> outcomes;
  outcomes.reserve(std::min(group.size(), kLotMax));
  for (std::size_t at = 0; at < group.size(); at += kLotMax) {
    const std::span lot = std::span(group).subspan(at, std::min(kLotMax, group.size() - at));
    for (const auto& pending : lot) {
      outcomes.push_back(executor_.apply(next_index(), pending.operation).outcome);
    }
    executor_.seal();
    for (std::size_t i = 0; i < lot.size(); ++i) {
      if (lot[i].done) lot[i].done(std::move(outcomes[i]));
    }
    outcomes.clear();
  }
  observe(group, begun);
}

void CommitPipeline::observe(const std::vector<PendingOperation>& group, base::Nanos begun) const {
  if (options_.observer == nullptr) return;
  const base::Nanos now = dispatcher_.clock().boot_time();
  options_.observer->on_applied(group.size(), now - begun);
  for (const auto& pending : group) {
    if (pending.submitted != base::Nanos(0))
      options_.observer->on_committed(now - pending.submitted);
  }
}

base::Status CommitPipeline::write_group(OperationGroup& group) {
  const base::BytesView body = group.body();
  const auto seq = log_->append(group.summary(), {&body, 1});
  if (!seq.ok()) return seq.status();
  const base::Status synced = log_->sync();
  if (!synced.ok()) {
    // F2: whether the frame is on the medium is unknown, whatever the code says.
    return {base::StatusCode::kIoError, synced.message()};
  }
  // The newest frame is always marked: once everything is durable, all before it may go.
  if (frame_marks_.empty() || ++frames_since_mark_ >= kMarkEvery) {
    frame_marks_.emplace_back(*seq, group.last());
    frames_since_mark_ = 0;
  } else {
    frame_marks_.back() = {*seq, group.last()};
  }
  log_bytes_.store(log_->disk_bytes(), std::memory_order_relaxed);
  if (options_.observer != nullptr) {
    options_.observer->on_durable(
        static_cast<std::size_t>(group.last().value() - group.first().value() + 1));
  }
  return {};
}

void CommitPipeline::flush_unsynced() {
  if (failed_ || !unsynced_) return;
  const base::Status written = write_group(*unsynced_);
  log_is_full_ = written.code() == base::StatusCode::kNoSpace;
  if (written.ok()) {
    unsynced_.reset();
    return;
  }
  if (written.code() != base::StatusCode::kNoSpace) {
    fail(written);
    return;
  }
  // Nothing of the frame was written: keep it and try again; admission is closed meanwhile.
  base::log_warning("log", "no space for the next segment: " + written.message());
  if (flush_timer_set_) return;
  flush_timer_set_ = true;
  dispatcher_.run_after(options_.batched_interval, [this] {
    flush_timer_set_ = false;
    flush_unsynced();
  });
}

bool CommitPipeline::raise_ceiling(std::size_t operations) {
  const core::Version newest = database_.state().newest_version();
  if (newest.value() + static_cast<std::int64_t>(operations) <= ceiling_.value()) return true;
  RunRecord record;
  record.durability = options_.durability;
  record.ceiling = core::Version(newest.value() + kCeilingStep);
  const base::Status written = write_run_record(files_, directory_, record);
  if (!written.ok()) {
    fail(written);
    return false;
  }
  ceiling_ = record.ceiling;  // CP3
  return true;
}

void CommitPipeline::refuse(std::vector<PendingOperation>& group, const base::Status& status) {
  // Both codes promise that nothing was written.
  if (options_.observer != nullptr) options_.observer->on_failed(group.size());
  const bool is_harmless = status.code() == base::StatusCode::kNoSpace ||
                           status.code() == base::StatusCode::kLimitExceeded;
  if (!is_harmless) {
    fail(status);
    return;
  }
  const bool is_full = status.code() == base::StatusCode::kNoSpace;
  const core::Outcome outcome =
      is_full ? core::refused(core::OutcomeCode::kNoSpace,
                              "No space for the log: " + status.message(), kRetryAfterMs)
              : core::refused(core::OutcomeCode::kLimitExceeded, status.message());
  for (auto& pending : group) {
    if (pending.done) pending.done(outcome);
  }
}

void CommitPipeline::fail(const base::Status& status) {
  failed_ = true;  // CP4
  fatal_("the log failed: " + status.to_string());
}

base::Result<core::Outcome> CommitPipeline::execute_now(core::KvOperation operation) {
  operation.stamp = stamps_.now();
  OperationGroup frame(next_index());
  frame.add(operation);
  SYNOD_RETURN_IF_ERROR(write_group(frame));
  core::ExecutionResult result = executor_.apply(frame.first(), operation);
  executor_.seal();
  return std::move(result.outcome);
}

base::Status CommitPipeline::start() {
  RunRecord record;
  record.durability = options_.durability;
  if (options_.durability != Durability::kSync) {
    record.ceiling = core::Version(database_.state().newest_version().value() + kCeilingStep);
    ceiling_ = record.ceiling;
  }
  SYNOD_RETURN_IF_ERROR(write_run_record(files_, directory_, record));
  dispatcher_.run_after(options_.tick_interval, [this] { tick(); });
  return {};
}

void CommitPipeline::tick() {
  if (failed_ || stopped_) return;
  database_.housekeep(dispatcher_.clock().boot_time());
  if (pauses_ == 0 && core_.needs_tick(stamps_.now())) {
    tick_wanted_ = true;
    wake();
  }
  if (failed_) return;
  // Also without traffic: admission may wait for exactly this.
  relieve_log();
  dispatcher_.run_after(options_.tick_interval, [this] { tick(); });
}

void CommitPipeline::relieve_log() {
  const base::Nanos now = dispatcher_.clock().boot_time();
  const bool is_due = !flush_requested_ && now - flush_requested_at_ >= kFlushInterval;
  if (log_bytes() > options_.log_bytes_max / 2 && is_due) {
    flush_requested_ = true;
    flush_requested_at_ = now;
    persistence_.request_flush([this](const base::Status& flushed) {
      if (!flushed.ok()) base::log_warning("persistence", "flush: " + flushed.to_string());
      dispatcher_.post([this] { flush_requested_ = false; });
    });
  }
  if (preparing_ || now < prepare_not_before_ || !log_->needs_segment()) return;
  // Zero-filled behind the pipeline's back, so that rotation is a swap.
  preparing_ = true;
  background_.post([this] {
    const base::Status prepared = log_->prepare_segment();
    if (!prepared.ok()) base::log_warning("log", "next segment: " + prepared.to_string());
    dispatcher_.post([this, failed = !prepared.ok()] {
      preparing_ = false;
      if (failed) prepare_not_before_ = dispatcher_.clock().boot_time() + kPrepareRetry;
    });
  });
}

void CommitPipeline::truncate(core::LogIndex durable) {
  if (failed_ || stopped_) return;
  std::optional<storage::FrameSeq> keep_from;
  while (!frame_marks_.empty() && frame_marks_.front().second <= durable) {
    keep_from = frame_marks_.front().first;
    frame_marks_.pop_front();
  }
  if (!keep_from) return;
  const base::Status deleted = log_->delete_before(*keep_from);
  if (!deleted.ok()) base::log_warning("log", "deleting old segments: " + deleted.to_string());
  log_bytes_.store(log_->disk_bytes(), std::memory_order_relaxed);
}

base::Status CommitPipeline::finish() {
  finishing_ = true;
  pauses_ = 0;
  while (!failed_ && queue_.size() > 0) run();
  flush_unsynced();
  stopped_ = true;
  if (failed_ || unsynced_) {
    return {base::StatusCode::kIoError, "the log could not be completed"};
  }
  return {};
}

}  // namespace synod::router
