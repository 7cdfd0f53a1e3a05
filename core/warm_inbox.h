// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "core/types.h"

namespace synod::core {

/// Values that readers fetched from the backend, on their way back to the writer, which alone
/// changes the tables. Bounded: what does not fit is forgotten, for the next reader fetches it
/// again.
///
/// Owned by TransactionalKvDatabase. Threads: any.
class WarmInbox {
 public:
  struct Value {
    NamespaceId ns{0};
    Space space{0};
    base::Bytes key;
    Version version{0};  ///< Of the cold record whose value this is.
    base::Bytes value;
  };

  explicit WarmInbox(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  void offer(Value value);
  [[nodiscard]] bool is_empty() const { return bytes_.load(std::memory_order_relaxed) == 0; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  /// All of them, oldest first.
  [[nodiscard]] std::vector<Value> take();

 private:
  const std::uint64_t bytes_max_;
  std::mutex mutex_;
  std::vector<Value> values_;
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace synod::core
