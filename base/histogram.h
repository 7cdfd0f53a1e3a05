// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace synod::base {

/// Log-linear counts of non-negative values: 32 linear steps for each power of two, so that a
/// reported percentile is at most 1/32 above the true value.
///
/// Threads: `record` is wait-free and may run on any thread; readers see a momentary mixture,
/// exact once writers stopped.
class Histogram {
 public:
  void record(std::uint64_t value);
  /// Adds all counts of `other`.
  void merge(const Histogram& other);
  /// The smallest recorded step that at least `fraction` (0..1] of the values do not exceed; 0 if
  /// empty.
  [[nodiscard]] std::uint64_t percentile(double fraction) const;
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }
  [[nodiscard]] double mean() const;

 private:
  void raise_max(std::uint64_t value);
  static constexpr std::size_t kLinearBits = 5;
  static constexpr std::size_t kBuckets = (64 - kLinearBits + 1) << kLinearBits;
  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t bucket_ceiling(std::size_t bucket);

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace synod::base
