// SPDX-License-Identifier: Apache-2.0
#include "client/cli/restore.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/text.h"

namespace synod::client {
namespace {

namespace fs = std::filesystem;

/// Every data directory, and so every backup, names its cluster and node in this file.
constexpr const char* kIdentityFile = "IDENTITY";
/// Belong to a running process, not to the data.
constexpr std::array<std::string_view, 2> kLeaveOut{"LOCK", "admin.sock"};

base::Status io_error(const char* what, const fs::path& path, int error) {
  return {base::StatusCode::kIoError,
          base::concat(what, " ", path.string(), ": ", std::strerror(error))};
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

base::Status sync_directory(const fs::path& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok()) return io_error("cannot open", path, errno);
  if (::fsync(directory.get()) != 0) return io_error("cannot sync", path, errno);
  return {};
}

base::Status write_all(int fd, const char* data, std::size_t size, const fs::path& path) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error("cannot write", path, errno);
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

base::Status copy_file_durably(const fs::path& from, const fs::path& to) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!source.ok()) return io_error("cannot open", from, errno);
  const Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target.ok()) return io_error("cannot create", to, errno);
  std::vector<char> buffer(1 << 20);
  for (;;) {
    const ssize_t got = ::read(source.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read", from, errno);
    if (got == 0) break;
    SYNOD_RETURN_IF_ERROR(
        write_all(target.get(), buffer.data(), static_cast<std::size_t>(got), to));
  }
  if (::fsync(target.get()) != 0) return io_error("cannot sync", to, errno);
  return {};
}

bool left_out(const fs::path& name) {
  for (const std::string_view skipped : kLeaveOut) {
    if (name == skipped) return true;
  }
  return false;
}

/// Copies a tree of plain files and directories; everything in it is durable on return.
base::Status copy_tree_durably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::create_directory(to, error) || error)
    return io_error("cannot create", to, error.value());
  fs::permissions(to, fs::perms::owner_all, error);
  if (error) return io_error("cannot set the mode of", to, error.value());
  fs::directory_iterator entries(from, error);
  if (error) return io_error("cannot list", from, error.value());
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    if (error) return io_error("cannot list", from, error.value());
    const fs::path& path = entries->path();
    if (left_out(path.filename())) continue;
    const fs::file_status type = entries->symlink_status(error);
    if (error) return io_error("cannot examine", path, error.value());
    if (fs::is_directory(type)) {
      SYNOD_RETURN_IF_ERROR(copy_tree_durably(path, to / path.filename()));
    } else if (fs::is_regular_file(type)) {
      SYNOD_RETURN_IF_ERROR(copy_file_durably(path, to / path.filename()));
    } else {
      return {base::StatusCode::kInvalidArgument,
              base::concat(path.string(), " is neither a file nor a directory")};
    }
  }
  return sync_directory(to);
}

base::Status check_source(const fs::path& from) {
  std::error_code error;
  if (!fs::is_directory(from, error)) {
    return {base::StatusCode::kInvalidArgument, base::concat(from.string(), " is not a directory")};
  }
  if (!fs::is_regular_file(from / kIdentityFile, error)) {
    return {base::StatusCode::kInvalidArgument,
            base::concat(from.string(), " is no backup: it has no ", kIdentityFile, " file")};
  }
  return {};
}

base::Status check_target(const fs::path& to) {
  std::error_code error;
  const fs::file_status type = fs::symlink_status(to, error);
  if (!fs::exists(type)) return {};
  const bool empty_directory = fs::is_directory(type) && fs::is_empty(to, error) && !error;
  if (empty_directory) return {};
  return {base::StatusCode::kAlreadyExists,
          base::concat(to.string(), " exists and is not an empty directory")};
}

}  // namespace

base::Status restore_backup(const fs::path& from, const fs::path& to) {
  SYNOD_RETURN_IF_ERROR(check_source(from));
  SYNOD_RETURN_IF_ERROR(check_target(to));
  std::error_code error;
  const fs::path target = fs::absolute(to, error).lexically_normal();
  // A trailing slash leaves an empty last component.
  const fs::path final_path = target.has_filename() ? target : target.parent_path();
  const fs::path parent = final_path.parent_path();
  const fs::path work = parent / (final_path.filename().string() + ".restoring");
  if (fs::exists(fs::symlink_status(work, error))) {
    return {base::StatusCode::kAlreadyExists,
            base::concat(work.string(), " is left of an interrupted restore; remove it first")};
  }
  SYNOD_RETURN_IF_ERROR(copy_tree_durably(from, work));
  if (::rename(work.c_str(), final_path.c_str()) != 0) {
    return io_error("cannot move the copy to", final_path, errno);
  }
  return sync_directory(parent);
}

}  // namespace synod::client
