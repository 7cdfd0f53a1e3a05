// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>

#include "base/text.h"
#include "storage/file.h"

namespace synod::storage {
namespace {

using base::Result;
using base::Status;
using base::StatusCode;

constexpr std::size_t kAlignment = 4096;
constexpr std::size_t kBounceBytesMax = std::size_t{1} << 20;

Status os_error(const char* action, const std::string& path, int error) {
  StatusCode code = StatusCode::kIoError;
  if (error == ENOENT) code = StatusCode::kNotFound;
  if (error == EEXIST) code = StatusCode::kAlreadyExists;
  if (error == ENOSPC || error == EDQUOT) code = StatusCode::kNoSpace;
  return Status(code,
                base::concat(action, " ", path, ": ", std::generic_category().message(error)));
}

/// A file descriptor that is closed once.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

Descriptor open_descriptor(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

/// Reads until `size` bytes or the end of the file.
Result<std::size_t> read_fully(int fd, std::uint64_t offset, char* out, std::size_t size,
                               const std::string& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd, out + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error("read", path, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

bool is_aligned(std::uint64_t offset, const char* memory, std::size_t size) {
  return offset % kAlignment == 0 && size % kAlignment == 0 &&
         reinterpret_cast<std::uintptr_t>(memory) % kAlignment == 0;
}

/// A file behind the page cache, but for whole blocks if it has a second descriptor for those. The
/// kernel keeps the two coherent: a direct write first writes back and then drops cached pages.
class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path, std::optional<Descriptor> direct = std::nullopt)
      : fd_(std::move(fd)), path_(std::move(path)), direct_(std::move(direct)) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* out, std::size_t size) const override {
    return read_fully(fd_.get(), offset, out, size, path_);
  }

  Status write_at(std::uint64_t offset, base::BytesView bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const char* const from = bytes.data() + done;
      const std::size_t left = bytes.size() - done;
      const bool is_direct = direct_ && is_aligned(offset + done, from, left);
      const ssize_t n = ::pwrite(is_direct ? direct_->get() : fd_.get(), from, left,
                                 static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EINVAL && is_direct) {
        direct_.reset();  // larger blocks than ours: nothing was written, the page cache takes it
        continue;
      }
      if (n < 0) return os_error("write", path_, errno);
      if (n == 0) return os_error("write", path_, ENOSPC);
      done += static_cast<std::size_t>(n);
    }
    return Status();
  }

  /// Never retried, not even after EINTR (F2): a second call could succeed without the data.
  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return os_error("sync", path_, errno);
    return Status();
  }

  Status truncate(std::uint64_t size) override {
    int result = 0;
    do {
      result = ::ftruncate(fd_.get(), static_cast<off_t>(size));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return os_error("truncate", path_, errno);
    return Status();
  }

  Result<std::uint64_t> size() const override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return os_error("stat", path_, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  Descriptor fd_;
  std::string path_;
  std::optional<Descriptor> direct_;
};

/// Reads past the page cache. Unaligned requests go through an aligned buffer of at most 1 MiB.
class UncachedFile final : public File {
 public:
  UncachedFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* out, std::size_t size) const override {
    if (is_aligned(offset, out, size)) return read_fully_aligned(offset, out, size);
    std::size_t done = 0;
    while (done < size) {
      const std::uint64_t begin = (offset + done) / kAlignment * kAlignment;
      const std::size_t skip = static_cast<std::size_t>(offset + done - begin);
      const std::size_t wanted = std::min(
          kBounceBytesMax, (skip + size - done + kAlignment - 1) / kAlignment * kAlignment);
      const std::unique_ptr<void, decltype(&std::free)> bounce(
          std::aligned_alloc(kAlignment, wanted), &std::free);
      if (bounce == nullptr) return os_error("read", path_, ENOMEM);
      char* const buffer = static_cast<char*>(bounce.get());
      SYNOD_ASSIGN_OR_RETURN(const std::size_t got, read_fully_aligned(begin, buffer, wanted));
      if (got <= skip) break;
      const std::size_t useful = std::min(got - skip, size - done);
      std::memcpy(out + done, buffer + skip, useful);
      done += useful;
      if (got < wanted) break;
    }
    return done;
  }

  Status write_at(std::uint64_t, base::BytesView) override { return refuse("write"); }
  Status sync() override { return refuse("sync"); }
  Status truncate(std::uint64_t) override { return refuse("truncate"); }

  Result<std::uint64_t> size() const override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return os_error("stat", path_, errno);
    return static_cast<std::uint64_t>(info.st_size);
  }
  bool reads_medium() const override { return true; }

 private:
  Status refuse(const char* action) const { return os_error(action, path_, EBADF); }

  /// A short read that leaves the alignment is the end of the file.
  Result<std::size_t> read_fully_aligned(std::uint64_t offset, char* out, std::size_t size) const {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n =
          ::pread(fd_.get(), out + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("read", path_, errno);
      done += static_cast<std::size_t>(n);
      if (n == 0 || done % kAlignment != 0) break;
    }
    return done;
  }

  Descriptor fd_;
  std::string path_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::kReadUncached) return open_uncached(path);
    Descriptor fd = open_descriptor(path, flags_of(mode));
    if (!fd.valid()) return os_error("open", path, errno);
    std::optional<Descriptor> direct;
    if (mode == OpenMode::kCreateUncached) {
      direct.emplace(open_descriptor(path, O_WRONLY | O_DIRECT | O_NOFOLLOW));
      if (!direct->valid() && errno != EINVAL) return os_error("open", path, errno);
      if (!direct->valid()) direct.reset();
    }
    return std::unique_ptr<File>(
        std::make_unique<PosixFile>(std::move(fd), path, std::move(direct)));
  }

  bool exists(const std::string& path) const override {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
  }

  Result<std::vector<std::string>> list(const std::string& directory) const override {
    const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(directory.c_str()), &::closedir);
    if (handle == nullptr) return os_error("list", directory, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(handle.get())) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
      errno = 0;
    }
    if (errno != 0) return os_error("list", directory, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status create_directories(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
      return S_ISDIR(info.st_mode) ? Status() : os_error("create directory", path, ENOTDIR);
    }
    const std::string parent = parent_of(path);
    if (parent != path) SYNOD_RETURN_IF_ERROR(create_directories(parent));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return os_error("create directory", path, errno);
    }
    return sync_directory(parent);
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return os_error("rename", from, errno);
    return Status();
  }

  Status remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) return os_error("remove", path, errno);
    return Status();
  }

  Status sync_directory(const std::string& path) override {
    const Descriptor fd = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (!fd.valid()) return os_error("open directory", path, errno);
    if (::fsync(fd.get()) != 0) return os_error("sync directory", path, errno);
    return Status();
  }

  /// An open-file-description lock: it also excludes a second open in this process.
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    Descriptor fd = open_descriptor(path, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (!fd.valid()) return os_error("open", path, errno);
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    if (::fcntl(fd.get(), F_OFD_SETLK, &range) != 0) {
      if (errno == EAGAIN || errno == EACCES) {
        return Status(StatusCode::kBusy, base::concat(path, " is locked by another process"));
      }
      return os_error("lock", path, errno);
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixLock>(std::move(fd)));
  }

  Result<Space> space(const std::string& path) const override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return os_error("statvfs", path, errno);
    return Space{static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize,
                 static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize};
  }

 private:
  static int flags_of(OpenMode mode) {
    switch (mode) {
      case OpenMode::kRead:
      case OpenMode::kReadUncached:
        return O_RDONLY;
      case OpenMode::kReadWrite:
        return O_RDWR | O_NOFOLLOW;
      case OpenMode::kCreate:
      case OpenMode::kCreateUncached:
        return O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
      case OpenMode::kCreateOrOpen:
        return O_RDWR | O_CREAT | O_NOFOLLOW;
    }
    SYNOD_ASSERT(false, "an OpenMode outside its enumeration");
  }

  static Result<std::unique_ptr<File>> open_uncached(const std::string& path) {
    Descriptor direct = open_descriptor(path, O_RDONLY | O_DIRECT);
    if (direct.valid()) {
      return std::unique_ptr<File>(std::make_unique<UncachedFile>(std::move(direct), path));
    }
    if (errno != EINVAL) return os_error("open", path, errno);
    Descriptor cached = open_descriptor(path, O_RDONLY);
    if (!cached.valid()) return os_error("open", path, errno);
    // Advice only: reads_medium() stays false, so callers do not rely on it.
    static_cast<void>(::posix_fadvise(cached.get(), 0, 0, POSIX_FADV_DONTNEED));
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(cached), path));
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_posix_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace synod::storage
