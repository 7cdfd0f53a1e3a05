// SPDX-License-Identifier: Apache-2.0
#include "consensus/runtime/apply_backlog.h"

#include <algorithm>
#include <variant>

#include "base/assert.h"

namespace synod::consensus {
namespace {

/// Drops entries of slots behind `last`.
void shorten(std::vector<Entry>& entries, Slot first, Slot last) {
  const std::uint64_t room = last < first ? 0 : last.value() - first.value() + 1;
  if (entries.size() > room) entries.resize(room);
}

}  // namespace

void ApplyBacklog::on_handed_over(const std::vector<Delivery>& deliveries) {
  for (const Delivery& each : deliveries) {
    const std::size_t bytes = each.entry.bytes();
    waiting_.emplace_back(each.slot, bytes);
    bytes_ += bytes;
  }
  is_full_ = is_full_ || bytes_ >= bytes_max_;
}

void ApplyBacklog::on_executed(Slot through) {
  while (!waiting_.empty() && waiting_.front().first <= through) {
    SYNOD_ASSERT(bytes_ >= waiting_.front().second, "W3: bytes add up");
    bytes_ -= waiting_.front().second;
    waiting_.pop_front();
  }
  is_full_ = is_full_ && bytes_ > bytes_max_ / 2;
}

void ApplyBacklog::limit(Message& message, const Acceptor& acceptor) const {
  if (!is_full_) return;
  const Slot last = acceptor.log().last();
  if (auto* accept = std::get_if<Accept>(&message)) {
    shorten(accept->entries, accept->first, last);
    // No gap is reported for what would not be taken: the leader would send it at once, again.
    const bool is_behind_all = accept->entries.empty() && accept->first > last;
    if (is_behind_all) accept->first = std::min(accept->first, acceptor.through().next());
  } else if (auto* heartbeat = std::get_if<Heartbeat>(&message)) {
    heartbeat->last = std::min(heartbeat->last, last);
  } else if (auto* entries = std::get_if<Entries>(&message)) {
    shorten(entries->entries, entries->low, last);
  }
}

}  // namespace synod::consensus
