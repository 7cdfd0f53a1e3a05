// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>

#include "base/histogram.h"
#include "base/status.h"
#include "client/bench/workload.h"

namespace synod::client {

/// What a run measured. Latencies in nanoseconds, of operations begun after the warm-up.
struct BenchReport {
  base::Histogram reads;
  base::Histogram writes;
  double seconds = 0;
  std::uint64_t answered = 0;  ///< With those of the warm-up, without the loading.
  std::uint64_t errors = 0;    ///< Replies that report failure.
  std::uint64_t wrong = 0;     ///< Reads that returned what nobody wrote, or nothing.
  std::string first_error;     ///< Of any connection; empty if there was none.

  [[nodiscard]] bool good() const { return errors == 0 && wrong == 0 && first_error.empty(); }
};

/// Writes every key once, then lets each connection issue one operation after the other. An error
/// only if it could not begin.
[[nodiscard]] base::Status run_bench(const Workload& workload, BenchReport& report);

void print_text(const Workload& workload, const BenchReport& report, std::ostream& out);
void print_json(const Workload& workload, const BenchReport& report, std::ostream& out);

}  // namespace synod::client
