// SPDX-License-Identifier: Apache-2.0
#include "tests/disk_fault/loop_disk.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/text.h"
#include "tests/suite/server_process.h"

namespace synod::disk_fault {
namespace {

using base::Status;
using base::StatusCode;

constexpr int kToolSeconds = 60;
constexpr const char* kDirectoryPrefix = "full-disk-";  ///< Of work directories with mounts.

Status run(const std::filesystem::path& directory, const std::string& binary,
           const std::vector<std::string>& arguments) {
  suite::ServerProcess::Command command;
  command.binary = binary;
  command.arguments = arguments;
  command.directory = directory;
  command.log = directory / "tools.log";
  SYNOD_ASSIGN_OR_RETURN(const auto finished, suite::run_to_end(command, kToolSeconds));
  if (finished.code == 0) return {};
  return {StatusCode::kIoError,
          base::concat(binary, " ended with ", finished.code,
                       " (this test needs root and loop devices): ", finished.output)};
}

/// The process that made such a directory, from its name; 0 if it is none of ours.
pid_t maker_of(const std::string& mount_point) {
  const std::string root = base::concat(SYNOD_SUITE_WORK_DIR, "/", kDirectoryPrefix);
  if (!mount_point.starts_with(root)) return 0;
  return static_cast<pid_t>(std::atoi(mount_point.c_str() + root.size()));
}

void unmount_leftovers() {
  std::ifstream mounts("/proc/self/mounts");
  std::vector<std::string> leftovers;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device;
    std::string point;
    words >> device >> point;
    const pid_t maker = maker_of(point);
    const bool is_alive = maker == 0 || ::kill(maker, 0) == 0 || errno != ESRCH;
    if (!is_alive) leftovers.push_back(point);
  }
  for (const std::string& point : leftovers) ::umount2(point.c_str(), MNT_DETACH);
}

}  // namespace

LoopDisk::~LoopDisk() {
  if (point_.empty()) return;
  if (::umount2(point_.c_str(), 0) != 0) ::umount2(point_.c_str(), MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove(image_, ignored);
}

Status LoopDisk::mount(const std::filesystem::path& image, const std::filesystem::path& point,
                       int mebibytes) {
  unmount_leftovers();
  const std::filesystem::path directory = image.parent_path();
  std::filesystem::create_directories(point);
  SYNOD_RETURN_IF_ERROR(
      run(directory, "/usr/bin/truncate", {"-s", base::concat(mebibytes, "M"), image.string()}));
  SYNOD_RETURN_IF_ERROR(
      run(directory, "/usr/sbin/mkfs.ext4", {"-q", "-F", "-m", "0", image.string()}));
  SYNOD_RETURN_IF_ERROR(
      run(directory, "/usr/bin/mount", {"-o", "loop", image.string(), point.string()}));
  image_ = image;
  point_ = point;
  return {};
}

Status LoopDisk::fill() {
  const int fd = ::open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return {StatusCode::kIoError, std::strerror(errno)};
  // Whole pieces first; the last byte that fits is found by smaller ones.
  std::vector<char> zeros(1 << 20, 'f');
  std::size_t piece = zeros.size();
  while (piece > 0) {
    const ssize_t written = ::write(fd, zeros.data(), piece);
    if (written < 0 && errno != ENOSPC) break;
    if (written < static_cast<ssize_t>(piece)) piece /= 2;
  }
  const int error = piece > 0 ? errno : 0;
  // What is not written yet takes no space.
  const bool is_synced = ::fsync(fd) == 0;
  ::close(fd);
  if (error == 0 && is_synced) return {};
  return {StatusCode::kIoError, base::concat("filling: ", std::strerror(errno))};
}

void LoopDisk::give_back() {
  std::error_code ignored;
  std::filesystem::remove(filler(), ignored);
}

}  // namespace synod::disk_fault
