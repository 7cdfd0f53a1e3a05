// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/status.h"

/// What benchmarks that write to a disk share.
namespace synod::tests {

[[noreturn]] inline void die(const char* what, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", what, why.c_str());
  std::exit(1);
}

inline void check(const base::Status& status, const char* what = "benchmark") {
  if (!status.ok()) die(what, status.to_string());
}

/// A new directory below the current one, on its disk and not in memory; gone at the end.
class BenchDirectory {
 public:
  BenchDirectory() {
    if (::mkdtemp(path_.data()) == nullptr) die("mkdtemp", path_);
  }
  ~BenchDirectory() { std::filesystem::remove_all(path_); }
  BenchDirectory(const BenchDirectory&) = delete;
  BenchDirectory& operator=(const BenchDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "bench-" + std::string(6, 'X');
};

/// The rival: whole blocks into a file that is zero-filled before, one write and one sync each;
/// from the start again once it is full.
class BareFile {
 public:
  BareFile(const std::string& path, std::size_t bytes_max) : bytes_max_(bytes_max) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd_ < 0) die("open", path);
    const base::Bytes zeros(1 << 20, '\0');
    for (std::size_t at = 0; at < bytes_max; at += zeros.size()) write(zeros);
    ::fsync(fd_);
    at_ = 0;
  }
  ~BareFile() { ::close(fd_); }
  BareFile(const BareFile&) = delete;
  BareFile& operator=(const BareFile&) = delete;

  void write_synced(base::BytesView bytes) {
    if (at_ + bytes.size() > bytes_max_) at_ = 0;
    write(bytes);
    if (::fdatasync(fd_) != 0) die("fdatasync", "failed");
  }

 private:
  void write(base::BytesView bytes) {
    const auto written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at_));
    if (written != static_cast<ssize_t>(bytes.size())) die("pwrite", "failed");
    at_ += bytes.size();
  }

  const std::size_t bytes_max_;
  int fd_ = -1;
  std::size_t at_ = 0;
};

}  // namespace synod::tests
