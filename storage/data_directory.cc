// SPDX-License-Identifier: Apache-2.0
#include "storage/data_directory.h"

#include <charconv>
#include <cstring>
#include <optional>

#include "base/crc32c.h"
#include "base/text.h"

namespace synod::storage {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using base::StatusCode;

constexpr const char* kIdentityName = "IDENTITY";
constexpr const char* kLockName = "LOCK";
constexpr std::uint64_t kIdentityBytesMax = 4096;
constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string to_hex(BytesView bytes) {
  std::string hex;
  for (const char byte : bytes) {
    hex += kHexDigits[static_cast<unsigned char>(byte) >> 4];
    hex += kHexDigits[static_cast<unsigned char>(byte) & 0xf];
  }
  return hex;
}

std::string crc_line(BytesView lines) {
  char crc[4];
  base::store_be32(crc, base::crc32c(lines));
  return base::concat("crc=", to_hex(BytesView(crc, 4)), "\n");
}

/// Takes "key=value\n" off the front of `text`.
std::optional<BytesView> take_line(BytesView& text, BytesView key) {
  const std::size_t end = text.find('\n');
  if (end == BytesView::npos) return std::nullopt;
  const BytesView line = text.substr(0, end);
  if (!line.starts_with(key) || line.substr(key.size(), 1) != "=") return std::nullopt;
  text.remove_prefix(end + 1);
  return line.substr(key.size() + 1);
}

template <class Integer>
bool parse_integer(const std::optional<BytesView>& text, Integer& value) {
  if (!text || text->empty()) return false;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  return error == std::errc() && stop == end;
}

bool parse_hex(const std::optional<BytesView>& text, std::array<char, 16>& bytes) {
  if (!text || text->size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t high = kHexDigits.find((*text)[2 * i]);
    const std::size_t low = kHexDigits.find((*text)[2 * i + 1]);
    if (high == BytesView::npos || low == BytesView::npos) return false;
    bytes[i] = static_cast<char>(high << 4 | low);
  }
  return true;
}

constexpr std::string_view kReplicaLine = "use=replica\n";

/// The checksum comes first, so that a format this build does not know is told from damage.
Status parse(BytesView text, DataIdentity& identity) {
  const auto damaged = [] { return Status(StatusCode::kCorruption, "the identity is damaged"); };
  const std::size_t crc_at = text.rfind("crc=");
  if (crc_at == BytesView::npos || text.substr(crc_at) != crc_line(text.substr(0, crc_at))) {
    return damaged();
  }
  if (!parse_integer(take_line(text, "format"), identity.format_version)) return damaged();
  if (identity.format_version != DataDirectory::kFormatVersion) {
    return Status(StatusCode::kCorruption,
                  base::concat("format version ", identity.format_version, ", this build reads ",
                               DataDirectory::kFormatVersion));
  }
  std::uint64_t node_id = 0;
  if (!parse_hex(take_line(text, "cluster_id"), identity.cluster_id) ||
      !parse_integer(take_line(text, "node_id"), node_id) ||
      !parse_integer(take_line(text, "created"), identity.created_unix_seconds)) {
    return damaged();
  }
  if (text.starts_with(kReplicaLine)) {
    identity.use = DirectoryUse::kReplica;
    text.remove_prefix(kReplicaLine.size());
  }
  if (!text.starts_with("crc=")) return damaged();
  identity.node_id = DirectoryNodeId(node_id);
  return Status();
}

/// What may lie in a directory that counts as empty: our own first steps, and mkfs's directory.
bool is_harmless(const std::string& name) {
  return name == kLockName || name == "lost+found" || name == std::string(kIdentityName) + ".new";
}

}  // namespace

std::string DataDirectory::identity_text(const DataIdentity& identity) {
  std::string lines = base::concat(
      "format=", identity.format_version, "\n", "cluster_id=", identity.cluster_id_hex(), "\n",
      "node_id=", identity.node_id.value(), "\n", "created=", identity.created_unix_seconds, "\n");
  if (identity.use == DirectoryUse::kReplica) lines += kReplicaLine;
  return lines + crc_line(lines);
}

std::string DataIdentity::cluster_id_hex() const {
  return to_hex(BytesView(cluster_id.data(), cluster_id.size()));
}

LogIdentity DataDirectory::log_identity() const {
  LogIdentity bytes = identity_.cluster_id;
  base::store_le64(bytes.data(), base::load_le64(bytes.data()) ^ identity_.node_id.value());
  return bytes;
}

Result<DataDirectory> DataDirectory::open(FileSystem& files, const std::string& path,
                                          DirectoryNodeId node_id, base::Random random,
                                          const base::Clock& clock, DirectoryUse use) {
  SYNOD_RETURN_IF_ERROR(files.create_directories(path));
  SYNOD_ASSIGN_OR_RETURN(const std::vector<std::string> before, files.list(path));
  const bool formatted = files.exists(path + "/" + kIdentityName);
  for (const std::string& name : before) {
    if (formatted || is_harmless(name)) continue;
    return Status(StatusCode::kCorruption,
                  base::concat(path, "/", kIdentityName, ": missing, but the directory holds ",
                               base::escape(name)));
  }
  SYNOD_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, files.lock(path + "/" + kLockName));
  DataDirectory directory(path, std::move(lock));
  // Another process may have formatted it before this one got the lock.
  if (files.exists(path + "/" + kIdentityName)) {
    SYNOD_RETURN_IF_ERROR(directory.load(files, node_id, use));
  } else {
    SYNOD_RETURN_IF_ERROR(directory.format(files, node_id, use, random, clock));
  }
  if (use == DirectoryUse::kReplica) return directory;
  SYNOD_RETURN_IF_ERROR(files.create_directories(directory.log_path()));
  SYNOD_RETURN_IF_ERROR(files.create_directories(directory.db_path()));
  return directory;
}

Status DataDirectory::load(FileSystem& files, DirectoryNodeId node_id, DirectoryUse use) {
  const std::string file = path_ + "/" + kIdentityName;
  SYNOD_ASSIGN_OR_RETURN(const Bytes text, read_file(files, file, kIdentityBytesMax));
  if (const Status status = parse(text, identity_); !status.ok()) return status.with_context(file);
  if (identity_.node_id != node_id) {
    return Status(StatusCode::kCorruption,
                  base::concat(file, ": belongs to node ", identity_.node_id.value(),
                               ", this is node ", node_id.value()));
  }
  if (identity_.use != use) {
    return Status(StatusCode::kCorruption,
                  base::concat(file, use == DirectoryUse::kReplica
                                         ? ": made by a store that stands alone; a replica needs "
                                           "a directory of its own (replicated mode is set)"
                                         : ": made by a replica of a group; a store that stands "
                                           "alone needs a directory of its own (replicated mode "
                                           "is not set)"));
  }
  // The identity was read through the page cache: its name must be durable before data is (D1).
  return files.sync_directory(path_);
}

Status DataDirectory::format(FileSystem& files, DirectoryNodeId node_id, DirectoryUse use,
                             base::Random random, const base::Clock& clock) {
  base::store_le64(identity_.cluster_id.data(), random.next());
  base::store_le64(identity_.cluster_id.data() + 8, random.next());
  identity_.node_id = node_id;
  identity_.use = use;
  identity_.format_version = kFormatVersion;
  identity_.created_unix_seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(clock.wall_time()).count());
  is_new_ = true;
  return replace_file(files, path_, kIdentityName, identity_text(identity_));
}

}  // namespace synod::storage
