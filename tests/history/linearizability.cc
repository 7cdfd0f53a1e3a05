// SPDX-License-Identifier: Apache-2.0
#include "tests/history/linearizability.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

#include "base/text.h"
#include "tests/history/register_search.h"

namespace synod::history {
namespace {

constexpr std::size_t kPlacedShown = 12;
constexpr std::size_t kPendingShown = 12;

/// Everything that happened to one key.
struct KeyHistory {
  std::vector<RegisterOp> ops;
  std::vector<Operation> failed;
  std::unordered_map<std::string, ValueId> ids;
  std::vector<std::string> names{"(missing)"};

  ValueId id(const std::optional<base::Bytes>& value) {
    if (!value.has_value()) return kMissing;
    const auto [found, fresh] = ids.emplace(*value, static_cast<ValueId>(names.size()));
    if (fresh) names.push_back(base::escape(*value));
    return found->second;
  }
};

bool is_register_operation(const Operation& op) {
  if (op.ops.size() != 1) return false;
  const OpKind kind = op.ops[0].kind;
  return kind == OpKind::kRead || kind == OpKind::kWrite || kind == OpKind::kDelete ||
         kind == OpKind::kCas;
}

void add_operation(std::map<base::Bytes, KeyHistory>& keys, const Operation& source) {
  const MicroOp& step = source.ops[0];
  KeyHistory& history = keys[step.key];
  if (source.outcome == Outcome::kNotApplied) {
    history.failed.push_back(source);
    return;
  }
  const bool known = source.outcome == Outcome::kApplied;
  if (step.kind == OpKind::kRead && (!known || !step.seen)) return;  // says nothing
  RegisterOp op;
  op.kind = step.kind;
  op.value = step.kind == OpKind::kDelete ? kMissing : history.id(step.value);
  op.expected = history.id(step.expected);
  op.swapped = step.swapped;
  op.known = known;
  op.invoked = source.invoked;
  op.completed = known ? source.completed : Operation::kNever;
  op.source = &source;
  history.ops.push_back(op);
}

/// Drops unknown writes of values that nobody ever saw. A refused cas sees that the value is not
/// the expected one, so with one of those every write may matter.
void drop_unseen(std::vector<RegisterOp>& ops, std::size_t values) {
  std::vector<bool> seen(values);
  for (const RegisterOp& op : ops) {
    if (op.kind == OpKind::kRead) seen[op.value] = true;
    if (op.kind != OpKind::kCas) continue;
    if (op.known && !op.swapped) return;
    seen[op.expected] = true;
  }
  std::erase_if(ops, [&](const RegisterOp& op) { return !op.known && !seen[op.value]; });
}

std::string counterexample(const base::Bytes& key, const KeyHistory& history,
                           const RegisterSearch& search) {
  const auto& placed = search.longest();
  ValueId value = kMissing;
  std::vector<bool> is_placed(history.ops.size());
  for (const std::uint32_t i : placed) {
    is_placed[i] = true;
    const RegisterOp& op = history.ops[i];
    if (op.kind == OpKind::kWrite || op.kind == OpKind::kDelete) value = op.value;
    if (op.kind == OpKind::kCas && (op.swapped || !op.known)) value = op.value;
  }
  std::string text = base::concat("  key ", base::escape(key), ": the longest order found has ",
                                  placed.size(), " operations and ends with\n");
  const std::size_t from = placed.size() > kPlacedShown ? placed.size() - kPlacedShown : 0;
  for (std::size_t i = from; i < placed.size(); ++i) {
    text += base::concat("    ", history.ops[placed[i]].source->to_string(), "\n");
  }
  const RegisterOp& stuck = history.ops[search.stuck()];
  text +=
      base::concat("  then the value is ", history.names[value], ", and there is no place for\n",
                   "  > ", stuck.source->to_string(), "\n  also open at that time:\n");
  std::size_t shown = 0;
  for (std::size_t i = 0; i < history.ops.size() && shown < kPendingShown; ++i) {
    const RegisterOp& op = history.ops[i];
    if (is_placed[i] || i == search.stuck() || op.invoked > stuck.completed) continue;
    text += base::concat("    ", op.source->to_string(), "\n");
    ++shown;
  }
  if (shown == 0) text += "    nothing\n";
  return text;
}

/// What a finding says without the search: the pattern is the proof.
std::string pattern_text(const base::Bytes& key, const RegisterOp& op) {
  return base::concat("  key ", base::escape(key),
                      ": no order of all operations has a place for\n  > ", op.source->to_string());
}

/// Judges one key.
void check_key(const base::Bytes& key, KeyHistory& history, const LinearizabilityLimits& limits,
               base::Nanos deadline, Report& report) {
  std::string anomaly;
  const auto source = find_without_source(history.ops, history.failed, anomaly);
  if (source.has_value()) {
    report.add(anomaly, pattern_text(key, history.ops[*source]));
    return;
  }
  drop_unseen(history.ops, history.names.size());
  RegisterSearch search(history.ops, limits, deadline);
  const RegisterSearch::Result result = search.run();
  if (result == RegisterSearch::Result::kLinearizable) return;
  if (result == RegisterSearch::Result::kNot) {
    report.add(classify(history.ops, history.failed, search.stuck()),
               counterexample(key, history, search));
    return;
  }
  const auto pattern = find_pattern(history.ops, history.failed, anomaly);
  if (pattern.has_value()) {
    report.add(anomaly, pattern_text(key, history.ops[*pattern]));
    return;
  }
  report.undecided.push_back(base::concat("key ", base::escape(key), ": gave up after ",
                                          search.steps(), " steps on ", history.ops.size(),
                                          " operations"));
}

}  // namespace

Report check_linearizability(const std::vector<Operation>& operations,
                             const LinearizabilityLimits& limits) {
  Report report;
  std::map<base::Bytes, KeyHistory> keys;
  for (const Operation& op : operations) {
    if (!is_register_operation(op)) continue;
    ++report.checked;
    add_operation(keys, op);
  }
  const base::Nanos deadline =
      limits.clock == nullptr ? base::Nanos::max() : limits.clock->boot_time() + limits.time_max;
  for (auto& [key, history] : keys) check_key(key, history, limits, deadline, report);
  return report;
}

}  // namespace synod::history
