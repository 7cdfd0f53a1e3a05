// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "tests/history/client.h"
#include "tests/history/history.h"
#include "tests/history/report.h"

namespace synod::history {

/// What can be run; each name is also the "f" of its operations.
///   register     reads, writes, deletes and compare-and-swap on single keys
///   list-append  transactions that read and append to lists, and read ranges of them
///   bank         transfers; every read of all accounts has the same total, old versions too
///   ring         each key names the next; transactions move keys about; it stays one ring
///   set          unique additions; every read has all that were acknowledged
///   counter      additions that read nothing; reads lie between acknowledged and attempted
inline constexpr std::array<std::string_view, 6> kWorkloads{"register", "list-append", "bank",
                                                            "ring",     "set",         "counter"};

struct WorkloadOptions {
  std::string workload = "list-append";
  std::uint64_t seed = 1;
  int threads = 8;
  base::Nanos duration = std::chrono::seconds(1);
  std::uint64_t operations_max = 1'000'000;  ///< Of all threads together.
  std::uint32_t keys = 10;                   ///< Registers, live lists, accounts, ring, counters.
  std::uint32_t appends_per_list = 120;      ///< Then a new list takes the place.
  int settle_attempts = 400;  ///< How often an unknown commit is repeated, 5 ms apart.
  std::string prefix = "h/";  ///< Of every key; runs on one store differ in it.
};

/// Runs the workload on its threads until time or operations are used up, then reads everything
/// once more, so that lost writes show. kInvalidArgument: no such workload. Other errors: the store
/// could not be prepared or finally read; the history so far is valid.
base::Status run_workload(const WorkloadOptions& options, const ClientFactory& connect,
                          const base::Clock& clock, Recorder& recorder);

/// How many operations of a history ended how.
struct HistorySummary {
  std::uint64_t applied = 0;
  std::uint64_t failed = 0;
  std::uint64_t unknown = 0;
  [[nodiscard]] std::uint64_t total() const { return applied + failed + unknown; }
  [[nodiscard]] std::string to_string() const;
};
[[nodiscard]] HistorySummary summarize(const std::vector<Operation>& operations);

/// Every checker that fits: by the "f" of the operations, and the version certificate for all.
/// Operations of an unknown "f" make the report undecided, and so does an empty history.
[[nodiscard]] base::Result<Report> check_history(const std::vector<Event>& events,
                                                 const base::Clock& clock);

}  // namespace synod::history
