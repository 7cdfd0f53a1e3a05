// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "core/types.h"

namespace synod::core {

/// Values that readers fetched from the backend, on their way back to the writer, which alone
/// changes the tables. Each at most once. Bounded: what does not fit is forgotten, for the next
/// reader fetches it again; but into an empty inbox one value fits whatever its size.
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
  /// Up to so many of them.
  [[nodiscard]] std::vector<Value> take(std::size_t values_max);
  /// The value of one cold record, if it is here.
  [[nodiscard]] std::optional<base::Bytes> take_one(const KeyRef& ref, Version version);

 private:
  struct Id {
    NamespaceId ns;
    Space space;
    base::Bytes key;
    Version version;
    auto operator<=>(const Id&) const = default;
  };
  /// REQUIRES: the mutex is held.
  void forget_cost(const Id& id, const base::Bytes& value);

  const std::uint64_t bytes_max_;
  std::mutex mutex_;
  std::map<Id, base::Bytes> values_;
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace synod::core
