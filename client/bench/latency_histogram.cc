// SPDX-License-Identifier: Apache-2.0
#include "client/bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace synod::client {

std::size_t LatencyHistogram::bucket_of(std::uint64_t value) {
  constexpr std::uint64_t kLinear = 1ULL << kLinearBits;
  if (value < kLinear) return static_cast<std::size_t>(value);
  const auto shift = static_cast<std::size_t>(std::bit_width(value)) - 1 - kLinearBits;
  return ((shift + 1) << kLinearBits) + static_cast<std::size_t>((value >> shift) - kLinear);
}

std::uint64_t LatencyHistogram::bucket_ceiling(std::size_t bucket) {
  constexpr std::uint64_t kLinear = 1ULL << kLinearBits;
  if (bucket < kLinear) return bucket;
  const std::size_t shift = (bucket >> kLinearBits) - 1;
  const std::uint64_t floor = (kLinear + (bucket & (kLinear - 1))) << shift;
  return floor + ((1ULL << shift) - 1);
}

void LatencyHistogram::record(std::uint64_t value) {
  ++buckets_[bucket_of(std::min(value, kTrackableMax))];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

double LatencyHistogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t LatencyHistogram::percentile(double fraction) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(bucket_ceiling(i), max_);
  }
  return max_;
}

}  // namespace synod::client
