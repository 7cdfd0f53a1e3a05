// SPDX-License-Identifier: Apache-2.0
#include "tests/partition/staleness.h"

#include <algorithm>
#include <map>
#include <optional>

namespace synod::partition {
namespace {

using history::Event;
using history::MicroOp;
using history::Operation;
using history::OpKind;

/// One key as one step of an operation saw it.
struct Sight {
  std::int64_t invoked = 0;
  std::int64_t completed = 0;
  std::size_t step = 0;
  std::optional<std::size_t> row;  ///< Of a range; nullopt: a read of the key.
  base::Bytes value;
};

/// A sight and the older value that it is to have; nullopt: the key was not there yet.
struct Alteration {
  Sight sight;
  std::optional<base::Bytes> older;
};

using Sights = std::map<base::Bytes, std::vector<Sight>>;

Sights sights_of(const std::vector<Operation>& operations) {
  Sights sights;
  for (const Operation& op : operations) {
    if (op.outcome != history::Outcome::kApplied || op.pinned) continue;
    for (std::size_t i = 0; i < op.ops.size(); ++i) {
      const MicroOp& step = op.ops[i];
      if (!step.seen) continue;
      if (step.kind == OpKind::kRead && step.value) {
        sights[step.key].push_back({op.invoked, op.completed, i, std::nullopt, *step.value});
      }
      if (step.kind != OpKind::kRange || step.limit != 0) continue;
      for (std::size_t row = 0; row < step.rows.size(); ++row) {
        sights[step.rows[row].key].push_back(
            {op.invoked, op.completed, i, row, step.rows[row].value});
      }
    }
  }
  return sights;
}

/// The first sight in `sights`, from `begin` on, that began after `earlier` was complete.
std::size_t first_after(const std::vector<Sight>& sights, std::size_t begin, const Sight& earlier) {
  while (begin < sights.size() && sights[begin].invoked <= earlier.completed) ++begin;
  return begin;
}

void find_in_key(const std::vector<Sight>& sights, bool never_replaced,
                 std::vector<Alteration>& found) {
  for (std::size_t first = 0; first < sights.size();) {
    std::size_t newer = first_after(sights, first + 1, sights[first]);
    if (never_replaced) {
      if (newer < sights.size()) found.push_back({sights[newer], std::nullopt});
      return;
    }
    while (newer < sights.size() && sights[newer].value == sights[first].value) ++newer;
    if (newer == sights.size()) return;
    const std::size_t last = first_after(sights, newer + 1, sights[newer]);
    if (last == sights.size()) return;
    found.push_back({sights[last], sights[first].value});
    first = last;
  }
}

std::vector<Event> altered(std::vector<Event> events, const Alteration& alteration) {
  const Sight& sight = alteration.sight;
  MicroOp& step = events[static_cast<std::size_t>(sight.completed)].ops[sight.step];
  if (!sight.row) {
    step.value = alteration.older;
  } else if (alteration.older) {
    step.rows[*sight.row].value = *alteration.older;
  } else {
    step.rows.erase(step.rows.begin() + static_cast<std::ptrdiff_t>(*sight.row));
  }
  return events;
}

}  // namespace

base::Result<std::vector<std::vector<Event>>> made_stale(const std::vector<Event>& events,
                                                         std::size_t count) {
  SYNOD_ASSIGN_OR_RETURN(const std::vector<Operation> operations, history::operations_of(events));
  const bool is_set = !operations.empty() && operations.front().workload == "set";
  std::vector<Alteration> found;
  for (const auto& [key, sights] : sights_of(operations)) find_in_key(sights, is_set, found);
  std::vector<std::vector<Event>> made;
  const std::size_t stride =
      std::max<std::size_t>(1, found.size() / std::max<std::size_t>(1, count));
  for (std::size_t i = 0; i < found.size() && made.size() < count; i += stride) {
    made.push_back(altered(events, found[i]));
  }
  return made;
}

}  // namespace synod::partition
