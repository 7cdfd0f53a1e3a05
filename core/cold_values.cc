// SPDX-License-Identifier: Apache-2.0
#include "core/cold_values.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"
#include "core/state/rows.h"

namespace synod::core {
namespace {
constexpr Version kNoVersion(INT64_MAX);
}  // namespace

base::Status ColdValues::hold(Version covered, const storage::StorageBackend& backend) {
  auto snapshot = backend.snapshot();
  if (snapshot.ok()) {
    add(covered, std::move(*snapshot));
  } else if (snapshot.status().code() == base::StatusCode::kUnsupported) {
    base::log_warning("core", "values stay in memory: " + snapshot.status().to_string());
    give_up();
  } else {
    return snapshot.status();
  }
  return {};
}

void ColdValues::add(Version covered, std::shared_ptr<const storage::BackendSnapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  SYNOD_ASSERT(held_.empty() || held_.back().covered <= covered, "CV1");
  held_.push_back({covered, std::move(snapshot)});
  covered_.store(covered.value(), std::memory_order_release);
}

void ColdValues::release() {
  std::vector<Held> released;  // Their end may take the engine's lock: not under ours.
  const std::lock_guard lock(mutex_);
  const Version floor = floor_.value();
  while (held_.size() > 1 && held_[1].covered <= floor) {  // CV2
    released.push_back(std::move(held_.front()));
    held_.pop_front();
  }
}

std::size_t ColdValues::held() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

ColdValues::Held ColdValues::newest_in(Version from, Version below) const {
  const std::lock_guard lock(mutex_);
  const auto end = std::lower_bound(
      held_.begin(), held_.end(), below,
      [](const Held& held, const Version& version) { return held.covered < version; });
  if (end == held_.begin() || std::prev(end)->covered < from) return {};
  return *std::prev(end);
}

base::Result<std::optional<base::Bytes>> ColdValues::fetch(const KeyRef& ref,
                                                           const ColdTicket& ticket,
                                                           const StateHasher& hasher) const {
  const Version superseded = ticket.superseded.value_or(kNoVersion);
  SYNOD_ASSIGN_OR_RETURN(auto found, fetch_in(ref, ticket, hasher, ticket.version, superseded));
  if (found || !ticket.superseded) return found;
  // The tombstone of a sweep is written later than its version says: up to there even a snapshot
  // at or above that version holds the record.
  return fetch_in(ref, ticket, hasher, superseded, kNoVersion);
}

/// From the newest snapshot to the oldest: a newer one may hold what superseded the record since.
base::Result<std::optional<base::Bytes>> ColdValues::fetch_in(const KeyRef& ref,
                                                              const ColdTicket& ticket,
                                                              const StateHasher& hasher,
                                                              Version from, Version below) const {
  const base::Bytes row_key = entry_row_key(ref);
  for (Held held = newest_in(from, below); held.snapshot != nullptr;
       held = newest_in(from, held.covered)) {
    SYNOD_ASSIGN_OR_RETURN(const auto stored, held.snapshot->get(row_key));
    if (!stored) continue;
    SYNOD_ASSIGN_OR_RETURN(EntryRow row, parse_entry_row_value(*stored));
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
