// SPDX-License-Identifier: Apache-2.0
#include "tests/history/invariants.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "base/text.h"

namespace synod::history {
namespace {

/// Balances, links and counters stand before a '/'.
std::int64_t number_in(const base::Bytes& value) { return std::atoll(value.c_str()); }

void add(Report& report, const char* anomaly, const Operation& op, const std::string& what) {
  report.add(anomaly, base::concat("  ", what, " in\n  ", op.to_string()));
}

/// The operations of a workload that took place, counted.
std::vector<const Operation*> applied(const std::vector<Operation>& operations,
                                      std::string_view workload, Report& report) {
  std::vector<const Operation*> mine;
  for (const Operation& op : operations) {
    if (op.workload != workload) continue;
    ++report.checked;
    if (op.outcome == Outcome::kApplied) mine.push_back(&op);
  }
  return mine;
}

/// The rows that were written before the run: the first operation, which only writes.
std::map<base::Bytes, std::int64_t> first_rows(const std::vector<const Operation*>& operations,
                                               Report& report) {
  std::map<base::Bytes, std::int64_t> rows;
  if (!operations.empty()) {
    for (const MicroOp& step : operations.front()->ops) {
      if (step.kind == OpKind::kWrite) rows[step.key] = number_in(*step.value);
    }
  }
  if (rows.empty()) report.undecided.emplace_back("the first operation does not prepare the rows");
  return rows;
}

/// A complete read of everything.
bool is_whole_read(const MicroOp& step) {
  return step.kind == OpKind::kRange && step.seen && step.limit == 0;
}

void check_accounts(const Operation& op, const MicroOp& step,
                    const std::map<base::Bytes, std::int64_t>& accounts, std::int64_t total,
                    Report& report) {
  std::int64_t sum = 0;
  std::size_t known = 0;
  for (const Row& row : step.rows) {
    sum += number_in(row.value);
    known += accounts.contains(row.key) ? 1 : 0;
    if (!accounts.contains(row.key)) {
      add(report, "unknown-account", op, base::concat("account ", base::escape(row.key)));
    }
    if (number_in(row.value) < 0) {
      add(report, "negative-balance", op, base::concat("account ", base::escape(row.key)));
    }
  }
  if (known != accounts.size()) {
    add(report, "missing-account", op,
        base::concat(known, " of ", accounts.size(), " accounts are there"));
  } else if (sum != total) {
    add(report, "wrong-total", op, base::concat("the total is ", sum, " and not ", total));
  }
}

void check_links(const Operation& op, const MicroOp& step,
                 const std::map<base::Bytes, std::int64_t>& first, Report& report) {
  std::vector<std::int64_t> next;
  for (const Row& row : step.rows) next.push_back(number_in(row.value));
  if (next.size() != first.size()) {
    add(report, "missing-link", op,
        base::concat(next.size(), " of ", first.size(), " links are there"));
    return;
  }
  // Rows come in order of their numbers, so that a link names a row by its place.
  std::int64_t at = 0;
  std::size_t hops = 0;
  do {
    at = at < 0 || at >= static_cast<std::int64_t>(next.size())
             ? -1
             : next[static_cast<std::size_t>(at)];
    ++hops;
  } while (at > 0 && hops <= next.size());
  if (at == 0 && hops == next.size()) return;
  add(report, "broken-ring", op, base::concat("after ", hops, " hops it is at ", at));
}

}  // namespace

Report check_bank(const std::vector<Operation>& operations) {
  Report report;
  const auto mine = applied(operations, "bank", report);
  const auto accounts = first_rows(mine, report);
  if (accounts.empty()) return report;
  std::int64_t total = 0;
  for (const auto& [key, balance] : accounts) total += balance;
  for (const Operation* op : mine) {
    for (const MicroOp& step : op->ops) {
      if (is_whole_read(step)) check_accounts(*op, step, accounts, total, report);
    }
  }
  return report;
}

Report check_ring(const std::vector<Operation>& operations) {
  Report report;
  const auto mine = applied(operations, "ring", report);
  const auto first = first_rows(mine, report);
  if (first.empty()) return report;
  for (const Operation* op : mine) {
    for (const MicroOp& step : op->ops) {
      if (is_whole_read(step)) check_links(*op, step, first, report);
    }
  }
  return report;
}

Report check_set(const std::vector<Operation>& operations) {
  Report report;
  const auto mine = applied(operations, "set", report);
  std::map<base::Bytes, const Operation*> additions;
  for (const Operation& op : operations) {
    if (op.workload != "set") continue;
    for (const MicroOp& step : op.ops) {
      if (step.kind == OpKind::kWrite) additions[step.key] = &op;
    }
  }
  for (const Operation* op : mine) {
    for (const MicroOp& step : op->ops) {
      if (!is_whole_read(step)) continue;
      std::set<base::Bytes> there;
      for (const Row& row : step.rows) {
        there.insert(row.key);
        const auto addition = additions.find(row.key);
        const char* wrong = addition == additions.end() ? "unwritten-element"
                            : addition->second->outcome == Outcome::kNotApplied
                                ? "failed-write-visible"
                            : addition->second->invoked > op->completed ? "read-from-future"
                                                                        : nullptr;
        if (wrong != nullptr) add(report, wrong, *op, base::escape(row.key));
      }
      for (const auto& [key, addition] : additions) {
        const bool due =
            addition->outcome == Outcome::kApplied && addition->completed < op->invoked;
        if (due && !there.contains(key)) {
          add(report, "lost-element", *op,
              base::concat(base::escape(key), " is missing, added by\n  ", addition->to_string(),
                           "\n "));
        }
      }
    }
  }
  return report;
}

namespace {

/// What is known about one counter while the history is walked through in real-time order.
struct Counter {
  std::int64_t acknowledged = 0;
  std::int64_t attempted = 0;  // of all that may have been applied
  std::int64_t highest = 0;    // of completed reads
};

class CounterCheck {
 public:
  explicit CounterCheck(Report& report) : report_(report) {}

  void invoke(const Operation& op) {
    for (const MicroOp& step : op.ops) {
      Counter& counter = counters_[step.key];
      if (step.kind == OpKind::kIncrement) counter.attempted += number_in(*step.value);
      if (step.kind == OpKind::kRead) {
        least_[&op] = {counter.acknowledged, counter.highest};
      }
    }
  }

  void complete(const Operation& op) {
    for (const MicroOp& step : op.ops) {
      Counter& counter = counters_[step.key];
      if (step.kind == OpKind::kIncrement) counter.acknowledged += number_in(*step.value);
      if (step.kind == OpKind::kRead && step.seen)
        judge(op, number_in(step.value.value_or("0")), counter);
    }
  }

 private:
  void judge(const Operation& op, std::int64_t seen, Counter& counter) {
    const auto [acknowledged, highest] = least_[&op];
    if (seen < acknowledged) {
      add(report_, "counter-too-low", op,
          base::concat(acknowledged, " was acknowledged before, seen was ", seen));
    } else if (seen < highest) {
      add(report_, "counter-went-back", op, base::concat(highest, " was seen before, now ", seen));
    }
    if (seen > counter.attempted) {
      add(report_, "counter-too-high", op,
          base::concat("only ", counter.attempted, " was attempted, seen was ", seen));
    }
    counter.highest = std::max(counter.highest, seen);
  }

  Report& report_;
  std::map<base::Bytes, Counter> counters_;
  std::map<const Operation*, std::pair<std::int64_t, std::int64_t>> least_;
};

}  // namespace

Report check_counter(const std::vector<Operation>& operations) {
  Report report;
  std::map<std::int64_t, std::pair<const Operation*, bool>> moments;  // true: completion
  for (const Operation& op : operations) {
    if (op.workload != "counter") continue;
    ++report.checked;
    if (op.outcome == Outcome::kNotApplied) continue;
    moments[op.invoked] = {&op, false};
    if (op.outcome == Outcome::kApplied) moments[op.completed] = {&op, true};
  }
  CounterCheck check(report);
  for (const auto& [at, moment] : moments) {
    moment.second ? check.complete(*moment.first) : check.invoke(*moment.first);
  }
  return report;
}

}  // namespace synod::history
