// SPDX-License-Identifier: Apache-2.0
#include "core/warm_inbox.h"

#include <utility>

namespace synod::core {
namespace {

std::uint64_t cost_of(const base::Bytes& key, const base::Bytes& value) {
  return sizeof(WarmInbox::Value) + key.size() + value.size();
}

}  // namespace

void WarmInbox::offer(Value value) {
  const std::uint64_t cost = cost_of(value.key, value.value);
  const std::lock_guard lock(mutex_);
  if (!values_.empty() && bytes_.load(std::memory_order_relaxed) + cost > bytes_max_) return;
  Id id{value.ns, value.space, std::move(value.key), value.version};
  if (!values_.try_emplace(std::move(id), std::move(value.value)).second) return;
  bytes_.fetch_add(cost, std::memory_order_relaxed);
}

void WarmInbox::forget_cost(const Id& id, const base::Bytes& value) {
  bytes_.fetch_sub(cost_of(id.key, value), std::memory_order_relaxed);
}

std::vector<WarmInbox::Value> WarmInbox::take(std::size_t values_max) {
  std::vector<Value> taken;
  const std::lock_guard lock(mutex_);
  while (!values_.empty() && taken.size() < values_max) {
    auto node = values_.extract(values_.begin());
    forget_cost(node.key(), node.mapped());
    taken.push_back({node.key().ns, node.key().space, std::move(node.key().key), node.key().version,
                     std::move(node.mapped())});
  }
  return taken;
}

std::optional<base::Bytes> WarmInbox::take_one(const KeyRef& ref, Version version) {
  const std::lock_guard lock(mutex_);
  const auto found = values_.find(Id{ref.ns, ref.space, base::Bytes(ref.key), version});
  if (found == values_.end()) return std::nullopt;
  forget_cost(found->first, found->second);
  auto node = values_.extract(found);
  return std::move(node.mapped());
}

}  // namespace synod::core
