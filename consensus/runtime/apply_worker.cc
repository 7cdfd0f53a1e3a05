// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/apply_worker.h"

#include <utility>

#include "base/assert.h"
#include "base/plant.h"

namespace synod::consensus {

ApplyWorker::ApplyWorker(base::Dispatcher& apply_strand, StateMachine& machine, LogWriter& log,
                         StatePolicy policy, base::Function<void(ApplyEvent)> events,
                         base::Function<void(const base::Status&)> on_failed)
    : strand_(apply_strand),
      machine_(machine),
      log_(log),
      policy_(policy),
      events_(std::move(events)),
      on_failed_(std::move(on_failed)),
      label_(machine.label()),
      executed_(label_.applied),
      flushed_(machine.durable_applied()),
      inbox_(apply_strand, [this](std::vector<Request>& requests) { handle(requests); }) {
  if (const auto newest = machine.newest_snapshot()) {
    snapshot_ = newest->slot;
    snapshot_id_ = newest->id;
  }
}

void ApplyWorker::fail(const base::Status& status) {
  if (std::exchange(has_failed_, true)) return;
  on_failed_(status);
}

void ApplyWorker::handle(std::vector<Request>& requests) {
  for (Request& request : requests) handle_one(std::move(request));
}

void ApplyWorker::handle_one(Request request) {
  if (has_failed_) return;
  if (auto* resume = std::get_if<Resume>(&request)) return finish_install(std::move(resume->image));
  if (install_) {
    if (auto* wanted = std::get_if<TakeSnapshot>(&request); wanted != nullptr && wanted->done) {
      return wanted->done(base::Status(base::StatusCode::kBusy, "an image is being installed"));
    }
    return held_.push_back(std::move(request));
  }
  if (auto* deliveries = std::get_if<std::vector<Delivery>>(&request)) {
    return execute(std::move(*deliveries));
  }
  if (auto* wanted = std::get_if<TakeSnapshot>(&request)) return do_take(*wanted);
  if (std::holds_alternative<RelieveLog>(request)) return do_relieve();
  std::visit([this](auto& task) { do_task(task); }, std::get<SnapshotTask>(request));
}

void ApplyWorker::execute(std::vector<Delivery> deliveries) {
  // A snapshot that was installed meanwhile contains the first ones (I1).
  std::erase_if(deliveries, [this](const Delivery& each) { return each.slot <= label_.applied; });
  if (deliveries.empty()) return;
  for (const Delivery& each : deliveries) take_in(label_, each);
  ++running_;
  const Slot first = deliveries.front().slot;
  machine_.apply(std::move(deliveries), label_,
                 [this, first](base::Result<std::vector<base::Bytes>> results) {
                   on_executed(first, std::move(results));
                 });
}

void ApplyWorker::on_executed(Slot first, base::Result<std::vector<base::Bytes>> results) {
  --running_;
  if (!results.ok()) return fail(results.status());
  SYNOD_ASSERT(first == executed_.next(), "L3: completions come in order");
  executed_ = Slot(executed_.value() + results->size());
  events_(AppliedThrough{first, std::move(*results)});
  flush_if_due();
  snapshot_if_due();
  install_when_idle();
}

void ApplyWorker::flush_if_due() {
  // The machine may have flushed by itself.
  const Slot durable = machine_.durable_applied();
  if (durable > flushed_) {
    flushed_ = durable;
    events_(StateFlushed{durable});
  }
  const bool is_due = executed_.value() >= flushed_.value() + policy_.flush_every_slots;
  if (is_due) flush();
}

void ApplyWorker::flush() {
  if (is_flushing_ || install_) return;
  is_flushing_ = true;
  machine_.flush([this](const base::Status& status) {
    is_flushing_ = false;
    if (!status.ok()) return fail(status);
    flushed_ = machine_.durable_applied();
    events_(StateFlushed{flushed_});
    install_when_idle();
  });
}

void ApplyWorker::snapshot_if_due() {
  const bool is_due = executed_.value() >= snapshot_.value() + policy_.snapshot_every_slots;
  const bool may_begin = !is_snapshotting_ && !install_ && !has_failed_;
  if (is_due && may_begin && !is_pausing()) take_snapshot();
}

bool ApplyWorker::is_pausing() const {
  return paused_until_ && strand_.clock().boot_time() < *paused_until_;
}

void ApplyWorker::do_take(TakeSnapshot& wanted) {
  if (!wanted.done) {
    const bool is_needed = wanted.at_least > snapshot_ && !is_snapshotting_;
    if (is_needed && !is_pausing()) take_snapshot();
    return;
  }
  want_outcome_.push_back(std::move(wanted.done));
  if (!is_snapshotting_) take_snapshot();
}

void ApplyWorker::do_relieve() {
  if (executed_ > flushed_) flush();
  const bool is_needed = executed_ > snapshot_ && !is_snapshotting_ && !is_pausing();
  if (!is_needed) return;
  paused_until_ = strand_.clock().boot_time() + policy_.snapshot_pause;
  take_snapshot();
}

void ApplyWorker::take_snapshot() {
  is_snapshotting_ = true;
  machine_.take_snapshot(
      [this](base::Result<SnapshotManifest> manifest) { on_snapshot(std::move(manifest)); });
}

void ApplyWorker::on_snapshot(base::Result<SnapshotManifest> manifest) {
  is_snapshotting_ = false;
  std::vector<SnapshotDone> want = std::exchange(want_outcome_, {});
  for (SnapshotDone& done : want) {
    done(manifest.ok() ? base::Result<Slot>(manifest->slot) : manifest.status());
  }
  if (manifest.ok()) {
    snapshot_ = std::max(snapshot_, manifest->slot);
    snapshot_id_ = manifest->id;
    events_(SnapshotTaken{std::move(*manifest)});
  } else {
    paused_until_ = strand_.clock().boot_time() + policy_.snapshot_pause;
    events_(SnapshotAttemptFailed{manifest.status()});
  }
  install_when_idle();
}

/// What peers are offered cannot be read any more: another takes its place.
void ApplyWorker::note_gone(SnapshotId snapshot) {
  if (snapshot != snapshot_id_ || is_snapshotting_ || install_) return;
  snapshot_ = kNoSlot;
  if (!is_pausing()) take_snapshot();
}

void ApplyWorker::note_staging(SnapshotId snapshot, const base::Status& status) {
  if (status.ok()) return;
  broken_staging_ = snapshot;
  events_(StagingFailed{snapshot, status});
}

/// I3. What follows a failure was ordered before anybody heard of it.
bool ApplyWorker::is_broken(SnapshotId snapshot) const {
  return snapshot == broken_staging_ && !SYNOD_PLANT("staging_goes_on");
}

void ApplyWorker::do_task(BeginStaging& task) {
  const SnapshotId snapshot = task.manifest.id;
  broken_staging_ = SnapshotId();
  machine_.begin_staging(task.manifest,
                         [this, snapshot](base::Result<std::vector<StagedFile>> staged) {
                           if (!staged.ok()) return note_staging(snapshot, staged.status());
                           events_(SnapshotBegun{snapshot, std::move(*staged)});
                         });
}

void ApplyWorker::do_task(const StageBytes& task) {
  if (is_broken(task.snapshot)) return;
  machine_.stage(task, [this, snapshot = task.snapshot](const base::Status& status) {
    note_staging(snapshot, status);
  });
}

void ApplyWorker::do_task(const RestartFile& task) {
  if (is_broken(task.snapshot)) return;
  machine_.restart_file(task, [this, snapshot = task.snapshot](const base::Status& status) {
    note_staging(snapshot, status);
  });
}

void ApplyWorker::do_task(const KeepSnapshot& task) { machine_.keep_snapshot(task); }

void ApplyWorker::do_task(const ReadSnapshot& task) {
  machine_.read_snapshot(task, [this, task](std::optional<base::Bytes> bytes) {
    if (!bytes) note_gone(task.snapshot);
    events_(SnapshotBytesRead{task, std::move(bytes)});
  });
}

void ApplyWorker::do_task(const ReleaseSnapshot& task) { machine_.release_snapshot(task); }

void ApplyWorker::do_task(FinishStaging& task) {
  const SnapshotId snapshot = task.manifest.id;
  if (is_broken(snapshot)) return;
  machine_.finish_staging(task.manifest, [this, snapshot](base::Result<StagedImage> image) {
    if (!image.ok()) return note_staging(snapshot, image.status());
    // A write that was still under way may have failed since.
    if (is_broken(snapshot)) return machine_.discard_staging(snapshot);
    begin_install(std::move(*image));
  });
}

void ApplyWorker::begin_install(StagedImage image) {
  if (install_) return machine_.discard_staging(image.manifest.id);
  install_ = std::move(image);
  install_when_idle();
}

/// The superblock is written while nothing else moves the state.
void ApplyWorker::install_when_idle() {
  const bool is_busy = running_ > 0 || is_flushing_ || is_snapshotting_ || is_switching_;
  if (!install_ || is_busy || has_failed_) return;
  if (install_->manifest.slot <= executed_) return discard_install();
  is_switching_ = true;
  const SnapshotManifest& label = install_->manifest;
  log_.switch_state(install_->directory, label.slot, label.chain,
                    [this, image = *install_] { inbox_.push(Resume{image}); });
}

/// Everything handed over is executed, and more than the image contains.
void ApplyWorker::discard_install() {
  StagedImage image = std::move(*install_);
  install_.reset();
  machine_.discard_staging(image.manifest.id);
  events_(SnapshotInstalled{std::move(image.manifest)});
  go_on_with_held();
}

void ApplyWorker::go_on_with_held() {
  std::vector<Request> held = std::exchange(held_, {});
  for (Request& request : held) handle_one(std::move(request));
}

void ApplyWorker::finish_install(StagedImage image) {
  SnapshotManifest manifest = image.manifest;
  machine_.switch_state(image, [this, manifest = std::move(manifest)](const base::Status& status) {
    if (!status.ok()) return fail(status);
    is_switching_ = false;
    install_.reset();
    label_ = StateLabel{manifest.slot, manifest.fence, manifest.chain};
    executed_ = manifest.slot;
    flushed_ = manifest.slot;
    events_(SnapshotInstalled{manifest});
    events_(StateFlushed{manifest.slot});
    go_on_with_held();
  });
}

}  // namespace synod::consensus
