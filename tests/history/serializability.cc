// SPDX-License-Identifier: Apache-2.0
#include "tests/history/serializability.h"

#include <algorithm>

#include "base/text.h"
#include "tests/history/dependency_graph.h"
#include "tests/history/list_history.h"

namespace synod::history {
namespace {

constexpr std::size_t kCyclesMax = 50;

bool is_list_transaction(const Operation& op) {
  return !op.ops.empty() && std::all_of(op.ops.begin(), op.ops.end(), [](const MicroOp& step) {
    return step.kind == OpKind::kAppend || step.kind == OpKind::kRange ||
           (step.kind == OpKind::kRead && (step.is_list || !step.seen));
  });
}

/// Edges from everyone acknowledged to everyone who began later. Only from the frontier: those
/// acknowledged that no other acknowledged one began after; the rest follows by transitivity.
void add_real_time_edges(const std::vector<const Operation*>& txns, const ListHistory& lists,
                         DependencyGraph& graph) {
  struct Moment {
    std::int64_t at;
    TxnIndex txn;
    bool begins;
  };
  std::vector<Moment> moments;
  for (TxnIndex i = 0; i < txns.size(); ++i) {
    if (!lists.took_place(i)) continue;
    moments.push_back({txns[i]->invoked, i, true});
    if (txns[i]->outcome == Outcome::kApplied) moments.push_back({txns[i]->completed, i, false});
  }
  std::sort(moments.begin(), moments.end(),
            [](const Moment& a, const Moment& b) { return a.at < b.at; });
  std::vector<TxnIndex> frontier;
  for (const Moment& moment : moments) {
    if (moment.begins) {
      for (const TxnIndex done : frontier) graph.add({done, moment.txn, kEdgeRealTime, 0});
      continue;
    }
    std::erase_if(frontier,
                  [&](TxnIndex done) { return txns[done]->completed < txns[moment.txn]->invoked; });
    frontier.push_back(moment.txn);
  }
}

std::string reason(const Edge& edge, const ListHistory& lists) {
  const std::string key = base::escape(lists.key_name(edge.key));
  switch (edge.kind) {
    case kEdgeWw:
      return base::concat("ww: appended to ", key, " before");
    case kEdgeWr:
      return base::concat("wr: appended to ", key, " what was read by");
    case kEdgeRw:
      return base::concat("rw: did not see in ", key, " the append of");
    case kEdgePhantom:
      return base::concat("rw: read a range without ", key, ", created by");
    case kEdgeRealTime:
      return "rt: was acknowledged before the beginning of";
  }
  SYNOD_ASSERT(false, "every EdgeKind has a reason");
}

std::string explain(const Cycle& cycle, const std::vector<const Operation*>& txns,
                    const ListHistory& lists) {
  std::string text;
  for (const Edge& edge : cycle) {
    text += base::concat("  T", edge.from, " ", txns[edge.from]->to_string(), "\n    -- ",
                         reason(edge, lists), "\n");
  }
  if (!cycle.empty()) text += base::concat("  T", cycle.front().from, " again: a cycle");
  return text;
}

}  // namespace

base::Result<Report> check_serializability(const std::vector<Operation>& operations) {
  Report report;
  std::vector<const Operation*> txns;
  for (const Operation& op : operations) {
    if (is_list_transaction(op)) txns.push_back(&op);
  }
  report.checked = txns.size();
  ListHistory lists(txns);
  SYNOD_RETURN_IF_ERROR(lists.gather(report));
  lists.find_lost(report);
  DependencyGraph graph(txns.size());
  lists.add_edges(graph);
  add_real_time_edges(txns, lists, graph);
  std::size_t reported = 0;
  for (const NamedCycle& found : graph.find_cycles()) {
    if (++reported > kCyclesMax) break;
    report.add(found.anomaly, explain(found.cycle, txns, lists));
  }
  return report;
}

}  // namespace synod::history
