// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "base/text.h"
#include "tests/history/invariants.h"
#include "tests/history/linearizability.h"
#include "tests/history/serializability.h"
#include "tests/history/version_certificate.h"
#include "tests/history/workloads.h"

namespace synod::history {

std::string HistorySummary::to_string() const {
  return base::concat(total(), " operations: ", applied, " ok, ", failed, " failed, ", unknown,
                      " unknown");
}

HistorySummary summarize(const std::vector<Operation>& operations) {
  HistorySummary summary;
  for (const Operation& op : operations) {
    ++(op.outcome == Outcome::kApplied      ? summary.applied
       : op.outcome == Outcome::kNotApplied ? summary.failed
                                            : summary.unknown);
  }
  return summary;
}

base::Result<Report> check_history(const std::vector<Event>& events, const base::Clock& clock) {
  SYNOD_ASSIGN_OR_RETURN(const std::vector<Operation> operations, operations_of(events));
  std::set<std::string> workloads;
  for (const Operation& op : operations) workloads.insert(op.workload);
  Report report;
  if (operations.empty()) report.undecided.emplace_back("there are no operations");
  for (const std::string& name : workloads) {
    if (std::find(kWorkloads.begin(), kWorkloads.end(), name) == kWorkloads.end()) {
      report.undecided.push_back(base::concat("no checker for operations of \"", name, "\""));
      continue;
    }
    std::vector<Operation> mine;
    for (const Operation& op : operations) {
      if (op.workload == name) mine.push_back(op);
    }
    if (name == "register") {
      LinearizabilityLimits limits;
      limits.clock = &clock;
      report.merge(check_linearizability(mine, limits));
    } else if (name == "list-append") {
      SYNOD_ASSIGN_OR_RETURN(Report found, check_serializability(mine));
      report.merge(std::move(found));
    } else {
      report.merge(name == "bank"   ? check_bank(mine)
                   : name == "ring" ? check_ring(mine)
                   : name == "set"  ? check_set(mine)
                                    : check_counter(mine));
    }
  }
  report.merge(check_version_certificate(operations));
  return report;
}

}  // namespace synod::history
