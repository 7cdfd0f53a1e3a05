// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "client/bench/latency_histogram.h"

namespace synod::client {

/// How often each error was answered. Few differ, so they are searched one by one.
class ErrorCounts {
 public:
  void add(base::BytesView code, std::uint64_t count = 1);
  void merge(const ErrorCounts& other);
  [[nodiscard]] std::uint64_t total() const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::uint64_t>>& by_code() const {
    return by_code_;
  }

 private:
  std::vector<std::pair<std::string, std::uint64_t>> by_code_;
};

/// What one thread counted; of all threads after merging. Latencies are of operations that were
/// begun, or due, after the warm-up, and were not refused.
struct Tally {
  LatencyHistogram reads;
  LatencyHistogram writes;
  std::uint64_t answered = 0;  ///< With those of the warm-up and those refused.
  std::uint64_t missing = 0;   ///< Reads that found nothing.
  std::uint64_t wrong = 0;     ///< Reads that returned what nobody wrote, or nothing.
  std::uint64_t unsent = 0;    ///< Were due and never sent; in the latencies nevertheless.
  std::vector<std::uint64_t> per_second;  ///< Answers in each second after the warm-up.
  ErrorCounts errors;
  std::string first_loss;  ///< Why the first connection was lost; empty if none was.

  void merge(const Tally& other);
  [[nodiscard]] std::uint64_t measured() const { return reads.count() + writes.count(); }
  [[nodiscard]] bool good() const {
    return errors.by_code().empty() && wrong == 0 && unsent == 0 && first_loss.empty();
  }
};

}  // namespace synod::client
