// SPDX-License-Identifier: Apache-2.0
#include "core/recent_writes.h"

#include "base/assert.h"
#include "base/plant.h"

namespace synod::core {
namespace {

std::uint64_t key_prefix(base::BytesView key) {
  char padded[8] = {};
  key.copy(padded, sizeof padded);
  return base::load_be64(padded);
}

}  // namespace

void RecentWrites::add(Version applied, Version written, const KeyNode& node) {
  if (head_ - tail_ == kCapacity) {
    covered_from_ = at(tail_).applied;
    ++tail_;
  }
  ring_[head_ & (kCapacity - 1)] =
      Write{applied, written, key_prefix(node.key()), node.ns(), node.space(), &node};
  ++head_;
}

std::uint64_t RecentWrites::first_after(Version after) const {
  std::uint64_t low = tail_;
  std::uint64_t high = head_;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const bool is_after = SYNOD_PLANT("ring_off_by_one") ? at(middle).applied > after.next()
                                                         : at(middle).applied > after;
    if (is_after) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

std::size_t RecentWrites::count_after(Version after) const {
  SYNOD_ASSERT(after >= covered_from_, "W1");
  return static_cast<std::size_t>(head_ - first_after(after));
}

bool RecentWrites::touched(NamespaceId ns, Space space, base::BytesView begin, base::BytesView end,
                           Version after) const {
  SYNOD_ASSERT(after >= covered_from_, "W1");
  const std::uint64_t begin_prefix = key_prefix(begin);
  const std::uint64_t end_prefix = end.empty() ? UINT64_MAX : key_prefix(end);
  for (std::uint64_t i = first_after(after); i < head_; ++i) {
    const Write& write = at(i);
    if (write.written <= after || write.ns != ns || write.space != space) continue;  // W2
    if (write.prefix < begin_prefix || write.prefix > end_prefix) continue;
    const base::BytesView key = write.node->key();
    if (key >= begin && (end.empty() || key < end)) return true;
  }
  return false;
}

void RecentWrites::reset(Version version) {
  tail_ = head_;
  covered_from_ = version;
}

}  // namespace synod::core
