// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace synod::client {

/// Log-linear counts of latencies in nanoseconds: 128 linear steps for each power of two.
///
/// Invariants
///   LH1  A percentile is never below the true value, and above it by less than 1/128 of it (0.8
///   %),
///        up to kTrackableMax; longer values are counted at the maximum, which is exact.
///   LH2  Merging gives what recording all values in one histogram would have given.
///
/// Threads: externally synchronized; one for each thread, merged at the end.
class LatencyHistogram {
 public:
  static constexpr std::uint64_t kTrackableMax = (1ULL << 37) - 1;  ///< 137 s.

  void record(std::uint64_t value);
  void merge(const LatencyHistogram& other);
  /// The smallest step that at least `fraction` (0..1] of the values do not exceed; 0 if empty.
  [[nodiscard]] std::uint64_t percentile(double fraction) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const;

 private:
  static constexpr std::size_t kLinearBits = 7;
  static constexpr std::size_t kBuckets = (37 - kLinearBits + 1) << kLinearBits;
  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t bucket_ceiling(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace synod::client
