// SPDX-License-Identifier: Apache-2.0
#include "storage/rocksdb_file_env.h"

#include <rocksdb/file_system.h>

#include <utility>

namespace synod::storage {
namespace {

using base::BytesView;
using base::Status;
using base::StatusCode;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus to_rocksdb(const Status& status) {
  if (status.ok()) return IOStatus::OK();
  switch (status.code()) {
    case StatusCode::kNotFound:
      return IOStatus::PathNotFound(status.message());
    default: {
      const bool full = status.code() == StatusCode::kNoSpace;
      IOStatus error = IOStatus::IOError((full ? kNoSpaceText : "") + status.message());
      error.SetRetryable(true);
      return error;
    }
  }
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    const auto got = file_->read_at(offset_, scratch, n);
    if (!got.ok()) return to_rocksdb(got.status());
    offset_ += *got;
    *result = Slice(scratch, *got);
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    offset_ += n;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    const auto got = file_->read_at(offset, scratch, n);
    if (!got.ok()) return to_rocksdb(got.status());
    *result = Slice(scratch, *got);
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<File> file_;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  WritableFile(std::unique_ptr<File> file, std::uint64_t offset)
      : file_(std::move(file)), offset_(offset) {}

  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    const Status status = file_->write_at(offset_, BytesView(data.data(), data.size()));
    if (status.ok()) offset_ += data.size();
    return to_rocksdb(status);
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    const Status status = file_->truncate(size);
    if (status.ok()) offset_ = size;
    return to_rocksdb(status);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    file_.reset();
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return to_rocksdb(file_->sync()); }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return offset_; }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return to_rocksdb(files_.sync_directory(path_));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  FileSystem& files_;
  std::string path_;
};

class LockHandle final : public rocksdb::FileLock {
 public:
  explicit LockHandle(std::unique_ptr<storage::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  std::unique_ptr<storage::FileLock> lock_;
};

class SeamFileSystem final : public rocksdb::FileSystem {
 public:
  explicit SeamFileSystem(storage::FileSystem& files) : files_(files) {}
  const char* Name() const override { return "SynodFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    auto file = files_.open(path, OpenMode::kRead);
    if (!file.ok()) return to_rocksdb(file.status());
    *result = std::make_unique<SequentialFile>(std::move(*file));
    return IOStatus::OK();
  }
  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    auto file = files_.open(path, OpenMode::kRead);
    if (!file.ok()) return to_rocksdb(file.status());
    *result = std::make_unique<RandomAccessFile>(std::move(*file));
    return IOStatus::OK();
  }
  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    auto file = files_.open(path, OpenMode::kCreateOrOpen);
    if (!file.ok()) return to_rocksdb(file.status());
    if (const Status status = (*file)->truncate(0); !status.ok()) return to_rocksdb(status);
    *result = std::make_unique<WritableFile>(std::move(*file), 0);
    return IOStatus::OK();
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext*) override {
    auto file = files_.open(path, OpenMode::kCreateOrOpen);
    if (!file.ok()) return to_rocksdb(file.status());
    const auto size = (*file)->size();
    if (!size.ok()) return to_rocksdb(size.status());
    *result = std::make_unique<WritableFile>(std::move(*file), *size);
    return IOStatus::OK();
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    if (!files_.exists(path)) return IOStatus::PathNotFound(path);
    *result = std::make_unique<Directory>(files_, path);
    return IOStatus::OK();
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return files_.exists(path) ? IOStatus::OK() : IOStatus::NotFound();
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    auto names = files_.list(path);
    if (!names.ok()) return to_rocksdb(names.status());
    *result = std::move(*names);
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return to_rocksdb(files_.remove(path));
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    if (files_.exists(path)) return IOStatus::IOError(path, "exists already");
    return to_rocksdb(files_.create_directories(path));
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return to_rocksdb(files_.create_directories(path));
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return to_rocksdb(files_.remove(path));
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* result,
                       IODebugContext*) override {
    const auto file = files_.open(path, OpenMode::kRead);
    if (!file.ok()) return to_rocksdb(file.status());
    const auto size = (*file)->size();
    if (!size.ok()) return to_rocksdb(size.status());
    *result = *size;
    return IOStatus::OK();
  }
  /// The seam has no times; nothing we configure depends on them.
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, uint64_t* result,
                                   IODebugContext*) override {
    *result = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return to_rocksdb(files_.rename(from, to));
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** result,
                    IODebugContext*) override {
    auto lock = files_.lock(path);
    if (!lock.ok()) return to_rocksdb(lock.status());
    *result = new LockHandle(std::move(*lock));
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    delete lock;
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) override {
    return IOStatus::NotSupported("no test directory");
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result,
                           IODebugContext*) override {
    *result = path;
    return IOStatus::OK();
  }
  IOStatus GetFreeSpace(const std::string& path, const IOOptions&, uint64_t* result,
                        IODebugContext*) override {
    const auto space = files_.space(path);
    if (!space.ok()) return to_rocksdb(space.status());
    *result = space->free_bytes;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* result,
                       IODebugContext*) override {
    *result = files_.list(path).ok();
    return IOStatus::OK();
  }

 private:
  storage::FileSystem& files_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_rocksdb_file_env(FileSystem& files) {
  return rocksdb::NewCompositeEnv(std::make_shared<SeamFileSystem>(files));
}

}  // namespace synod::storage
