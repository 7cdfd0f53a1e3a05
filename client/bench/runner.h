// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>

#include "base/status.h"
#include "client/bench/tally.h"
#include "client/bench/workload.h"

namespace synod::client {

/// What a run measured.
struct BenchReport {
  struct Load {
    std::uint64_t keys = 0;  ///< Acknowledged.
    double seconds = 0;
    LatencyHistogram requests;
    ErrorCounts errors;
  };
  Load load;
  Tally tally;
  double seconds = 0;        ///< From the end of the warm-up to the last answer.
  double cpu_us_per_op = 0;  ///< Of this process, for each operation answered.

  [[nodiscard]] bool good() const { return load.errors.by_code().empty() && tally.good(); }
  [[nodiscard]] double per_second() const;
};

/// Writes every key once if asked to, then runs the load. An error only if it could not begin; what
/// went wrong later is in the report. A load that was refused is not followed by a run.
[[nodiscard]] base::Status run_bench(const Workload& workload, BenchReport& report);

void print_text(const Workload& workload, const BenchReport& report, std::ostream& out);
void print_json(const Workload& workload, const BenchReport& report, std::ostream& out);

}  // namespace synod::client
