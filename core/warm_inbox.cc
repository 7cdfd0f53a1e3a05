// SPDX-License-Identifier: Apache-2.0
#include "core/warm_inbox.h"

#include <utility>

namespace synod::core {

void WarmInbox::offer(Value value) {
  const std::uint64_t cost = sizeof(Value) + value.key.size() + value.value.size();
  const std::lock_guard lock(mutex_);
  if (bytes_.load(std::memory_order_relaxed) + cost > bytes_max_) return;
  bytes_.fetch_add(cost, std::memory_order_relaxed);
  values_.push_back(std::move(value));
}

std::vector<WarmInbox::Value> WarmInbox::take() {
  std::vector<Value> taken;
  const std::lock_guard lock(mutex_);
  taken.swap(values_);
  bytes_.store(0, std::memory_order_relaxed);
  return taken;
}

}  // namespace synod::core
