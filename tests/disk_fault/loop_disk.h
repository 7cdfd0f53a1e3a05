// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/status.h"

namespace synod::disk_fault {

/// A small ext4 file system in a file, mounted for as long as this object lives.
///
/// What runs that were killed left mounted below the suites' work directory is unmounted by the
/// next one. Needs the rights to mount.
/// Threads: externally synchronized. REQUIRES: destroyed after the processes that use it.
class LoopDisk {
 public:
  LoopDisk() = default;
  ~LoopDisk();
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  base::Status mount(const std::filesystem::path& image, const std::filesystem::path& point,
                     int mebibytes);
  /// Takes what is left, to the last byte.
  base::Status fill();
  void give_back();

 private:
  [[nodiscard]] std::filesystem::path filler() const { return point_ / "filler"; }

  std::filesystem::path image_;
  std::filesystem::path point_;
};

}  // namespace synod::disk_fault
