// SPDX-License-Identifier: Apache-2.0
#include "tests/history/replay_state.h"

#include <cstdlib>

#include "base/assert.h"

namespace synod::history {

std::optional<base::Bytes> ReplayState::View::get(const base::Bytes& key) const {
  const auto own = writes_.find(key);
  if (own != writes_.end()) return own->second;
  const auto stored = state_.rows_.find(key);
  if (stored == state_.rows_.end()) return std::nullopt;
  return stored->second;
}

std::vector<Row> ReplayState::View::range(const MicroOp& op) const {
  std::vector<Row> rows;
  auto own = writes_.lower_bound(op.key);
  auto stored = state_.rows_.lower_bound(op.key);
  const auto inside = [&](const base::Bytes& key) { return op.end.empty() || key < op.end; };
  for (;;) {
    if (op.limit != 0 && rows.size() >= op.limit) return rows;
    const bool has_own = own != writes_.end() && inside(own->first);
    const bool has_stored = stored != state_.rows_.end() && inside(stored->first);
    if (!has_own && !has_stored) return rows;
    if (has_own && (!has_stored || own->first <= stored->first)) {
      if (has_stored && own->first == stored->first) ++stored;
      if (own->second.has_value()) rows.push_back({own->first, *own->second});
      ++own;
      continue;
    }
    rows.push_back({stored->first, stored->second});
    ++stored;
  }
}

void ReplayState::View::write(const MicroOp& op) {
  switch (op.kind) {
    case OpKind::kWrite:
      writes_[op.key] = op.value;
      return;
    case OpKind::kDelete:
      writes_[op.key] = std::nullopt;
      return;
    case OpKind::kCas:
      if (op.swapped) writes_[op.key] = op.value;
      return;
    case OpKind::kAppend:
      writes_[op.key] = list_with(get(op.key), *op.value);
      return;
    case OpKind::kIncrement: {
      const long long sum =
          std::atoll(get(op.key).value_or("0").c_str()) + std::atoll(op.value->c_str());
      writes_[op.key] = std::to_string(sum);
      return;
    }
    case OpKind::kRead:
    case OpKind::kRange:
      break;
  }
  SYNOD_ASSERT(false, "only steps that write come here");
}

void ReplayState::apply(const View& view) {
  for (const auto& [key, value] : view.writes()) {
    if (value.has_value()) {
      rows_.insert_or_assign(key, *value);
    } else {
      rows_.erase(key);
    }
  }
}

}  // namespace synod::history
