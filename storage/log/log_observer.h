// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace synod::storage {

/// Who wants to know what a log writes. Threads: that of `append` and `sync`; must not wait.
class LogObserver {
 public:
  virtual ~LogObserver() = default;
  /// A frame was written, of so many bytes with its padding.
  virtual void on_append(std::uint64_t bytes) = 0;
  virtual void on_sync_begins() = 0;
  /// Not called if the sync failed.
  virtual void on_sync_ends() = 0;
};

}  // namespace synod::storage
