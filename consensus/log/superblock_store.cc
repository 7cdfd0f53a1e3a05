// SPDX-License-Identifier: Apache-2.0
#include "consensus/log/superblock_store.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/logging.h"
#include "base/plant.h"
#include "base/text.h"

namespace synod::consensus {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;
using storage::File;
using storage::FileSystem;
using storage::OpenMode;

constexpr std::array<const char*, 2> kNames = {"superblock.a", "superblock.b"};

/// A copy that cannot be read counts as a bad one.
SuperblockCopy read_copy(const File& file, std::uint32_t copy) {
  Bytes bytes(kSuperblockCopyBytesMax, '\0');
  const std::uint64_t offset = copy % 2 * kSuperblockCopyBytesMax;
  const auto got = file.read_at(offset, bytes.data(), bytes.size());
  if (!got.ok()) return {};
  return decode_superblock_copy(BytesView(bytes).substr(0, *got), copy);
}

Bytes encode_file(std::size_t file, std::uint64_t version, const Bytes& body) {
  const auto first = static_cast<std::uint32_t>(2 * file);
  Bytes contents = encode_superblock_copy(version, body, first);
  contents.resize(kSuperblockCopyBytesMax, '\0');
  return contents + encode_superblock_copy(version, body, first + 1);
}

bool are_equal(const SuperblockCopy& a, const SuperblockCopy& b) {
  return a.is_good && b.is_good && a.version == b.version && a.body == b.body;
}

}  // namespace

Status SuperblockStore::refuse(const std::string& reason) const {
  return Status(StatusCode::kCorruption, base::concat(directory_, "/", kNames[0], ": ", reason));
}

Result<std::unique_ptr<SuperblockStore>> SuperblockStore::open(FileSystem& files,
                                                               const std::string& directory,
                                                               const Expected& expected,
                                                               base::Random random) {
  SYNOD_ASSERT(expected.replica != ReplicaId(), "replica ids begin at 1");
  SYNOD_RETURN_IF_ERROR(files.create_directories(directory));
  std::unique_ptr<SuperblockStore> store(new SuperblockStore(files, directory));
  const bool exists =
      files.exists(directory + "/" + kNames[0]) || files.exists(directory + "/" + kNames[1]);
  const Status status = exists ? store->load(expected) : store->create(expected, random);
  if (!status.ok()) return status;
  return store;
}

/// A file gets its name only when it is whole and durable, so a bad one is never a young one.
Status SuperblockStore::create(const Expected& expected, base::Random random) {
  const std::string log = log_directory(directory_);
  if (files_.exists(log)) {
    SYNOD_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.list(log));
    if (!names.empty()) {
      return refuse(
          "missing, but there is a log: the replica has lost its memory (its promise); "
          "it may come back only as a new member");
    }
  }
  Superblock blank;
  blank.version = 1;
  blank.replica = expected.replica;
  blank.incarnation = expected.incarnation.value_or(Incarnation(random.next() | 1));
  const Bytes body = encode_superblock_body(blank);
  for (std::size_t file = 0; file < kNames.size(); ++file) {
    SYNOD_RETURN_IF_ERROR(storage::replace_file(files_, directory_, kNames[file],
                                                encode_file(file, blank.version, body)));
    SYNOD_ASSIGN_OR_RETURN(handles_[file],
                           files_.open(directory_ + "/" + kNames[file], OpenMode::kReadWrite));
  }
  version_seen_ = blank.version;
  current_ = std::move(blank);
  return check(expected);
}

Status SuperblockStore::load(const Expected& expected) {
  std::array<SuperblockCopy, 4> copies;
  for (std::size_t file = 0; file < kNames.size(); ++file) {
    const std::string path = directory_ + "/" + kNames[file];
    // What a failed sync left in the page cache may not be on the medium.
    const auto opened = files_.open(path, OpenMode::kReadUncached);
    if (!opened.ok() && opened.status().code() == StatusCode::kNotFound) continue;
    if (!opened.ok()) return opened.status();
    for (std::uint32_t i = 0; i < 2; ++i) {
      const auto copy = static_cast<std::uint32_t>(2 * file + i);
      copies[copy] = read_copy(**opened, copy);
    }
  }
  SYNOD_RETURN_IF_ERROR(choose(copies));
  SYNOD_RETURN_IF_ERROR(check(expected));
  SYNOD_RETURN_IF_ERROR(repair(copies));
  Superblock again = current_;
  again.version = version_seen_ + 1;
  return write_all(std::move(again));
}

/// Makes all copies those that hold, without touching one that does: B1 needs both pairs before
/// the first of them is written again.
Status SuperblockStore::repair(const std::array<SuperblockCopy, 4>& copies) {
  const Bytes body = encode_superblock_body(current_);
  const std::uint64_t version = current_.version;
  for (std::size_t file = 0; file < kNames.size(); ++file) {
    const std::string path = directory_ + "/" + kNames[file];
    if (!files_.exists(path)) {  // Lost, or the first open was interrupted before it.
      SYNOD_RETURN_IF_ERROR(storage::replace_file(files_, directory_, kNames[file],
                                                  encode_file(file, version, body)));
    }
    SYNOD_ASSIGN_OR_RETURN(handles_[file], files_.open(path, OpenMode::kReadWrite));
    for (std::uint32_t i = 0; i < 2; ++i) {
      const auto copy = static_cast<std::uint32_t>(2 * file + i);
      const bool holds =
          copies[copy].is_good && copies[copy].version == version && copies[copy].body == body;
      if (holds) continue;
      // The other copies of an interrupted write differ too: worth a line, not an alarm.
      base::log_warning("log", base::concat(path, ": copy ", copy, " of the superblock ",
                                            copies[copy].is_good ? "was old" : "was damaged",
                                            " and is written again from a good one"));
      SYNOD_RETURN_IF_ERROR(handles_[file]->write_at(i * kSuperblockCopyBytesMax,
                                                     encode_superblock_copy(version, body, copy)));
    }
    SYNOD_RETURN_IF_ERROR(handles_[file]->sync());
  }
  return Status();
}

Status SuperblockStore::choose(const std::array<SuperblockCopy, 4>& copies) {
  const SuperblockCopy* best = nullptr;
  bool other_format = false;
  for (const SuperblockCopy& copy : copies) {
    other_format = other_format || copy.is_other_format;
    version_seen_ = std::max(version_seen_, copy.version);
    const auto equals = std::count_if(copies.begin(), copies.end(), [&copy](const auto& other) {
      return are_equal(copy, other);
    });
    const bool holds = equals >= 2 || (copy.is_good && SYNOD_PLANT("superblock_single_copy"));
    if (holds && (best == nullptr || best->version < copy.version)) best = &copy;
  }
  if (other_format) return refuse("its format is not the one this build reads");
  if (best == nullptr) {
    return refuse(
        "no two copies agree: the replica has lost its memory (its promise); it may come "
        "back only as a new member");
  }
  auto decoded = decode_superblock_body(best->body, best->version);
  if (!decoded.ok()) return decoded.status().with_context(directory_);
  current_ = std::move(*decoded);
  return Status();
}

Status SuperblockStore::check(const Expected& expected) const {
  if (current_.replica != expected.replica) {
    return refuse(base::concat("belongs to replica ", current_.replica.value(), ", not to ",
                               expected.replica.value()));
  }
  if (expected.incarnation && current_.incarnation != *expected.incarnation) {
    return refuse("has another incarnation");
  }
  const bool formed = current_.formation == DiskState::kFormed;
  if (formed && expected.cluster && current_.cluster != *expected.cluster) {
    return refuse("belongs to another cluster");
  }
  return Status();
}

Status SuperblockStore::form(ClusterId cluster, const Chain& chain) {
  SYNOD_ASSERT(current_.formation == DiskState::kBlank, "B4: a replica is formed once");
  SYNOD_ASSERT(!chain.configurations.empty(), "C1: a group has a configuration");
  Superblock next = current_;
  next.formation = DiskState::kFormed;
  next.cluster = cluster;
  next.chain = chain;
  return write(std::move(next));
}

Status SuperblockStore::remember(const FormationMemory& memory,
                                 const std::string& state_directory) {
  SYNOD_ASSERT(current_.formation == DiskState::kBlank, "B4: a replica is formed once");
  Superblock next = current_;
  next.incarnation = memory.incarnation;
  next.answered = memory.answered;
  if (memory.record) {
    next.formation = DiskState::kFormed;
    next.cluster = memory.record->cluster;
    next.chain = memory.record->chain;
    next.state_directory = state_directory;
  }
  return write(std::move(next));
}

Status SuperblockStore::write(Superblock next) {
  SYNOD_ASSERT(next.promised >= current_.promised, "A1: a promise only grows");
  SYNOD_ASSERT(next.base >= current_.base && next.log_begin >= current_.log_begin,
               "B4: what was cut does not come back");
  const bool may_rename = current_.formation == DiskState::kBlank;
  SYNOD_ASSERT(
      next.replica == current_.replica && (may_rename || next.incarnation == current_.incarnation),
      "B4: identity never changes");
  SYNOD_ASSERT(next.chain.configurations.empty() == (next.formation == DiskState::kBlank),
               "C1: a group has a configuration");
  SYNOD_ASSERT(current_.chain.configurations.empty() ||
                   next.chain.current().id >= current_.chain.current().id,
               "B4: configurations do not go back");
  next.version = current_.version + 1;
  return write_all(std::move(next));
}

Status SuperblockStore::write_all(Superblock next) {
  SYNOD_RETURN_IF_ERROR(poison_);
  const Bytes body = encode_superblock_body(next);
  if (body.size() + kSuperblockHeadBytes > kSuperblockCopyBytesMax) {
    return Status(
        StatusCode::kLimitExceeded,
        base::concat("a superblock of ", body.size(), " bytes exceeds ", kSuperblockCopyBytesMax));
  }
  for (std::size_t file = 0; file < handles_.size(); ++file) {
    if (Status status = write_pair(file, next, body); !status.ok()) {
      // kNoSpace promises that nothing was touched; here something may have been.
      poison_ = Status(StatusCode::kIoError, status.message())
                    .with_context("the superblock is closed for writing after a failure");
      return poison_;
    }
  }
  version_seen_ = std::max(version_seen_, next.version);
  current_ = std::move(next);
  return Status();
}

Status SuperblockStore::write_pair(std::size_t file, const Superblock& next, const Bytes& body) {
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto copy = static_cast<std::uint32_t>(2 * file + i);
    SYNOD_RETURN_IF_ERROR(handles_[file]->write_at(
        i * kSuperblockCopyBytesMax, encode_superblock_copy(next.version, body, copy)));
  }
  return handles_[file]->sync();
}

}  // namespace synod::consensus
