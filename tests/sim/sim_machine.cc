// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_machine.h"

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/text.h"
#include "consensus/protocol/configuration_codec.h"

namespace synod::sim {

using base::Bytes;
using base::BytesView;
using base::concat;
using base::Result;
using base::Status;
using base::StatusCode;
using consensus::Delivery;
using consensus::SnapshotFile;
using consensus::SnapshotId;
using consensus::SnapshotManifest;
using consensus::StagedFile;
using consensus::StateLabel;

namespace {

constexpr std::array<const char*, 4> kFiles = {"label", "values", "tokens", "filler"};

std::string snapshot_directory(SnapshotId id) { return concat("snap-", id.value()); }
std::string staging_directory(SnapshotId id) { return concat("stage-", id.value()); }

void append_part(Bytes& out, BytesView part) {
  base::append_le32(out, static_cast<std::uint32_t>(part.size()));
  out.append(part);
}

/// Empty if there is no further part; a state has no empty parts.
BytesView next_part(BytesView& in) {
  if (in.size() < 4) return {};
  const std::uint32_t size = base::load_le32(in.data());
  if (in.size() - 4 < size) return {};
  const BytesView part = in.substr(4, size);
  in.remove_prefix(4 + size);
  return part;
}

}  // namespace

SimMachine::SimMachine(Context context, std::string directory, base::Random random)
    : context_(std::move(context)), directory_(std::move(directory)), random_(random) {}

std::string SimMachine::path(const std::string& directory) const {
  return concat(context_.root, "/", directory);
}

Bytes SimMachine::encode_head(const Image& image) {
  Bytes out;
  base::append_le64(out, image.label.applied.value());
  base::append_le32(out, image.label.fence.config.value());
  base::append_le64(out, image.label.fence.round.value());
  base::append_le32(out, image.label.fence.owner.value());
  base::append_le64(out, image.history);
  out += consensus::encode_chain(image.label.chain);
  return out;
}

Status SimMachine::decode_head(BytesView bytes, Image& image) {
  if (bytes.size() < 32) return Status(StatusCode::kCorruption, "a label too short");
  const char* at = bytes.data();
  image.label.applied = Slot(base::load_le64(at));
  image.label.fence =
      Ballot{consensus::ConfigId(base::load_le32(at + 8)),
             consensus::Round(base::load_le64(at + 12)), ReplicaId(base::load_le32(at + 20))};
  image.history = base::load_le64(at + 24);
  SYNOD_ASSIGN_OR_RETURN(image.label.chain, consensus::decode_chain(bytes.substr(32)));
  return Status();
}

Bytes SimMachine::encode(const Image& image) {
  Bytes out;
  append_part(out, encode_head(image));
  append_part(out, image.state.encode_values());
  append_part(out, image.state.encode_tokens());
  base::append_le32(out, base::crc32c(out));
  return out;
}

Status SimMachine::decode(BytesView bytes, Image& image) {
  if (bytes.size() < 4 || base::crc32c(bytes.substr(0, bytes.size() - 4)) !=
                              base::load_le32(bytes.data() + bytes.size() - 4)) {
    return Status(StatusCode::kCorruption, "the state is damaged");
  }
  const BytesView head = next_part(bytes);
  const BytesView values = next_part(bytes);
  const BytesView tokens = next_part(bytes);
  SYNOD_RETURN_IF_ERROR(decode_head(head, image));
  if (!image.state.decode(values, tokens)) {
    return Status(StatusCode::kCorruption, "the state has a wrong shape");
  }
  return Status();
}

Status SimMachine::format(Context& context, const std::string& directory, const StateLabel& label) {
  const std::string where = concat(context.root, "/", directory);
  SYNOD_RETURN_IF_ERROR(context.files.create_directories(where));
  Image image;
  image.label = label;
  return storage::replace_file(context.files, where, "state", encode(image));
}

Status SimMachine::load(const std::string& directory, Image& image) const {
  SYNOD_ASSIGN_OR_RETURN(const Bytes bytes,
                         storage::read_file(context_.files, concat(path(directory), "/state")));
  return decode(bytes, image);
}

Result<std::unique_ptr<SimMachine>> SimMachine::open(Context context, std::string directory,
                                                     base::Random random) {
  std::unique_ptr<SimMachine> machine(
      new SimMachine(std::move(context), std::move(directory), random));
  SYNOD_RETURN_IF_ERROR(machine->load(machine->directory_, machine->image_));
  machine->flushed_ = machine->image_.label.applied;
  const Image& image = machine->image_;
  machine->context_.oracle.on_state(machine->context_.self, "the state", image.label.applied,
                                    image.label.fence, image.label.chain, image.state.digest(),
                                    image.history);
  SYNOD_RETURN_IF_ERROR(machine->load_snapshots());
  return machine;
}

/// Whatever is neither the state, nor a whole snapshot, nor a staging area is a leftover.
Status SimMachine::load_snapshots() {
  SYNOD_ASSIGN_OR_RETURN(const std::vector<std::string> names, context_.files.list(context_.root));
  for (const std::string& name : names) {
    if (name == directory_ || name.rfind("stage-", 0) == 0) continue;
    if (name.rfind("snap-", 0) == 0) {
      Image image;
      auto manifest = read_manifest(name, SnapshotId(std::stoull(name.substr(5))), image);
      if (manifest.ok()) {
        snapshots_.emplace(name, std::move(*manifest));
        continue;
      }
    }
    remove_directory(name);
  }
  return Status();
}

std::optional<SnapshotManifest> SimMachine::newest_snapshot() const {
  std::optional<SnapshotManifest> newest;
  for (const auto& [name, manifest] : snapshots_) {
    if (!newest || manifest.slot > newest->slot) newest = manifest;
  }
  return newest;
}

Bytes SimMachine::execute(const Delivery& delivery) {
  Bytes result;
  if (delivery.entry.kind == consensus::EntryKind::kCommand && !delivery.is_fenced) {
    if (const auto command = decode_command(*delivery.entry.command)) {
      const RegisterState::Effect effect = image_.state.execute(*command);
      if (effect.is_known) base::append_le64(result, effect.result);
    }
  }
  image_.history = Oracle::next_history(image_.history, delivery);
  context_.tally.add(Count::kApplied);
  if (delivery.is_fenced) context_.tally.add(Count::kFenced);
  context_.oracle.on_executed(context_.self, delivery, image_.state.digest(), image_.history);
  return result;
}

void SimMachine::apply(std::vector<Delivery> deliveries, const StateLabel& after,
                       Done<Result<std::vector<Bytes>>> done) {
  std::vector<Bytes> results;
  results.reserve(deliveries.size());
  for (const Delivery& each : deliveries) {
    if (each.slot != image_.label.applied.next()) context_.oracle.fail("execution out of order");
    results.push_back(execute(each));
    image_.label.applied = each.slot;
  }
  image_.label = after;
  done(std::move(results));
}

void SimMachine::flush(Done<Status> done) {
  const Status status =
      storage::replace_file(context_.files, path(directory_), "state", encode(image_));
  if (status.ok()) flushed_ = image_.label.applied;
  done(status);
}

Status SimMachine::write_file(const std::string& directory, const std::string& name,
                              BytesView bytes) const {
  SYNOD_ASSIGN_OR_RETURN(const auto file, context_.files.open(concat(path(directory), "/", name),
                                                              storage::OpenMode::kCreateOrOpen));
  SYNOD_RETURN_IF_ERROR(file->truncate(0));
  SYNOD_RETURN_IF_ERROR(file->write_at(0, bytes));
  return file->sync();
}

Result<SnapshotManifest> SimMachine::read_manifest(const std::string& directory, SnapshotId id,
                                                   Image& image, bool is_trusted) const {
  SnapshotManifest manifest;
  manifest.id = id;
  std::array<Bytes, kFiles.size()> parts;
  for (std::size_t i = 0; i < kFiles.size(); ++i) {
    SYNOD_ASSIGN_OR_RETURN(
        parts[i], storage::read_file(context_.files, concat(path(directory), "/", kFiles[i])));
    manifest.files.push_back(SnapshotFile{kFiles[i], parts[i].size(), base::crc32c(parts[i])});
  }
  // The label ends with a checksum over all, so that a half-written image is none.
  const BytesView label(parts[0]);
  std::uint32_t crc = base::crc32c(label.substr(0, label.size() < 4 ? 0 : label.size() - 4));
  for (std::size_t i = 1; i < kFiles.size(); ++i) crc = crc * 31 + manifest.files[i].crc;
  const bool is_whole =
      label.size() >= 4 && (is_trusted || base::load_le32(label.data() + label.size() - 4) == crc);
  if (!is_whole) {
    return Status(StatusCode::kCorruption, concat(directory, " is not a whole image"));
  }
  SYNOD_RETURN_IF_ERROR(decode_head(label.substr(0, label.size() - 4), image));
  if (!image.state.decode(parts[1], parts[2])) {
    return Status(StatusCode::kCorruption, concat(directory, " has a wrong shape"));
  }
  manifest.slot = image.label.applied;
  manifest.fence = image.label.fence;
  manifest.chain = image.label.chain;
  return manifest;
}

Result<SnapshotManifest> SimMachine::write_snapshot() {
  const SnapshotId id(random_.next() >> 1U);
  const std::string directory = snapshot_directory(id);
  SYNOD_RETURN_IF_ERROR(context_.files.create_directories(path(directory)));
  const Bytes values = image_.state.encode_values();
  const Bytes tokens = image_.state.encode_tokens();
  const Bytes filler(filler_size(image_.label.applied),
                     static_cast<char>(image_.label.applied.value()));
  Bytes label = encode_head(image_);
  std::uint32_t crc = base::crc32c(label);
  for (const Bytes* part : {&values, &tokens, &filler}) crc = crc * 31 + base::crc32c(*part);
  base::append_le32(label, crc);
  SYNOD_RETURN_IF_ERROR(write_file(directory, "values", values));
  SYNOD_RETURN_IF_ERROR(write_file(directory, "tokens", tokens));
  SYNOD_RETURN_IF_ERROR(write_file(directory, "filler", filler));
  SYNOD_RETURN_IF_ERROR(write_file(directory, "label", label));
  SYNOD_RETURN_IF_ERROR(context_.files.sync_directory(path(directory)));
  Image image;
  SYNOD_ASSIGN_OR_RETURN(SnapshotManifest manifest, read_manifest(directory, id, image));
  context_.oracle.on_state(context_.self, "a snapshot", manifest.slot, manifest.fence,
                           manifest.chain, image.state.digest(), image.history);
  return manifest;
}

void SimMachine::take_snapshot(Done<Result<SnapshotManifest>> done) {
  auto manifest = write_snapshot();
  if (!manifest.ok()) return done(manifest.status());
  context_.tally.add(Count::kSnapshotsTaken);
  const std::string directory = snapshot_directory(manifest->id);
  remove_old_snapshots();
  snapshots_.emplace(directory, *manifest);
  done(std::move(manifest));
}

/// One older snapshot stays, and those that are being read, up to a few.
void SimMachine::remove_old_snapshots() {
  constexpr std::size_t kMost = 4;
  std::map<Slot, std::string> by_age;
  for (const auto& [name, manifest] : snapshots_) by_age.emplace(manifest.slot, name);
  if (by_age.empty()) return;
  by_age.erase(std::prev(by_age.end()));
  for (const auto& [slot, name] : by_age) {
    const auto readers = readers_.find(name);
    const bool is_read = readers != readers_.end() && !readers->second.empty();
    if (is_read && snapshots_.size() < kMost) continue;
    remove_directory(name);
    readers_.erase(name);
    snapshots_.erase(name);
  }
}

void SimMachine::release_snapshot(const consensus::ReleaseSnapshot& release) {
  const auto readers = readers_.find(snapshot_directory(release.snapshot));
  if (readers != readers_.end()) readers->second.erase(release.from);
}

void SimMachine::keep_snapshot(const consensus::KeepSnapshot& keep) {
  const std::string directory = snapshot_directory(keep.snapshot);
  if (snapshots_.contains(directory)) readers_[directory].insert(keep.to);
}

void SimMachine::read_snapshot(const consensus::ReadSnapshot& request,
                               Done<std::optional<Bytes>> done) {
  const std::string directory = snapshot_directory(request.snapshot);
  const auto found = snapshots_.find(directory);
  if (found == snapshots_.end() || request.file >= found->second.files.size()) {
    return done(std::nullopt);
  }
  readers_[directory].insert(request.to);
  const SnapshotFile& file = found->second.files[request.file];
  auto bytes = storage::read_file(context_.files, concat(path(directory), "/", file.name));
  // A damaged image is none: its checksum is looked at before anybody gets a part of it.
  if (!bytes.ok() || base::crc32c(*bytes) != file.crc) {
    snapshots_.erase(found);
    return done(std::nullopt);
  }
  if (request.offset > bytes->size()) return done(Bytes());
  Bytes piece = bytes->substr(request.offset, request.bytes);
  if (context_.transit_rot > 0 && random_.chance(context_.transit_rot)) damage(piece);
  done(std::move(piece));
}

/// Between the disk and the checksum of the frame.
void SimMachine::damage(Bytes& piece) {
  if (piece.empty()) return;
  context_.tally.add_fault(Count::kTransitRot);
  if (random_.chance(0.2)) return piece.resize(random_.below(piece.size()));
  char& byte = piece[random_.below(piece.size())];
  byte = static_cast<char>(byte ^ static_cast<char>(1U << random_.below(8)));
}

std::size_t SimMachine::filler_size(Slot slot) const {
  return context_.filler_bytes + slot.value() % 97;
}

void SimMachine::check_filler(const std::string& directory, Slot slot) const {
  const auto filler = storage::read_file(context_.files, concat(path(directory), "/filler"));
  if (!filler.ok()) return;  // Read a moment ago: the next one to read it says so.
  if (filler->size() == filler_size(slot) &&
      filler->find_first_not_of(static_cast<char>(slot.value())) == Bytes::npos) {
    return;
  }
  context_.oracle.fail(concat("replica ", context_.self.id.value(),
                              " installs a damaged snapshot of slot ", slot.value()));
}

Result<std::vector<StagedFile>> SimMachine::stage_begin(const SnapshotManifest& manifest) {
  SYNOD_ASSIGN_OR_RETURN(const std::vector<std::string> names, context_.files.list(context_.root));
  const std::string directory = staging_directory(manifest.id);
  for (const std::string& name : names) {
    const bool is_staging = name.rfind("stage-", 0) == 0;
    if (is_staging && name != directory && name != directory_) remove_directory(name);
  }
  SYNOD_RETURN_IF_ERROR(context_.files.create_directories(path(directory)));
  staging_ = manifest;
  pieces_staged_ = 0;
  std::vector<StagedFile> staged;
  for (const SnapshotFile& file : manifest.files) {
    const std::string name = concat(path(directory), "/", file.name);
    SYNOD_RETURN_IF_ERROR(context_.files.open(name, storage::OpenMode::kCreateOrOpen).status());
    SYNOD_ASSIGN_OR_RETURN(const Bytes bytes, storage::read_file(context_.files, name));
    staged.push_back(StagedFile{bytes.size(), base::crc32c(bytes)});
  }
  return staged;
}

void SimMachine::begin_staging(const SnapshotManifest& manifest,
                               Done<Result<std::vector<StagedFile>>> done) {
  done(stage_begin(manifest));
}

Status SimMachine::stage_bytes(const consensus::StageBytes& bytes) {
  if (!staging_ || staging_->id != bytes.snapshot) {
    return Status(StatusCode::kNotFound, "no such staging area");
  }
  const std::string name =
      concat(path(staging_directory(bytes.snapshot)), "/", staging_->files[bytes.file].name);
  SYNOD_ASSIGN_OR_RETURN(const auto file,
                         context_.files.open(name, storage::OpenMode::kCreateOrOpen));
  ++pieces_staged_;
  return file->write_at(bytes.offset, bytes.bytes);
}

void SimMachine::stage(const consensus::StageBytes& bytes, Done<Status> done) {
  done(stage_bytes(bytes));
}

void SimMachine::restart_file(const consensus::RestartFile& file, Done<Status> done) {
  if (!staging_ || staging_->id != file.snapshot) {
    return done(Status(StatusCode::kNotFound, "no such staging area"));
  }
  const std::string name =
      concat(path(staging_directory(file.snapshot)), "/", staging_->files[file.file].name);
  auto opened = context_.files.open(name, storage::OpenMode::kCreateOrOpen);
  done(opened.ok() ? (*opened)->truncate(0) : opened.status());
}

Result<consensus::StagedImage> SimMachine::stage_finish(const SnapshotManifest& manifest) {
  const std::string directory = staging_directory(manifest.id);
  Image image;
  // The pull has compared every file with its checksum (S3): nothing but the oracle looks again.
  SYNOD_ASSIGN_OR_RETURN(SnapshotManifest found,
                         read_manifest(directory, manifest.id, image, true));
  check_filler(directory, found.slot);
  context_.oracle.on_state(context_.self, "a staged snapshot", found.slot, found.fence, found.chain,
                           image.state.digest(), image.history);
  // The state itself is what has to be durable; the pulled files are its source.
  SYNOD_RETURN_IF_ERROR(
      storage::replace_file(context_.files, path(directory), "state", encode(image)));
  return consensus::StagedImage{std::move(found), directory};
}

void SimMachine::finish_staging(const SnapshotManifest& manifest,
                                Done<Result<consensus::StagedImage>> done) {
  auto image = stage_finish(manifest);
  // What could not be finished is worth nothing.
  if (!image.ok()) remove_directory(staging_directory(manifest.id));
  staging_.reset();
  done(std::move(image));
}

void SimMachine::discard_staging(SnapshotId snapshot) {
  remove_directory(staging_directory(snapshot));
}

void SimMachine::switch_state(const consensus::StagedImage& image, Done<Status> done) {
  Image next;
  if (const Status status = load(image.directory, next); !status.ok()) return done(status);
  const std::string old = std::exchange(directory_, image.directory);
  image_ = std::move(next);
  flushed_ = image_.label.applied;
  remove_directory(old);
  done(Status());
}

/// Leftovers cost space only: what cannot be removed now is tried again when the disk is opened.
void SimMachine::remove_directory(const std::string& directory) const {
  const auto names = context_.files.list(path(directory));
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    context_.files.remove(concat(path(directory), "/", name)).ignore();
  }
  context_.files.remove(path(directory)).ignore();
}

std::vector<std::string> SimMachine::staged_paths(storage::FileSystem& files,
                                                  const std::string& root) {
  std::vector<std::string> paths;
  const auto names = files.list(root);
  if (!names.ok()) return paths;
  for (const std::string& name : *names) {
    if (name.rfind("stage-", 0) != 0) continue;
    // Not `state`: if there is one, the image was installed.
    for (const char* file : kFiles) {
      std::string path = concat(root, "/", name, "/", file);
      if (files.exists(path)) paths.push_back(std::move(path));
    }
  }
  return paths;
}

std::vector<std::string> SimMachine::snapshot_paths() const {
  std::vector<std::string> paths;
  for (const auto& [directory, manifest] : snapshots_) {
    for (const SnapshotFile& file : manifest.files) {
      paths.push_back(concat(path(directory), "/", file.name));
    }
  }
  return paths;
}

}  // namespace synod::sim
