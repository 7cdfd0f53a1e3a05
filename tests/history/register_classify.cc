// SPDX-License-Identifier: Apache-2.0
//
// Names for what is wrong with a register. The search has proved that something is; here simple
// patterns of two or three operations are looked for, each of which is a proof by itself.
#include <algorithm>

#include "tests/history/register_search.h"

namespace synod::history {
namespace {

constexpr std::size_t kLookedAt = 100;

bool before(const RegisterOp& a, const RegisterOp& b) { return a.completed < b.invoked; }

/// What the operation found in the register, if that is one certain value.
bool found(const RegisterOp& op, ValueId& value) {
  if (!op.known) return false;
  if (op.kind == OpKind::kRead) value = op.value;
  if (op.kind == OpKind::kCas && op.swapped) value = op.expected;
  return op.kind == OpKind::kRead || (op.kind == OpKind::kCas && op.swapped);
}

/// It may have left this value behind.
bool may_leave(const RegisterOp& op, ValueId value) {
  if (op.kind == OpKind::kRead) return false;
  if (op.kind == OpKind::kCas && op.known && !op.swapped) return false;
  return op.value == value;
}

bool surely_writes(const RegisterOp& op) {
  return op.known && op.kind != OpKind::kRead && (op.kind != OpKind::kCas || op.swapped);
}

class Classifier {
 public:
  Classifier(const std::vector<RegisterOp>& ops, const std::vector<Operation>& failed)
      : ops_(ops), failed_(failed) {}

  /// The pattern at one operation, or "".
  [[nodiscard]] std::string at(const RegisterOp& op) const {
    if (op.kind == OpKind::kCas && op.known && !op.swapped) return wrong_refusal(op);
    ValueId value = kMissing;
    if (!found(op, value)) return "";
    if (value != kMissing) {
      const std::string source = without_source(op, value);
      if (!source.empty()) return source;
    }
    if (double_cas(op, value)) return "double-cas";
    const RegisterOp* hider = overwritten(op, value);
    if (hider != nullptr) {
      if (hider->kind == OpKind::kDelete) return "resurrected-key";
      return value == kMissing ? "lost-write" : "stale-read";
    }
    return inverted(op, value) ? "read-inversion" : "";
  }

 private:
  /// Nobody can have written the value in time.
  [[nodiscard]] std::string without_source(const RegisterOp& op, ValueId value) const {
    bool written = false;
    for (const RegisterOp& other : ops_) {
      if (&other == &op || !may_leave(other, value)) continue;
      written = true;
      if (other.invoked < op.completed) return "";
    }
    if (written) return "read-from-future";
    const MicroOp& step = op.source->ops[0];
    const auto& seen = op.kind == OpKind::kCas ? step.expected : step.value;
    const bool from_failed = std::any_of(failed_.begin(), failed_.end(), [&](const Operation& o) {
      return o.ops[0].writes() && o.ops[0].kind != OpKind::kDelete && o.ops[0].value == seen;
    });
    return from_failed ? "failed-write-visible" : "value-never-written";
  }

  /// A write that certainly lies between every writing of `value` and `op`.
  [[nodiscard]] const RegisterOp* overwritten(const RegisterOp& op, ValueId value) const {
    const auto writers = writers_of(value, op);
    for (const RegisterOp& hider : ops_) {
      if (!surely_writes(hider) || hider.value == value || !before(hider, op)) continue;
      const bool all_before =
          std::all_of(writers.begin(), writers.end(), [&](const RegisterOp* writer) {
            return before(*writer, hider) || writer->invoked > op.completed;
          });
      if (all_before) return &hider;
    }
    return nullptr;
  }

  [[nodiscard]] std::vector<const RegisterOp*> writers_of(ValueId value,
                                                          const RegisterOp& except) const {
    std::vector<const RegisterOp*> writers;
    for (const RegisterOp& writer : ops_) {
      if (&writer != &except && may_leave(writer, value)) writers.push_back(&writer);
    }
    return writers;
  }

  /// Two swaps took away the same value, which came only once.
  [[nodiscard]] bool double_cas(const RegisterOp& op, ValueId value) const {
    if (op.kind != OpKind::kCas) return false;
    const auto writers = std::count_if(
        ops_.begin(), ops_.end(), [&](const RegisterOp& other) { return may_leave(other, value); });
    const auto takers = std::count_if(ops_.begin(), ops_.end(), [&](const RegisterOp& other) {
      return other.kind == OpKind::kCas && other.known && other.swapped &&
             other.expected == value && other.value != value;
    });
    return takers > writers + (value == kMissing ? 1 : 0);
  }

  /// Somebody saw a later value before `op` began.
  [[nodiscard]] bool inverted(const RegisterOp& op, ValueId value) const {
    const auto writers = writers_of(value, op);
    for (const RegisterOp& other : ops_) {
      ValueId newer = kMissing;
      if (!found(other, newer) || newer == value || !before(other, op)) continue;
      // Every writing of `value` ended before `newer` can have come.
      bool older = true;
      for (const RegisterOp* writer : writers) {
        older = older && std::all_of(ops_.begin(), ops_.end(), [&](const RegisterOp& next) {
                  return !may_leave(next, newer) || before(*writer, next);
                });
      }
      if (older && newer != kMissing) return true;
    }
    return false;
  }

  /// The value was the expected one during the whole of `op`.
  [[nodiscard]] std::string wrong_refusal(const RegisterOp& op) const {
    for (const RegisterOp& writer : ops_) {
      if (!surely_writes(writer) || writer.value != op.expected || !before(writer, op)) continue;
      const bool undisturbed = std::all_of(ops_.begin(), ops_.end(), [&](const RegisterOp& other) {
        if (&other == &writer || other.kind == OpKind::kRead) return true;
        if (other.kind == OpKind::kCas && other.known && !other.swapped) return true;
        return before(other, writer) || other.invoked > op.completed;
      });
      if (undisturbed) return "wrong-cas-refusal";
    }
    return "";
  }

  const std::vector<RegisterOp>& ops_;
  const std::vector<Operation>& failed_;
};

}  // namespace

std::optional<std::uint32_t> find_without_source(const std::vector<RegisterOp>& ops,
                                                 const std::vector<Operation>& failed,
                                                 std::string& anomaly) {
  // The two earliest writings of each value: an operation is no source of its own.
  struct Earliest {
    std::uint32_t op = UINT32_MAX;
    std::int64_t first = Operation::kNever;
    std::int64_t second = Operation::kNever;
  };
  std::vector<Earliest> earliest;
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    const ValueId value = ops[i].value;
    if (value >= earliest.size()) earliest.resize(value + 1);
    if (!may_leave(ops[i], value)) continue;
    Earliest& of = earliest[value];  // ops come in order of invocation
    if (of.first == Operation::kNever) {
      of = {i, ops[i].invoked, Operation::kNever};
    } else {
      of.second = std::min(of.second, ops[i].invoked);
    }
  }
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    ValueId value = kMissing;
    if (!found(ops[i], value) || value == kMissing) continue;
    const Earliest of = value < earliest.size() ? earliest[value] : Earliest();
    if ((of.op == i ? of.second : of.first) < ops[i].completed) continue;
    anomaly = Classifier(ops, failed).at(ops[i]);
    return i;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> find_pattern(const std::vector<RegisterOp>& ops,
                                          const std::vector<Operation>& failed,
                                          std::string& anomaly) {
  const Classifier all(ops, failed);
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    anomaly = all.at(ops[i]);
    if (!anomaly.empty()) return i;
  }
  return std::nullopt;
}

std::string classify(const std::vector<RegisterOp>& ops, const std::vector<Operation>& failed,
                     std::uint32_t stuck) {
  // Patterns are looked for among what had begun when the search stuck; the stuck one goes first.
  std::vector<RegisterOp> begun;
  for (const RegisterOp& op : ops) {
    if (op.invoked <= ops[stuck].completed) begun.push_back(op);
  }
  const Classifier all(ops, failed);
  const Classifier some(begun, failed);
  std::string name = all.at(ops[stuck]);
  const std::size_t looked_at = std::min(begun.size(), kLookedAt);
  for (std::size_t i = 0; name.empty() && i < looked_at; ++i) {
    name = some.at(begun[begun.size() - 1 - i]);
  }
  return name.empty() ? "not-linearizable" : name;
}

}  // namespace synod::history
