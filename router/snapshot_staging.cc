// SPDX-License-Identifier: Apache-2.0
#include "router/snapshot_staging.h"

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
using consensus::SnapshotManifest;

std::uint64_t disk_reserve(std::uint64_t configured, std::uint64_t disk_bytes) {
  constexpr std::uint64_t kReserveMax = 256ULL << 20;
  return configured != 0 ? configured : std::min(kReserveMax, disk_bytes / 4);
}

SnapshotStaging::SnapshotStaging(storage::FileSystem& files, std::string root,
                                 std::uint64_t reserve_bytes, const std::atomic<bool>& interrupted)
    : files_(files),
      root_(std::move(root)),
      reserve_bytes_(reserve_bytes),
      interrupted_(interrupted) {}

Status SnapshotStaging::recover() {
  if (!files_.exists(root_)) return {};
  SYNOD_ASSIGN_OR_RETURN(const auto areas, files_.list(root_));
  const auto space = files_.space(root_);
  // Unknown: what is there stays, as it would have in the process that staged it.
  if (areas.empty() || !space.ok()) return {};
  if (space->free_bytes >= disk_reserve(reserve_bytes_, space->total_bytes)) return {};
  base::log_warning("router", base::concat(root_, ": the disk has only ", space->free_bytes,
                                           " bytes free: a snapshot that was being pulled is "
                                           "removed, to be pulled again when there is room"));
  return storage::remove_tree(files_, root_);
}

std::string SnapshotStaging::path(consensus::SnapshotId id) const {
  return base::concat(root_, "/", id_name(id.value()));
}

Result<std::vector<consensus::StagedFile>> SnapshotStaging::begin(
    const SnapshotManifest& manifest) {
  manifest_.reset();
  SYNOD_RETURN_IF_ERROR(check_files(manifest));
  const std::string directory = path(manifest.id);
  // First: they may be what fills the disk.
  SYNOD_RETURN_IF_ERROR(files_.create_directories(root_));
  SYNOD_RETURN_IF_ERROR(remove_other_areas(manifest));
  SYNOD_RETURN_IF_ERROR(check_room(manifest));
  SYNOD_RETURN_IF_ERROR(files_.create_directories(directory));
  SYNOD_RETURN_IF_ERROR(remove_strays(manifest));
  std::vector<consensus::StagedFile> staged;
  for (const SnapshotFile& file : manifest.files) {
    const std::string name = base::concat(directory, "/", file.name);
    SYNOD_RETURN_IF_ERROR(files_.open(name, storage::OpenMode::kCreateOrOpen).status());
    SYNOD_ASSIGN_OR_RETURN(const auto measured, measure_file(files_, name, interrupted_));
    staged.push_back(measured);
  }
  manifest_ = manifest;
  return staged;
}

/// SG5. The staged files become the state by a new name, so that they need their room once.
Status SnapshotStaging::check_room(const SnapshotManifest& manifest) {
  SYNOD_ASSIGN_OR_RETURN(const std::uint64_t missing, missing_bytes(manifest));
  const auto space = files_.space(root_);
  // Unknown is not short: a write that finds no room says so, and the staging goes then.
  if (!space.ok()) return {};
  const std::uint64_t reserve = disk_reserve(reserve_bytes_, space->total_bytes);
  const std::uint64_t usable = space->free_bytes - std::min(space->free_bytes, reserve);
  if (missing <= usable) return {};
  SYNOD_RETURN_IF_ERROR(discard(manifest.id));
  return {StatusCode::kNoSpace,
          base::concat(root_, ": the snapshot of slot ", manifest.slot.value(), " needs ", missing,
                       " bytes more, the disk has ", space->free_bytes, " free, ", reserve,
                       " of them kept for the log: it is not pulled before there is room")};
}

Result<std::uint64_t> SnapshotStaging::missing_bytes(const SnapshotManifest& manifest) const {
  std::uint64_t missing = 0;
  for (const SnapshotFile& file : manifest.files) {
    const std::string name = base::concat(path(manifest.id), "/", file.name);
    std::uint64_t size = 0;
    if (files_.exists(name)) {
      SYNOD_ASSIGN_OR_RETURN(const auto opened, files_.open(name, storage::OpenMode::kRead));
      SYNOD_ASSIGN_OR_RETURN(size, opened->size());
    }
    missing += file.bytes - std::min(file.bytes, size);
  }
  return missing;
}

/// SG1
Status SnapshotStaging::remove_other_areas(const SnapshotManifest& manifest) {
  SYNOD_ASSIGN_OR_RETURN(const auto areas, files_.list(root_));
  for (const std::string& area : areas) {
    if (area == id_name(manifest.id.value())) continue;
    SYNOD_RETURN_IF_ERROR(storage::remove_tree(files_, base::concat(root_, "/", area)));
  }
  return {};
}

/// Files that are none of this snapshot.
Status SnapshotStaging::remove_strays(const SnapshotManifest& manifest) {
  const std::string directory = path(manifest.id);
  SYNOD_ASSIGN_OR_RETURN(const auto names, files_.list(directory));
  for (const std::string& name : names) {
    const bool is_wanted =
        std::any_of(manifest.files.begin(), manifest.files.end(),
                    [&name](const SnapshotFile& file) { return file.name == name; });
    if (is_wanted) continue;
    SYNOD_RETURN_IF_ERROR(storage::remove_tree(files_, base::concat(directory, "/", name)));
  }
  return {};
}

Result<std::unique_ptr<storage::File>> SnapshotStaging::open_file(consensus::SnapshotId snapshot,
                                                                  std::uint32_t file) {
  if (!manifest_ || manifest_->id != snapshot || file >= manifest_->files.size()) {
    return Status(StatusCode::kNotFound, "no such staging area");
  }
  return files_.open(base::concat(path(snapshot), "/", manifest_->files[file].name),
                     storage::OpenMode::kReadWrite);
}

Status SnapshotStaging::stage(const consensus::StageBytes& part) {
  SYNOD_ASSIGN_OR_RETURN(const auto file, open_file(part.snapshot, part.file));
  SYNOD_ASSIGN_OR_RETURN(const std::uint64_t size, file->size());
  const std::uint64_t whole = manifest_->files[part.file].bytes;
  if (part.offset > size || part.offset > whole || part.bytes.size() > whole - part.offset) {
    return {StatusCode::kInvalidArgument, "a staged part would leave a gap or exceed its file"};
  }
  const Status written = file->write_at(part.offset, part.bytes);
  // What fills the disk must not stay on it: the log needs the room.
  if (written.code() == StatusCode::kNoSpace) discard(part.snapshot).ignore();
  return written;
}

Status SnapshotStaging::restart(const consensus::RestartFile& restart) {
  SYNOD_ASSIGN_OR_RETURN(const auto file, open_file(restart.snapshot, restart.file));
  return file->truncate(0);
}

Result<std::string> SnapshotStaging::seal(const SnapshotManifest& manifest) {
  if (!manifest_ || manifest_->id != manifest.id) {
    return Status(StatusCode::kNotFound, "no such staging area");
  }
  SYNOD_RETURN_IF_ERROR(check_files(manifest));
  const std::string directory = path(manifest.id);
  SYNOD_ASSIGN_OR_RETURN(const auto names, files_.list(directory));
  if (names.size() != manifest.files.size()) {
    return Status(StatusCode::kCorruption, directory + ": other files than the manifest names");
  }
  for (const SnapshotFile& file : manifest.files) {
    const std::string name = base::concat(directory, "/", file.name);
    SYNOD_ASSIGN_OR_RETURN(const auto measured, measure_file(files_, name, interrupted_));
    if (measured.bytes != file.bytes || measured.crc != file.crc) {
      return Status(StatusCode::kCorruption, name + ": not what the manifest says");
    }
    SYNOD_ASSIGN_OR_RETURN(const auto opened, files_.open(name, storage::OpenMode::kReadWrite));
    SYNOD_RETURN_IF_ERROR(opened->sync());
  }
  SYNOD_RETURN_IF_ERROR(files_.sync_directory(directory));
  manifest_.reset();
  return directory;
}

Status SnapshotStaging::discard(consensus::SnapshotId snapshot) {
  if (manifest_ && manifest_->id == snapshot) manifest_.reset();
  return storage::remove_tree(files_, path(snapshot));
}

}  // namespace synod::router
