// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/snapshot_pull.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/plant.h"

namespace synod::consensus {
namespace {

constexpr std::size_t kNameBytesMax = 255;

/// A plain name: in the folder it is put into and nowhere else.
bool is_safe_name(const std::string& name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
         name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

bool is_same(const SnapshotFile& a, const SnapshotFile& b) {
  return a.name == b.name && a.bytes == b.bytes && a.crc == b.crc;
}

bool is_same(const SnapshotManifest& a, const SnapshotManifest& b) {
  return a.id == b.id && a.slot == b.slot &&
         std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(),
                    [](const auto& one, const auto& other) { return is_same(one, other); });
}

}  // namespace

const char* manifest_fault(const SnapshotManifest& manifest, const SnapshotPullOptions& options) {
  if (manifest.id == SnapshotId()) return "it has no id";
  if (manifest.files.size() > options.files_max) return "too many files";
  std::set<std::string_view> names;
  std::uint64_t bytes_left = options.bytes_max;
  for (const SnapshotFile& file : manifest.files) {
    if (!is_safe_name(file.name)) return "a file name is not safe";
    if (!names.insert(file.name).second) return "two files of one name";
    if (file.bytes > bytes_left) return "too many bytes";
    bytes_left -= file.bytes;
  }
  return nullptr;
}

SnapshotPull::SnapshotPull(const SnapshotPullOptions& options, RequestId first_request)
    : options_(options), next_request_(first_request) {
  SYNOD_ASSERT(options.chunk_bytes > 0 && options.window > 0, "S4: something may be in flight");
}

bool SnapshotPull::runs(SnapshotId snapshot) const {
  return state_ != State::kIdle && state_ != State::kGivenUp && manifest_.id == snapshot;
}

/// Waiting for the own disk is not being stuck: a source could not change it.
bool SnapshotPull::is_stuck(Instant now) const {
  return state_ == State::kPulling && now - progress_ >= options_.stuck_after;
}

void SnapshotPull::offer(ReplicaId from, SnapshotManifest manifest, Instant now) {
  if (installed_ != kNoSlot && manifest.slot <= installed_) return;
  if (const char* fault = manifest_fault(manifest, options_)) {
    complain("offer of replica " + std::to_string(from.value()) + " refused: " + fault);
    return;
  }
  if (state_ != State::kIdle && state_ != State::kGivenUp) {
    if (!is_stuck(now) || take_over(from, manifest, now)) return;
    give_up("stuck, another snapshot takes its place");
  }
  source_ = from;
  manifest_ = std::move(manifest);
  state_ = State::kStaging;
  staged_.clear();
  pieces_.clear();
  file_ = 0;
  mismatches_ = 0;
  asked_ = 0;
  tasks_.emplace_back(BeginStaging{manifest_});
}

/// True if the pull that runs and this offer are about the same snapshot.
bool SnapshotPull::take_over(ReplicaId from, const SnapshotManifest& manifest, Instant now) {
  if (manifest.id != manifest_.id) return false;
  if (!is_same(manifest, manifest_)) {
    complain("two manifests of one snapshot");
    return true;
  }
  if (from == source_) return true;
  tell_source(false);
  source_ = from;
  for (Piece& piece : pieces_) {
    if (piece.arrived) continue;
    piece.id = next_request_;
    next_request_ = next_request_.next();
    ask(piece, now);
  }
  return true;
}

void SnapshotPull::begun(SnapshotId snapshot, const std::vector<StagedFile>& staged, Instant now) {
  if (!runs(snapshot) || state_ != State::kStaging) return;
  state_ = State::kPulling;
  progress_ = now;
  staged_.assign(manifest_.files.size(), StagedFile{});
  for (std::size_t i = 0; i < std::min(staged.size(), staged_.size()); ++i) {
    if (staged[i].bytes <= manifest_.files[i].bytes) {
      staged_[i] = staged[i];
    } else {
      tasks_.emplace_back(RestartFile{manifest_.id, static_cast<std::uint32_t>(i)});
    }
    const bool is_partial = staged_[i].bytes > 0 && staged_[i].bytes < manifest_.files[i].bytes;
    if (SYNOD_PLANT("snapshot_resume_wrong_offset") && is_partial) ++staged_[i].bytes;
  }
  if (!staged_.empty()) asked_ = staged_[0].bytes;
  go_on(now);
}

void SnapshotPull::data(ReplicaId from, SnapshotData answer, Instant now) {
  if (state_ != State::kPulling || from != source_ || answer.snapshot != manifest_.id) return;
  const auto piece = std::find_if(pieces_.begin(), pieces_.end(),
                                  [&](const Piece& each) { return each.id == answer.id; });
  // Twice or late: what it brings is there already.
  if (piece == pieces_.end() || piece->arrived) return;
  if (answer.is_gone) {
    give_up("the source no longer has it");
    return;
  }
  if (answer.file != file_ || answer.offset != piece->offset ||
      answer.bytes.size() != piece->bytes) {
    complain("replica " + std::to_string(from.value()) + " sent something that was not asked for");
    return;
  }
  piece->arrived = std::move(answer.bytes);
  stage_arrived(now);
  go_on(now);
}

/// S1: only the pieces that continue what is staged.
void SnapshotPull::stage_arrived(Instant now) {
  StagedFile& staged = staged_[file_];
  while (!pieces_.empty() && pieces_.front().arrived) {
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    SYNOD_ASSERT(piece.offset == staged.bytes, "S1: a write begins where the last one ended");
    staged.bytes += piece.bytes;
    SYNOD_ASSERT(staged.bytes <= manifest_.files[file_].bytes, "S1: within the file");
    staged.crc = base::crc32c(*piece.arrived, staged.crc);
    tasks_.emplace_back(StageBytes{manifest_.id, file_, piece.offset, std::move(*piece.arrived)});
    progress_ = now;
  }
}

/// Goes past the files that are done and asks for the next pieces of the first that is not.
void SnapshotPull::go_on(Instant now) {
  while (file_ < manifest_.files.size()) {
    const SnapshotFile& file = manifest_.files[file_];
    if (staged_[file_].bytes < file.bytes) {
      fill_window(now);
      return;
    }
    SYNOD_ASSERT(pieces_.empty(), "S2: nothing is asked for behind the end of a file");
    if (staged_[file_].crc != file.crc && !SYNOD_PLANT("snapshot_unchecked")) {
      if (!restart_file()) return;
      continue;
    }
    ++file_;
    mismatches_ = 0;
    asked_ = file_ < staged_.size() ? staged_[file_].bytes : 0;
  }
  finish();
}

void SnapshotPull::fill_window(Instant now) {
  const std::uint64_t end = manifest_.files[file_].bytes;
  while (asked_ < end && pieces_.size() < options_.window) {
    const auto bytes =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(options_.chunk_bytes, end - asked_));
    pieces_.push_back(Piece{next_request_, asked_, bytes, now, std::nullopt});
    next_request_ = next_request_.next();
    asked_ += bytes;
    ask(pieces_.back(), now);
  }
  SYNOD_ASSERT(pieces_.size() <= options_.window, "S4: the window holds");
}

void SnapshotPull::ask(Piece& piece, Instant now) {
  piece.sent = now;
  messages_.push_back(
      Outgoing{source_, SnapshotFetch{piece.id, manifest_.id, file_, piece.offset, piece.bytes}});
}

bool SnapshotPull::restart_file() {
  const std::string& name = manifest_.files[file_].name;
  if (++mismatches_ >= options_.mismatches_max) {
    tasks_.emplace_back(RestartFile{manifest_.id, file_});
    give_up("file " + name + " never matches its checksum");
    return false;
  }
  complain("file " + name + " does not match its checksum and begins anew");
  staged_[file_] = StagedFile{};
  asked_ = 0;
  tasks_.emplace_back(RestartFile{manifest_.id, file_});
  return true;
}

void SnapshotPull::finish() {
  SYNOD_ASSERT(state_ == State::kPulling, "S3: a pull is finished once");
  state_ = State::kFinishing;
  tasks_.emplace_back(FinishStaging{manifest_});
}

void SnapshotPull::installed(SnapshotId snapshot) {
  if (!runs(snapshot) || state_ != State::kFinishing) return;
  tell_source(true);
  installed_ = std::max(installed_, manifest_.slot);
  state_ = State::kIdle;
}

void SnapshotPull::failed(SnapshotId snapshot) {
  if (runs(snapshot)) give_up("it could not be staged");
}

void SnapshotPull::tick(Instant now) {
  if (state_ != State::kPulling) return;
  if (now - progress_ >= options_.patience) {
    give_up("nothing arrives any more");
    return;
  }
  for (Piece& piece : pieces_) {
    if (!piece.arrived && now - piece.sent >= options_.retry_after) ask(piece, now);
  }
}

void SnapshotPull::abandon() {
  if (!runs(manifest_.id)) return;
  // What has not been taken is not done; what has is done for nothing, and installed() is ignored.
  const bool is_waiting = !tasks_.empty() && std::holds_alternative<FinishStaging>(tasks_.back());
  if (is_waiting) tasks_.pop_back();
  tell_source(false);
  pieces_.clear();
  state_ = State::kIdle;
}

void SnapshotPull::tell_source(bool is_installed) {
  messages_.push_back(Outgoing{source_, SnapshotDone{manifest_.id, is_installed}});
}

void SnapshotPull::give_up(const std::string& why) {
  tell_source(false);
  pieces_.clear();
  state_ = State::kGivenUp;
  complain("given up: " + why);
}

void SnapshotPull::complain(const std::string& what) {
  complaints_.push_back("snapshot " + std::to_string(manifest_.id.value()) + ": " + what);
}

std::vector<SnapshotPull::Outgoing> SnapshotPull::take_messages() {
  return std::exchange(messages_, {});
}
std::vector<SnapshotTask> SnapshotPull::take_tasks() { return std::exchange(tasks_, {}); }
std::vector<std::string> SnapshotPull::take_complaints() { return std::exchange(complaints_, {}); }

}  // namespace synod::consensus
