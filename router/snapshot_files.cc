// SPDX-License-Identifier: Apache-2.0
#include "router/snapshot_files.h"

#include <algorithm>
#include <set>

#include "base/codec.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "consensus/protocol/configuration_codec.h"
#include "core/state/rows.h"

namespace synod::router {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

constexpr std::uint8_t kLabelFormat = 1;
constexpr std::uint8_t kManifestFormat = 1;
constexpr std::size_t kFilesMax = 100'000;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

struct FlatLabel {
  std::uint8_t format = kLabelFormat;
  std::uint32_t fence_config = 0;
  std::uint64_t fence_round = 0;
  std::uint32_t fence_owner = 0;
  Bytes chain;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(format, fence_config, fence_round, fence_owner, chain);
  }
};

struct FlatFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(name, bytes, crc);
  }
};

struct FlatManifest {
  std::uint8_t format = kManifestFormat;
  std::uint64_t id = 0;
  std::uint64_t slot = 0;
  Bytes label;
  std::vector<FlatFile> files;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(format, id, slot, label, files);
  }
};

Status corrupt(std::string what) { return {StatusCode::kCorruption, std::move(what)}; }

}  // namespace

Bytes encode_label(const consensus::StateLabel& label) {
  return base::encode(FlatLabel{kLabelFormat, label.fence.config.value(), label.fence.round.value(),
                                label.fence.owner.value(), consensus::encode_chain(label.chain)});
}

Result<consensus::StateLabel> decode_label(BytesView bytes) {
  SYNOD_ASSIGN_OR_RETURN(const FlatLabel flat, base::decode<FlatLabel>(bytes));
  if (flat.format != kLabelFormat) return corrupt("a label of another format");
  consensus::StateLabel label;
  label.fence =
      consensus::Ballot{consensus::ConfigId(flat.fence_config), consensus::Round(flat.fence_round),
                        consensus::ReplicaId(flat.fence_owner)};
  SYNOD_ASSIGN_OR_RETURN(label.chain, consensus::decode_chain(flat.chain));
  return label;
}

Result<consensus::StateLabel> read_label(const storage::StorageBackend& engine,
                                         const std::string& directory) {
  const std::vector<Bytes> keys = {Bytes(1, core::kAppliedRow), Bytes(1, core::kLabelRow)};
  SYNOD_ASSIGN_OR_RETURN(const auto rows, engine.read_checkpoint(directory, keys));
  if (!rows[1]) return corrupt(directory + ": no label row");
  SYNOD_ASSIGN_OR_RETURN(consensus::StateLabel label, decode_label(*rows[1]));
  if (!rows[0]) return label;
  SYNOD_ASSIGN_OR_RETURN(const core::AppliedRow applied, core::parse_applied_row(*rows[0]));
  label.applied = consensus::Slot(applied.index.value());
  return label;
}

bool is_same_label(const consensus::StateLabel& a, const consensus::StateLabel& b) {
  return a.applied == b.applied && a.fence == b.fence &&
         consensus::encode_chain(a.chain) == consensus::encode_chain(b.chain);
}

Bytes encode_manifest(const consensus::SnapshotManifest& manifest) {
  FlatManifest flat;
  flat.id = manifest.id.value();
  flat.slot = manifest.slot.value();
  flat.label = encode_label({manifest.slot, manifest.fence, manifest.chain});
  for (const consensus::SnapshotFile& file : manifest.files) {
    flat.files.push_back({file.name, file.bytes, file.crc});
  }
  Bytes bytes = base::encode(flat);
  base::append_le32(bytes, base::crc32c(bytes));
  return bytes;
}

Result<consensus::SnapshotManifest> decode_manifest(BytesView bytes) {
  if (bytes.size() < 4) return corrupt("a manifest too short");
  const BytesView covered = bytes.substr(0, bytes.size() - 4);
  if (base::crc32c(covered) != base::load_le32(bytes.data() + covered.size())) {
    return corrupt("a manifest does not match its checksum");
  }
  SYNOD_ASSIGN_OR_RETURN(const FlatManifest flat, base::decode<FlatManifest>(covered));
  if (flat.format != kManifestFormat) return corrupt("a manifest of another format");
  SYNOD_ASSIGN_OR_RETURN(consensus::StateLabel label, decode_label(flat.label));
  consensus::SnapshotManifest manifest;
  manifest.id = consensus::SnapshotId(flat.id);
  manifest.slot = consensus::Slot(flat.slot);
  manifest.fence = label.fence;
  manifest.chain = std::move(label.chain);
  for (const FlatFile& file : flat.files) {
    manifest.files.push_back({file.name, file.bytes, file.crc});
  }
  return manifest;
}

bool is_plain_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

Status check_files(const consensus::SnapshotManifest& manifest) {
  const auto refuse = [](const char* why) { return Status(StatusCode::kInvalidArgument, why); };
  if (manifest.files.size() > kFilesMax) return refuse("a snapshot of too many files");
  std::set<std::string_view> names;
  for (const consensus::SnapshotFile& file : manifest.files) {
    if (!is_plain_name(file.name))
      return refuse("a snapshot with a file that is not plainly named");
    if (!names.insert(file.name).second) return refuse("a snapshot with two files of one name");
  }
  return {};
}

std::string id_name(std::uint64_t id) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string name;
  for (int shift = 60; shift >= 0; shift -= 4) name += kDigits[(id >> shift) & 15U];
  return name;
}

std::optional<std::uint64_t> parse_id_name(std::string_view name) {
  if (name.size() != 16) return std::nullopt;
  std::uint64_t id = 0;
  for (const char c : name) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && !(c >= 'a' && c <= 'f')) return std::nullopt;
    id = (id << 4U) | static_cast<std::uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return id;
}

Result<consensus::StagedFile> measure_file(storage::FileSystem& files, const std::string& path,
                                           const std::atomic<bool>& interrupted) {
  SYNOD_ASSIGN_OR_RETURN(const auto file, files.open(path, storage::OpenMode::kRead));
  consensus::StagedFile measured;
  Bytes part(kReadBytes, '\0');
  for (;;) {
    if (interrupted.load(std::memory_order_relaxed)) {
      return Status(StatusCode::kClosed, "the replica is stopping");
    }
    SYNOD_ASSIGN_OR_RETURN(const std::size_t got,
                           file->read_at(measured.bytes, part.data(), part.size()));
    measured.crc = base::crc32c(BytesView(part.data(), got), measured.crc);
    measured.bytes += got;
    if (got < part.size()) return measured;
  }
}

}  // namespace synod::router
