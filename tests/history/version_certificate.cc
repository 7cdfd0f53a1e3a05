// SPDX-License-Identifier: Apache-2.0
#include "tests/history/version_certificate.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/text.h"
#include "tests/history/replay_state.h"
#include "tests/history/unknown_placement.h"

namespace synod::history {
namespace {

/// Goes through the commits and reads in version order. See check_version_certificate.
class Replay {
 public:
  Replay(const std::vector<Operation>& operations, Report& report)
      : operations_(operations), report_(report) {}

  void run() {
    gather();
    const UnknownPlacement unknown(operations_, versions_of_);
    for (const auto& [version, op] : unknown.placed()) commits_.emplace_back(version, op);
    doubtful_ = unknown.doubtful_keys();
    unknown_ = unknown.unknown_keys();
    const auto by_version = [](const Item& a, const Item& b) { return a.first < b.first; };
    std::stable_sort(commits_.begin(), commits_.end(), by_version);
    std::stable_sort(reads_.begin(), reads_.end(), by_version);
    auto read = reads_.begin();
    for (const auto& [version, op] : commits_) {
      for (; read != reads_.end() && read->first < version; ++read) {
        check(*read->second, false);
      }
      commit(*op);
    }
    for (; read != reads_.end(); ++read) check(*read->second, false);
  }

 private:
  using Item = std::pair<std::int64_t, const Operation*>;

  void gather() {
    for (const Operation& op : operations_) {
      if (op.outcome == Outcome::kNotApplied) {
        remember_failed(op);
        continue;
      }
      const bool known = op.outcome == Outcome::kApplied || op.commit_version.has_value();
      if (known && op.writes() && !is_refused_cas(op)) gather_commit(op);
      if (op.read_version.has_value()) reads_.emplace_back(*op.read_version, &op);
      ++report_.checked;
    }
  }

  static bool is_refused_cas(const Operation& op) {
    return std::all_of(op.ops.begin(), op.ops.end(), [](const MicroOp& step) {
      return !step.writes() || (step.kind == OpKind::kCas && !step.swapped);
    });
  }

  void gather_commit(const Operation& op) {
    if (!op.commit_version.has_value()) {
      report_.add("missing-version", base::concat("  ", op.to_string()));
      return;
    }
    const std::int64_t version = *op.commit_version;
    if (op.read_version.value_or(0) >= version) {  // V3
      report_.add("version-order",
                  base::concat("  commits at what it had read already:\n  ", op.to_string()));
    }
    const auto [other, fresh] = versions_of_.emplace(version, &op);
    if (!fresh) {  // V3
      report_.add("duplicate-version",
                  base::concat("  ", other->second->to_string(), "\n  ", op.to_string()));
      return;
    }
    commits_.emplace_back(version, &op);
  }

  void remember_failed(const Operation& op) {
    for (const MicroOp& step : op.ops) {
      if (step.kind == OpKind::kWrite) failed_[step.key].insert(step.value.value_or(""));
    }
  }

  void commit(const Operation& op) {
    if (op.read_version.has_value()) check(op, true);
    ReplayState::View view(state_);
    for (const MicroOp& step : op.ops) {
      if (!step.writes()) continue;
      view.write(step);
      last_writer_[step.key] = &op;
    }
    state_.apply(view);
  }

  /// V1 or, `at_commit`, V2.
  void check(const Operation& op, bool at_commit) {
    ReplayState::View view(state_);
    for (const MicroOp& step : op.ops) {
      if (step.kind == OpKind::kRange) {
        if (step.seen && view.range(step) != step.rows) wrong_range(op, step, view, at_commit);
      } else if (step.kind == OpKind::kRead || step.kind == OpKind::kCas) {
        check_point(op, step, view, at_commit);
        if (step.kind == OpKind::kCas) view.write(step);
      } else {
        view.write(step);
      }
    }
  }

  void check_point(const Operation& op, const MicroOp& step, const ReplayState::View& view,
                   bool at_commit) {
    if (!step.seen) return;
    const auto held = view.get(step.key);
    if (step.kind == OpKind::kCas) {
      if (step.swapped == (held == step.expected)) return;
      if (!step.swapped && unknown_.contains(step.key)) doubtful_.insert(step.key);
    } else if (held == step.value) {
      return;
    }
    const auto failed = failed_.find(step.key);
    const bool from_failed = step.kind == OpKind::kRead && step.value.has_value() &&
                             failed != failed_.end() && failed->second.contains(*step.value);
    wrong(op, step.key,
          from_failed ? "failed-write-visible"
          : at_commit ? "stale-commit"
                      : "wrong-read",
          base::concat("key ", base::escape(step.key), " held ",
                       held.has_value() ? base::escape(*held, 500) : "(missing)"),
          at_commit);
  }

  void wrong_range(const Operation& op, const MicroOp& step, const ReplayState::View& view,
                   bool at_commit) {
    std::string rows = "the range held {";
    base::Bytes doubtful = step.key;
    for (const Row& row : view.range(step)) {
      rows += base::concat(" ", base::escape(row.key), "=", base::escape(row.value));
    }
    const auto in_doubt = doubtful_.lower_bound(step.key);
    if (in_doubt != doubtful_.end() && (step.end.empty() || *in_doubt < step.end)) {
      doubtful = *in_doubt;
    }
    wrong(op, doubtful, at_commit ? "stale-range-commit" : "wrong-range", rows + " }", at_commit);
  }

  void wrong(const Operation& op, const base::Bytes& key, std::string anomaly,
             const std::string& what, bool at_commit) {
    std::string text =
        base::concat("  ", op.to_string(), "\n  but ",
                     at_commit ? "just before its commit " : "at its read version ", what);
    const auto writer = last_writer_.find(key);
    if (writer != last_writer_.end()) {
      text += base::concat("\n  last written by ", writer->second->to_string());
    }
    if (doubtful_.contains(key)) {
      report_.undecided.push_back("a write with an unknown outcome may explain:\n" + text);
    } else {
      report_.add(std::move(anomaly), std::move(text));
    }
  }

  const std::vector<Operation>& operations_;
  Report& report_;
  ReplayState state_;
  std::map<std::int64_t, const Operation*> versions_of_;
  std::vector<Item> commits_;
  std::vector<Item> reads_;
  std::set<base::Bytes> doubtful_;
  std::set<base::Bytes> unknown_;
  std::unordered_map<base::Bytes, std::set<base::Bytes>> failed_;
  std::unordered_map<base::Bytes, const Operation*> last_writer_;
};

/// V4.
void check_real_time(const std::vector<Operation>& operations, Report& report) {
  struct Moment {
    std::int64_t at;
    const Operation* op;
    bool begins;
  };
  struct Bound {
    std::int64_t version = 0;
    const Operation* by = nullptr;
  };
  std::vector<Moment> moments;
  for (const Operation& op : operations) {
    if (op.outcome == Outcome::kNotApplied) continue;
    moments.push_back({op.invoked, &op, true});
    if (op.outcome == Outcome::kApplied) moments.push_back({op.completed, &op, false});
  }
  std::sort(moments.begin(), moments.end(),
            [](const Moment& a, const Moment& b) { return a.at < b.at; });
  Bound committed;
  Bound read;
  const auto raise = [](Bound& bound, const std::optional<std::int64_t>& version,
                        const Operation* op) {
    if (version.has_value() && *version > bound.version) bound = {*version, op};
  };
  const auto complain = [&](const char* anomaly, const Operation& op, const Bound& bound) {
    report.add(anomaly, base::concat("  ", op.to_string(), "\n  began after the end of\n  ",
                                     bound.by->to_string()));
  };
  for (const auto& [at, op, begins] : moments) {
    if (!begins) {
      raise(committed, op->commit_version, op);
      if (!op->pinned) raise(read, op->read_version, op);
      continue;
    }
    if (op->read_version.has_value() && !op->pinned) {
      if (*op->read_version < committed.version) complain("stale-read-version", *op, committed);
      if (*op->read_version < read.version) complain("read-version-back", *op, read);
    }
    if (op->commit_version.has_value()) {
      const Bound& bound = committed.version >= read.version ? committed : read;
      if (*op->commit_version <= bound.version) complain("commit-not-after", *op, bound);
    }
  }
}

}  // namespace

Report check_version_certificate(const std::vector<Operation>& operations) {
  Report report;
  Replay(operations, report).run();
  check_real_time(operations, report);
  return report;
}

}  // namespace synod::history
