// SPDX-License-Identifier: Apache-2.0
#include "tests/history/unknown_placement.h"

#include <algorithm>

namespace synod::history {

UnknownPlacement::UnknownPlacement(const std::vector<Operation>& operations,
                                   const std::map<std::int64_t, const Operation*>& commits) {
  find_candidates(operations);
  if (candidates_.empty()) return;
  std::set<std::int64_t> taken;
  for (const auto& [version, op] : commits) {
    taken.insert(version);
    for (const MicroOp& step : op->ops) {
      if (step.writes()) writes_[step.key].insert(version);
    }
  }
  for (const Operation& op : operations) {
    if (op.outcome != Outcome::kNotApplied && op.read_version.has_value()) note_reads(op);
  }
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.until < b.until; });
  for (const Candidate& candidate : candidates_) {
    if (candidate.until == 0) continue;
    std::int64_t version = candidate.after + 1;
    while (taken.contains(version)) ++version;
    taken.insert(version);
    // Past `until` there was no room: the readers will be found wrong, which the doubt covers.
    placed_.emplace_back(version, candidate.op);
    for (const MicroOp& step : candidate.op->ops) {
      if (step.writes()) doubtful_.insert(step.key);
    }
  }
}

void UnknownPlacement::find_candidates(const std::vector<Operation>& operations) {
  for (const Operation& op : operations) {
    if (op.outcome != Outcome::kUnknown || op.commit_version.has_value() || !op.writes()) continue;
    for (const MicroOp& step : op.ops) {
      if (!step.writes()) continue;
      unknown_.insert(step.key);
      const bool named =
          step.value.has_value() && (step.kind == OpKind::kWrite || step.kind == OpKind::kAppend);
      if (named) {
        by_value_.emplace(std::pair(step.key, *step.value), candidates_.size());
      } else {
        doubtful_.insert(step.key);
      }
    }
    candidates_.push_back({&op, op.read_version.value_or(0), 0});
  }
}

void UnknownPlacement::note_reads(const Operation& reader) {
  for (const MicroOp& step : reader.ops) {
    if (step.kind == OpKind::kRead && step.is_list) {
      for (const std::string_view element : list_of(step.value)) {
        note_read(reader, step.key, base::Bytes(element));
      }
    } else if (step.kind == OpKind::kRead && step.value.has_value()) {
      note_read(reader, step.key, *step.value);
    }
    if (step.kind == OpKind::kCas && step.swapped && step.expected.has_value()) {
      note_read(reader, step.key, *step.expected);
    }
    for (const Row& row : step.rows) {
      note_read(reader, row.key, row.value);
      if (row.value.find(',') == base::Bytes::npos) continue;
      for (const std::string_view element : list_elements(row.value)) {
        note_read(reader, row.key, base::Bytes(element));
      }
    }
  }
}

void UnknownPlacement::note_read(const Operation& reader, const base::Bytes& key,
                                 const base::Bytes& value) {
  const auto found = by_value_.find(std::pair(key, value));
  if (found == by_value_.end()) return;
  Candidate& candidate = candidates_[found->second];
  if (candidate.op == &reader) return;
  const std::int64_t version = *reader.read_version;
  candidate.until = candidate.until == 0 ? version : std::min(candidate.until, version);
  const auto writes = writes_.find(key);
  if (writes == writes_.end()) return;
  // A plain value was overwritten by no write the reader could see; of a list that says nothing.
  const bool plain = std::any_of(
      candidate.op->ops.begin(), candidate.op->ops.end(),
      [&](const MicroOp& step) { return step.kind == OpKind::kWrite && step.key == key; });
  auto above = writes->second.upper_bound(version);
  if (plain && above != writes->second.begin()) {
    candidate.after = std::max(candidate.after, *std::prev(above));
  }
}

}  // namespace synod::history
