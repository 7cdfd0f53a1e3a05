// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace synod::storage {

/// One open file: the seam through which durable bytes enter and leave.
///
/// Invariants
///   F1  After `sync` returned ok, every byte written before the call survives a power cut.
///   F2  After `sync` failed, nothing is known about unsynced bytes; the caller must not retry.
///   F3  Unsynced 512-byte sectors survive a power cut each on its own, whole or not at all.
///
/// Threads: externally synchronized for writes; `read_at` may run beside anything.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `size` bytes at `offset` into `out`; fewer only at the end of the file.
  [[nodiscard]] virtual base::Result<std::size_t> read_at(std::uint64_t offset, char* out,
                                                          std::size_t size) const = 0;
  /// Writes all of `bytes` at `offset`, extending the file as needed.
  [[nodiscard]] virtual base::Status write_at(std::uint64_t offset, base::BytesView bytes) = 0;
  /// fdatasync.
  [[nodiscard]] virtual base::Status sync() = 0;
  [[nodiscard]] virtual base::Status truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual base::Result<std::uint64_t> size() const = 0;
  /// True if `read_at` bypasses the page cache (kReadUncached where it was granted).
  [[nodiscard]] virtual bool reads_medium() const { return false; }
};

enum class OpenMode : std::uint8_t {
  kRead,            ///< Must exist.
  kReadWrite,       ///< Must exist.
  kCreate,          ///< Must not exist; mode 0600.
  kCreateOrOpen,    ///< Either.
  kCreateUncached,  ///< As kCreate; what is written in whole blocks from an aligned buffer bypasses
                    ///< the page cache where the file system allows it (O_DIRECT). Such a write
                    ///< and its sync take half the time and half the processor.
  kReadUncached,    ///< Must exist; reads bypass the page cache where the file system allows it
                    ///< (O_DIRECT), so that they see the medium. `read_at` hides alignment.
};

/// An exclusive lock on a file, released on destruction (and by the death of the process).
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// Names, directories and space: the other half of the seam. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  [[nodiscard]] virtual base::Result<std::unique_ptr<File>> open(const std::string& path,
                                                                 OpenMode mode) = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) const = 0;
  /// Names in the directory, sorted, without "." and "..".
  [[nodiscard]] virtual base::Result<std::vector<std::string>> list(
      const std::string& directory) const = 0;
  /// Creates the directory and its missing parents, mode 0700; durable on return.
  [[nodiscard]] virtual base::Status create_directories(const std::string& path) = 0;
  [[nodiscard]] virtual base::Status rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file or an empty directory.
  [[nodiscard]] virtual base::Status remove(const std::string& path) = 0;
  /// Makes creations, renames and removals in the directory durable.
  [[nodiscard]] virtual base::Status sync_directory(const std::string& path) = 0;
  /// kBusy if another process holds it.
  [[nodiscard]] virtual base::Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  /// Bytes that an unprivileged writer can still use, and the size of the whole file system.
  struct Space {
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
  };
  [[nodiscard]] virtual base::Result<Space> space(const std::string& path) const = 0;
};

/// The operating system's files.
[[nodiscard]] std::unique_ptr<FileSystem> make_posix_file_system();

/// Reads a whole file of at most `bytes_max`.
[[nodiscard]] base::Result<base::Bytes> read_file(FileSystem& files, const std::string& path,
                                                  std::uint64_t bytes_max = 16U << 20);

/// Replaces `path` so that after a crash it holds either the old or the new contents: writes
/// `path`.new, syncs it, renames it and syncs the directory.
[[nodiscard]] base::Status replace_file(FileSystem& files, const std::string& directory,
                                        const std::string& name, base::BytesView contents);

/// Removes a file or a directory with all that is in it; ok if there is nothing. Not durable before
/// the directory above is synced.
[[nodiscard]] base::Status remove_tree(FileSystem& files, const std::string& path);

}  // namespace synod::storage
