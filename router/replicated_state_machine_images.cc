// SPDX-License-Identifier: Apache-2.0
// Snapshots out, images in: the part of ReplicatedStateMachine that moves whole states.
#include <utility>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"
#include "router/replicated_state_machine.h"
#include "router/snapshot_files.h"

namespace synod::router {

using base::Result;
using base::Status;
using base::StatusCode;
using consensus::SnapshotManifest;
using consensus::StagedImage;
using consensus::StateLabel;

void ReplicatedStateMachine::take_snapshot(Done<Result<SnapshotManifest>> done) {
  snapshots_.take(image_, std::move(done));
}

void ReplicatedStateMachine::keep_snapshot(const consensus::KeepSnapshot& keep) {
  snapshots_.keep(keep);
}

void ReplicatedStateMachine::read_snapshot(const consensus::ReadSnapshot& request,
                                           Done<std::optional<base::Bytes>> done) {
  snapshots_.read(request, std::move(done));
}

void ReplicatedStateMachine::release_snapshot(const consensus::ReleaseSnapshot& release) {
  snapshots_.release(release);
}

void ReplicatedStateMachine::begin_staging(const SnapshotManifest& manifest,
                                           Done<Result<std::vector<consensus::StagedFile>>> done) {
  seams_.storage.post([this, manifest, done = std::move(done)]() mutable {
    seams_.apply.post([done = std::move(done), staged = staging_.begin(manifest)]() mutable {
      done(std::move(staged));
    });
  });
}

void ReplicatedStateMachine::stage(const consensus::StageBytes& bytes, Done<Status> done) {
  seams_.storage.post([this, bytes, done = std::move(done)]() mutable {
    seams_.apply.post([done = std::move(done), staged = staging_.stage(bytes)]() mutable {
      done(std::move(staged));
    });
  });
}

void ReplicatedStateMachine::restart_file(const consensus::RestartFile& file, Done<Status> done) {
  seams_.storage.post([this, file, done = std::move(done)]() mutable {
    seams_.apply.post([done = std::move(done), restarted = staging_.restart(file)]() mutable {
      done(std::move(restarted));
    });
  });
}

void ReplicatedStateMachine::finish_staging(const SnapshotManifest& manifest,
                                            Done<Result<StagedImage>> done) {
  seams_.storage.post([this, manifest, image = image_, done = std::move(done)]() mutable {
    auto staged = prepare(manifest, *image->backend);
    if (!staged.ok()) {
      // What could not be finished is worth nothing; what stays of it is removed by the next.
      staging_.discard(manifest.id).ignore();
    }
    seams_.apply.post([done = std::move(done), staged = std::move(staged)]() mutable {
      done(std::move(staged));
    });
  });
}

/// Storage dispatcher.
Result<StagedImage> ReplicatedStateMachine::prepare(const SnapshotManifest& manifest,
                                                    const storage::StorageBackend& engine) {
  drop_prepared();
  SYNOD_ASSIGN_OR_RETURN(const std::string staged, staging_.seal(manifest));
  SYNOD_ASSIGN_OR_RETURN(const StateLabel label, read_label(engine, staged));
  if (!is_same_label(label, {manifest.slot, manifest.fence, manifest.chain})) {
    return Status(StatusCode::kCorruption,
                  base::concat(staged, ": the image is of slot ", label.applied.value(),
                               ", its manifest says slot ", manifest.slot.value(),
                               " or another fence or chain"));
  }
  const std::string name = ImageYard::new_name(names_);
  Status failed = move_into_place(staged, name);
  if (failed.ok()) {
    // SM4. Until it is named it can be refused; afterwards it is the state.
    auto image = yard_->open(name, std::nullopt);
    if (image.ok()) {
      prepared_ = Prepared{manifest.id, std::move(*image)};
      return StagedImage{manifest, name};
    }
    failed = image.status();
  }
  const Status removed = storage::remove_tree(seams_.files, yard_->path(name));
  if (!removed.ok()) base::log_warning("router", "an image stays: " + removed.to_string());
  return failed;
}

/// SM5. The new name first: after a power cut the image has either name, or both.
Status ReplicatedStateMachine::move_into_place(const std::string& staged, const std::string& name) {
  SYNOD_RETURN_IF_ERROR(seams_.files.rename(staged, yard_->path(name)));
  SYNOD_RETURN_IF_ERROR(seams_.files.sync_directory(options_.directory));
  return seams_.files.sync_directory(staging_.root());
}

/// Storage dispatcher.
void ReplicatedStateMachine::drop_prepared() {
  if (!prepared_) return;
  prepared_->image->is_retired = true;
  prepared_.reset();
}

void ReplicatedStateMachine::discard_staging(consensus::SnapshotId snapshot) {
  seams_.storage.post([this, snapshot] {
    if (prepared_ && prepared_->snapshot == snapshot) drop_prepared();
    const Status removed = staging_.discard(snapshot);
    // The next staging, or the next start, tries again.
    if (!removed.ok()) base::log_warning("router", "a staging stays: " + removed.to_string());
  });
}

/// Storage dispatcher.
Result<std::shared_ptr<ReplicaImage>> ReplicatedStateMachine::take_prepared(
    const std::string& name) {
  if (prepared_ && prepared_->image->directory == name) {
    std::shared_ptr<ReplicaImage> image = std::move(prepared_->image);
    prepared_.reset();
    return image;
  }
  return yard_->open(name, std::nullopt);
}

void ReplicatedStateMachine::switch_state(const StagedImage& image, Done<Status> done) {
  seams_.storage.post([this, image, done = std::move(done)]() mutable {
    auto next = take_prepared(image.directory);
    seams_.apply.post([this, manifest = std::move(image.manifest), next = std::move(next),
                       done = std::move(done)]() mutable {
      if (!next.ok()) return done(next.status());
      done(adopt(std::move(*next), manifest));
    });
  });
}

Status ReplicatedStateMachine::adopt(std::shared_ptr<ReplicaImage> image,
                                     const SnapshotManifest& manifest) {
  SYNOD_ASSERT(waiting_.empty(), "I1: while an image is installed nothing is executed");
  SYNOD_ASSIGN_OR_RETURN(StateLabel label, ImageYard::label_of(*image));
  if (!is_same_label(label, {manifest.slot, manifest.fence, manifest.chain})) {
    return {StatusCode::kCorruption, image->directory + ": not the image that was staged"};
  }
  label_ = std::move(label);
  applied_.store(label_.applied.value());
  {
    const std::lock_guard lock(image_mutex_);
    image_.swap(image);
  }
  // Nothing more of the old one reaches its backend, even while somebody reads it.
  image->is_retired = true;
  seams_.persistence.post([old = std::move(image)] { old->persistence->stop(); });
  listener_->on_skipped(label_);
  return {};
}

}  // namespace synod::router
