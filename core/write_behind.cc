// SPDX-License-Identifier: Apache-2.0
#include "core/write_behind.h"

#include <algorithm>

#include "base/siphash.h"

namespace synod::core {
namespace {

std::uint64_t row_bytes(const base::Bytes& key, const std::optional<base::Bytes>& value) {
  return key.size() + (value ? value->size() : 0);
}

}  // namespace

std::size_t WriteBehind::RowKeyHash::operator()(const base::Bytes& key) const {
  static const base::SipKey sip_key = base::random_sip_key();
  return static_cast<std::size_t>(base::siphash13(sip_key, key));
}

void WriteBehind::put_row(base::Bytes key, base::Bytes value) {
  open_.push_back({std::move(key), std::move(value)});
}

void WriteBehind::erase_row(base::Bytes key) { open_.push_back({std::move(key), std::nullopt}); }

void WriteBehind::seal(LogIndex index, Version version) {
  const std::lock_guard lock(mutex_);
  for (auto& row : open_) {
    sealed_bytes_ += row_bytes(row.key, row.value);
    const auto [slot, is_new] = sealed_.try_emplace(std::move(row.key));
    if (!is_new) sealed_bytes_ -= row_bytes(slot->first, slot->second);
    slot->second = std::move(row.value);
  }
  open_.clear();
  last_ = index;
  version_ = version;
}

WriteBehind::Batch WriteBehind::take() {
  SealedRows taken;
  Batch batch;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(sealed_);
    sealed_bytes_ = 0;
    batch.last = last_;
    batch.version = version_;
    last_ = LogIndex(0);
  }
  batch.rows.puts.reserve(taken.size());
  while (!taken.empty()) {
    auto row = taken.extract(taken.begin());
    batch.rows.puts.push_back({std::move(row.key()), std::move(row.mapped())});
  }
  // Sorted keys make the backend's inserts cheap and the batch independent of hashing.
  std::sort(batch.rows.puts.begin(), batch.rows.puts.end(),
            [](const Row& a, const Row& b) { return a.key < b.key; });
  return batch;
}

std::uint64_t WriteBehind::bytes() const {
  const std::lock_guard lock(mutex_);
  return sealed_bytes_;
}

}  // namespace synod::core
