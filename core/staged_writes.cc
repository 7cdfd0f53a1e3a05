// SPDX-License-Identifier: Apache-2.0
#include "core/staged_writes.h"

namespace synod::core {
namespace {
constexpr std::size_t kAbsent = SIZE_MAX;
}  // namespace

std::size_t StagedWrites::position(const KeyRef& ref) const {
  if (writes_.size() > kLinearMax) {
    const auto found = index_.find(ref);
    return found == index_.end() ? kAbsent : found->second;
  }
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    if (writes_[i].key == ref) return i;
  }
  return kAbsent;
}

const StagedWrites::Write* StagedWrites::find(const KeyRef& ref) const {
  const std::size_t at = position(ref);
  return at == kAbsent ? nullptr : &writes_[at];
}

StagedWrites::Write& StagedWrites::write_for(const KeyRef& ref) {
  const std::size_t at = position(ref);
  if (at != kAbsent) return writes_[at];
  writes_.push_back(Write{ref, false, {}, TimeMs(0)});
  if (writes_.size() == kLinearMax + 1) {
    for (std::size_t i = 0; i < writes_.size(); ++i) index_.emplace(writes_[i].key, i);
  } else if (writes_.size() > kLinearMax) {
    index_.emplace(writes_.back().key, writes_.size() - 1);
  }
  return writes_.back();
}

void StagedWrites::put(const KeyRef& ref, base::BytesView value, TimeMs expiry) {
  Write& write = write_for(ref);
  write.is_delete = false;
  write.value = value;
  write.expiry = expiry;
}

void StagedWrites::erase(const KeyRef& ref) {
  Write& write = write_for(ref);
  write.is_delete = true;
  write.value = {};
  write.expiry = TimeMs(0);
}

std::size_t StagedWrites::erase_range(NamespaceId ns, Space space, base::BytesView begin,
                                      base::BytesView end) {
  std::size_t erased = 0;
  const auto inside = [&](const KeyRef& key) {
    return key.ns == ns && key.space == space && key.key >= begin && (end.empty() || key.key < end);
  };
  const auto erase_write = [&](Write& write) {
    if (write.is_delete) return;
    write.is_delete = true;
    write.value = {};
    write.expiry = TimeMs(0);
    ++erased;
  };
  if (writes_.size() > kLinearMax) {
    const KeyRef first{ns, space, begin};
    for (auto it = index_.lower_bound(first); it != index_.end() && inside(it->first); ++it) {
      erase_write(writes_[it->second]);
    }
  } else {
    for (auto& write : writes_) {
      if (inside(write.key)) erase_write(write);
    }
  }
  return erased;
}

}  // namespace synod::core
