// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/function.h"
#include "base/random.h"
#include "storage/file.h"

namespace synod::storage {

/// What a power cut leaves of unsynced sectors and directory changes.
enum class CrashPolicy : std::uint8_t {
  kLost,       ///< Nothing unsynced survives.
  kTorn,       ///< Each unsynced sector survives or not; of a directory's changes a prefix.
  kReordered,  ///< Later writes survive, earlier ones do not; directory changes each on its own.
};

enum class FaultRepeat : std::uint8_t { kOnce, kForEver };

/// A disk in memory that keeps apart what was written and what is durable.
///
/// Invariants: F1-F3 of File, and beyond them
///   S1  A creation, rename or removal is lost in a power cut unless its directory was synced;
///       create_directories alone is durable at once, as its contract says.
///   S2  After a failed sync each unsynced sector is durable or not by the seed, and all count as
///       clean: a later sync returns ok without writing them. Cached reads still show them,
///       kReadUncached shows the medium.
///   S3  The same seed and the same calls give the same contents.
///
/// Every call that can fail is one I/O and counted from 1, so that a test can move a failing
/// point through a script. Threads: thread-safe.
class SimFileSystem final : public FileSystem {
 public:
  struct Node;

  explicit SimFileSystem(base::Random random);
  ~SimFileSystem() override;

  /// The I/O of this number (and, for ever, every later one) fails with `code`. A failing write
  /// may leave a prefix of its sectors in the cache.
  void set_fail_at(std::uint64_t io_number, FaultRepeat repeat,
                   base::StatusCode code = base::StatusCode::kIoError);
  void clear_faults();
  [[nodiscard]] std::uint64_t io_count() const;
  /// Called before each I/O, while the disk is locked: it must not call back.
  void set_trace(
      base::Function<void(std::uint64_t number, const char* action, const std::string& path)>
          trace);
  /// Bytes that all files may hold together; beyond it writes return kNoSpace.
  void set_capacity(std::uint64_t bytes);
  /// Flips the bits of `mask` in one byte, in the cache and on the medium.
  void corrupt(const std::string& path, std::uint64_t offset, char mask);
  /// Reads that touch the range fail with kIoError until restart().
  void set_unreadable(const std::string& path, std::uint64_t begin, std::uint64_t end);

  /// The power fails: what was not durable is damaged, and everything fails until restart().
  void crash(CrashPolicy policy);
  /// The process dies but the page cache stays; everything fails until restart().
  void kill();
  /// A new process: old handles and locks are gone, faults are cleared.
  void restart();

  base::Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  bool exists(const std::string& path) const override;
  base::Result<std::vector<std::string>> list(const std::string& directory) const override;
  base::Status create_directories(const std::string& path) override;
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Status sync_directory(const std::string& path) override;
  base::Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  base::Result<Space> space(const std::string& path) const override;

 private:
  friend class SimFile;
  friend class SimLock;

  struct UnreadableRange {
    std::string path;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  base::Status begin_io(const char* action, const std::string& path) const;
  [[nodiscard]] std::shared_ptr<Node> find(const std::string& path) const;
  void crash_node(Node& node, CrashPolicy policy);
  void crash_directory(Node& node, CrashPolicy policy);
  void crash_contents(Node& node, CrashPolicy policy);
  [[nodiscard]] std::uint64_t used_bytes(const Node& node) const;
  base::Status check_readable(const std::string& path, std::uint64_t begin,
                              std::uint64_t end) const;

  base::Status write(Node& node, const std::string& path, std::uint64_t offset,
                     base::BytesView bytes);
  void store(Node& node, std::uint64_t offset, base::BytesView bytes);
  base::Status sync(Node& node, const std::string& path);
  base::Status truncate(Node& node, const std::string& path, std::uint64_t size);

  mutable std::mutex mutex_;
  mutable base::Random random_;
  std::shared_ptr<Node> root_;
  mutable std::uint64_t io_count_ = 0;
  std::uint64_t fail_at_ = 0;  ///< 0: never.
  FaultRepeat fail_repeat_ = FaultRepeat::kOnce;
  base::StatusCode fail_code_ = base::StatusCode::kIoError;
  std::uint64_t capacity_ = UINT64_MAX;
  std::uint64_t used_ = 0;
  std::uint64_t write_order_ = 0;
  std::uint64_t generation_ = 1;  ///< Of the running process; handles of older ones are dead.
  bool dead_ = false;
  std::set<std::string> locks_;
  std::vector<UnreadableRange> unreadable_;
  mutable base::Function<void(std::uint64_t, const char*, const std::string&)> trace_;
};

}  // namespace synod::storage
