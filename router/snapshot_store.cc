// SPDX-License-Identifier: Apache-2.0
#include "router/snapshot_store.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "base/text.h"
#include "router/snapshot_files.h"

namespace synod::router {

using base::Result;
using base::Status;
using base::StatusCode;
using consensus::SnapshotFile;
using consensus::SnapshotId;
using consensus::SnapshotManifest;

namespace {

constexpr const char* kManifestName = "manifest";
constexpr const char* kFilesName = "db";
constexpr std::uint32_t kPartBytesMax = 16U << 20;  ///< A peer may ask for any number.

}  // namespace

SnapshotStore::SnapshotStore(const StateMachineSeams& seams, std::string root,
                             const std::atomic<bool>& interrupted)
    : files_(seams.files),
      apply_(seams.apply),
      persistence_(seams.persistence),
      storage_(seams.storage),
      random_(seams.random),
      root_(std::move(root)),
      interrupted_(interrupted) {}

std::string SnapshotStore::path(SnapshotId id) const {
  return base::concat(root_, "/", id_name(id.value()));
}

Status SnapshotStore::open() {
  SYNOD_RETURN_IF_ERROR(files_.create_directories(root_));
  SYNOD_ASSIGN_OR_RETURN(const auto names, files_.list(root_));
  for (const std::string& name : names) {
    auto manifest = find_whole(name);
    if (manifest.ok()) {
      const SnapshotId id = manifest->id;
      snapshots_[id].manifest = std::move(*manifest);
      continue;
    }
    // Only what is known to be of no use goes.
    const StatusCode code = manifest.status().code();
    const bool is_useless = code == StatusCode::kNotFound || code == StatusCode::kCorruption ||
                            code == StatusCode::kUnsupported;
    if (!is_useless) return manifest.status();
    SYNOD_RETURN_IF_ERROR(storage::remove_tree(files_, base::concat(root_, "/", name)));
  }
  SYNOD_RETURN_IF_ERROR(files_.sync_directory(root_));
  const auto kept = newest();
  for (auto each = snapshots_.begin(); each != snapshots_.end();) {
    if (each->first == kept->id) {
      ++each;
      continue;
    }
    remove_files(each->first);
    each = snapshots_.erase(each);
  }
  return {};
}

/// The manifest in that directory, if every file it names is there. What is in them is looked at
/// when somebody reads them (SS4).
Result<SnapshotManifest> SnapshotStore::find_whole(const std::string& name) const {
  const std::string directory = base::concat(root_, "/", name);
  SYNOD_ASSIGN_OR_RETURN(const base::Bytes bytes,
                         storage::read_file(files_, base::concat(directory, "/", kManifestName)));
  SYNOD_ASSIGN_OR_RETURN(SnapshotManifest manifest, decode_manifest(bytes));
  const Status broken(StatusCode::kCorruption, directory + ": not a whole snapshot");
  if (parse_id_name(name) != manifest.id.value()) return broken;
  for (const SnapshotFile& file : manifest.files) {
    SYNOD_ASSIGN_OR_RETURN(const auto opened,
                           files_.open(base::concat(directory, "/", kFilesName, "/", file.name),
                                       storage::OpenMode::kRead));
    SYNOD_ASSIGN_OR_RETURN(const std::uint64_t size, opened->size());
    if (size != file.bytes) return broken;
  }
  return manifest;
}

std::optional<SnapshotManifest> SnapshotStore::newest() const {
  const auto newest = std::max_element(
      snapshots_.begin(), snapshots_.end(),
      [](const auto& a, const auto& b) { return a.second.manifest.slot < b.second.manifest.slot; });
  if (newest == snapshots_.end()) return std::nullopt;
  return newest->second.manifest;
}

void SnapshotStore::take(std::shared_ptr<ReplicaImage> image,
                         base::Function<void(Result<SnapshotManifest>)> done) {
  const SnapshotId id(random_.next() | 1U);  // 0 names none.
  auto finish = [this, id, done = std::move(done)](Result<SnapshotManifest> manifest) mutable {
    if (manifest.ok()) {
      snapshots_[id].manifest = *manifest;
      remove_unused();
    } else {
      storage_.post([this, id] { remove_files(id); });
    }
    done(std::move(manifest));
  };
  persistence_.post([this, id, image = std::move(image), finish = std::move(finish)]() mutable {
    const Status written = write_checkpoint(*image, id);
    storage_.post(
        [this, id, image = std::move(image), finish = std::move(finish), written]() mutable {
          Result<SnapshotManifest> manifest =
              written.ok() ? measure(*image, id) : Result<SnapshotManifest>(written);
          apply_.post([finish = std::move(finish), manifest = std::move(manifest)]() mutable {
            finish(std::move(manifest));
          });
        });
  });
}

/// Persistence dispatcher (SS1).
Status SnapshotStore::write_checkpoint(ReplicaImage& image, SnapshotId id) {
  if (const Status drained = image.persistence->drain_now(false); !drained.ok()) {
    image.persistence->kick();  // Sets the timer of the next try.
    return drained;
  }
  SYNOD_RETURN_IF_ERROR(files_.create_directories(path(id)));
  return image.backend->checkpoint(base::concat(path(id), "/", kFilesName));
}

/// Storage dispatcher.
Result<SnapshotManifest> SnapshotStore::measure(const ReplicaImage& image, SnapshotId id) const {
  const std::string directory = base::concat(path(id), "/", kFilesName);
  SYNOD_ASSIGN_OR_RETURN(const auto names, files_.list(directory));
  SnapshotManifest manifest;
  manifest.id = id;
  for (const std::string& name : names) {
    SYNOD_ASSIGN_OR_RETURN(const auto measured,
                           measure_file(files_, base::concat(directory, "/", name), interrupted_));
    manifest.files.push_back({name, measured.bytes, measured.crc});
  }
  SYNOD_RETURN_IF_ERROR(check_files(manifest));
  SYNOD_ASSIGN_OR_RETURN(const consensus::StateLabel label, read_label(*image.backend, directory));
  manifest.slot = label.applied;
  manifest.fence = label.fence;
  manifest.chain = label.chain;
  SYNOD_RETURN_IF_ERROR(
      storage::replace_file(files_, path(id), kManifestName, encode_manifest(manifest)));
  SYNOD_RETURN_IF_ERROR(files_.sync_directory(root_));
  return manifest;
}

void SnapshotStore::keep(const consensus::KeepSnapshot& keep) {
  const auto found = snapshots_.find(keep.snapshot);
  if (found != snapshots_.end()) found->second.readers[keep.to] = apply_.clock().boot_time();
}

void SnapshotStore::read(const consensus::ReadSnapshot& request,
                         base::Function<void(std::optional<base::Bytes>)> done) {
  const auto found = snapshots_.find(request.snapshot);
  if (found == snapshots_.end() || request.file >= found->second.manifest.files.size()) {
    return done(std::nullopt);
  }
  found->second.readers[request.to] = apply_.clock().boot_time();
  if (!reading_.insert({request.to, request.id}).second) return;
  const SnapshotFile file = found->second.manifest.files[request.file];
  storage_.post([this, request, file, done = std::move(done)]() mutable {
    auto part = read_part(request, file);
    apply_.post([this, request, done = std::move(done), part = std::move(part)]() mutable {
      reading_.erase({request.to, request.id});
      if (part.ok()) return done(std::move(*part));
      base::log_warning("router", "a snapshot cannot be served: " + part.status().to_string());
      // Who is stopping says nothing about the snapshot.
      if (part.status().code() != StatusCode::kClosed) forget(request.snapshot);
      done(std::nullopt);
    });
  });
}

/// Storage dispatcher. What nobody can want of the file is empty.
Result<base::Bytes> SnapshotStore::read_part(const consensus::ReadSnapshot& request,
                                             const SnapshotFile& file) const {
  const std::string name = base::concat(path(request.snapshot), "/", kFilesName, "/", file.name);
  const Status damaged(StatusCode::kCorruption, name + ": not as it was measured");
  if (request.offset == 0) {
    SYNOD_ASSIGN_OR_RETURN(const auto measured, measure_file(files_, name, interrupted_));
    if (measured.bytes != file.bytes || measured.crc != file.crc) return damaged;
  }
  if (request.offset >= file.bytes || request.bytes > kPartBytesMax) return base::Bytes();
  const std::uint64_t wanted = std::min<std::uint64_t>(request.bytes, file.bytes - request.offset);
  SYNOD_ASSIGN_OR_RETURN(const auto opened, files_.open(name, storage::OpenMode::kRead));
  base::Bytes part(wanted, '\0');
  SYNOD_ASSIGN_OR_RETURN(const std::size_t got,
                         opened->read_at(request.offset, part.data(), part.size()));
  if (got != wanted) return damaged;
  return part;
}

void SnapshotStore::release(const consensus::ReleaseSnapshot& release) {
  const auto found = snapshots_.find(release.snapshot);
  if (found == snapshots_.end()) return;
  found->second.readers.erase(release.from);
  remove_unused();
}

void SnapshotStore::forget(SnapshotId id) {
  if (snapshots_.erase(id) == 0) return;
  storage_.post([this, id] { remove_files(id); });
}

bool SnapshotStore::is_read(const Kept& kept) const {
  const base::Nanos now = apply_.clock().boot_time();
  return std::any_of(kept.readers.begin(), kept.readers.end(),
                     [now](const auto& reader) { return now - reader.second < kLease; });
}

/// SS3, oldest first.
void SnapshotStore::remove_unused() {
  std::vector<std::pair<consensus::Slot, SnapshotId>> by_age;
  for (const auto& [id, kept] : snapshots_) by_age.emplace_back(kept.manifest.slot, id);
  std::sort(by_age.begin(), by_age.end());
  for (std::size_t i = 0; i + 1 < by_age.size(); ++i) {
    const SnapshotId id = by_age[i].second;
    if (!is_read(snapshots_.at(id)) || snapshots_.size() > kKept) forget(id);
  }
}

/// The manifest goes first, durably (SS2). What stays otherwise costs space until the next start.
void SnapshotStore::remove_files(SnapshotId id) const {
  const std::string directory = path(id);
  if (!files_.exists(directory)) return;
  Status removed = storage::remove_tree(files_, base::concat(directory, "/", kManifestName));
  if (removed.ok()) removed = files_.sync_directory(directory);
  if (removed.ok()) removed = storage::remove_tree(files_, directory);
  if (!removed.ok()) base::log_warning("router", "a snapshot stays: " + removed.to_string());
}

}  // namespace synod::router
