// SPDX-License-Identifier: Apache-2.0
#include "core/cold_values.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "core/state/rows.h"

namespace synod::core {

void ColdValues::add(Version covered, std::shared_ptr<const storage::BackendSnapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  SYNOD_ASSERT(held_.empty() || held_.back().covered <= covered, "CV1");
  held_.push_back({covered, std::move(snapshot)});
  covered_.store(covered.value(), std::memory_order_release);
}

void ColdValues::release_below(Version floor) {
  std::vector<Held> released;  // Their end may take the engine's lock: not under ours.
  const std::lock_guard lock(mutex_);
  while (held_.size() > 1 && held_[1].covered <= floor) {  // CV2
    released.push_back(std::move(held_.front()));
    held_.pop_front();
  }
}

std::size_t ColdValues::held() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

std::vector<ColdValues::Held> ColdValues::candidates(const ColdTicket& ticket) const {
  const std::lock_guard lock(mutex_);
  std::vector<Held> newest_first;
  std::for_each(held_.rbegin(), held_.rend(), [&](const Held& held) {
    if (held.covered >= ticket.version) newest_first.push_back(held);
  });
  if (!ticket.superseded) return newest_first;
  // Those that may lack it come last: a sweep writes a tombstone later than its version says, so
  // that even they may hold the record.
  std::stable_partition(newest_first.begin(), newest_first.end(),
                        [&](const Held& held) { return held.covered < *ticket.superseded; });
  return newest_first;
}

base::Result<std::optional<base::Bytes>> ColdValues::fetch(const KeyRef& ref,
                                                           const ColdTicket& ticket,
                                                           const StateHasher& hasher) const {
  const base::Bytes row_key = entry_row_key(ref);
  for (const Held& held : candidates(ticket)) {
    SYNOD_ASSIGN_OR_RETURN(const auto stored, held.snapshot->get(row_key));
    if (!stored) continue;
    SYNOD_ASSIGN_OR_RETURN(const EntryRow row, parse_entry_row_value(*stored));
    if (row.header.version != ticket.version) continue;
    if (row.header.digest != ticket.digest || hasher.digest(row.value) != ticket.digest) {
      return base::Status(base::StatusCode::kCorruption,
                          base::concat("the stored value of ", base::escape(ref.key),
                                       " does not match its digest"));
    }
    return std::optional<base::Bytes>(base::Bytes(row.value));
  }
  return std::optional<base::Bytes>();
}

}  // namespace synod::core
