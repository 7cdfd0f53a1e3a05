// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace synod::base {

std::size_t Histogram::bucket_of(std::uint64_t value) {
  constexpr std::uint64_t kLinear = 1ULL << kLinearBits;
  if (value < kLinear) return static_cast<std::size_t>(value);
  const auto shift = static_cast<std::size_t>(std::bit_width(value)) - 1 - kLinearBits;
  return ((shift + 1) << kLinearBits) + static_cast<std::size_t>((value >> shift) - kLinear);
}

std::uint64_t Histogram::bucket_ceiling(std::size_t bucket) {
  constexpr std::uint64_t kLinear = 1ULL << kLinearBits;
  if (bucket < kLinear) return bucket;
  const std::size_t shift = (bucket >> kLinearBits) - 1;
  const std::uint64_t floor = (kLinear + (bucket & (kLinear - 1))) << shift;
  return floor + ((1ULL << shift) - 1);
}

void Histogram::record(std::uint64_t value) {
  buckets_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
  raise_max(value);
}

void Histogram::raise_max(std::uint64_t value) {
  std::uint64_t seen = max_.load(std::memory_order_relaxed);
  while (value > seen && !max_.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) {
    buckets_[i].fetch_add(other.buckets_[i].load(std::memory_order_relaxed),
                          std::memory_order_relaxed);
  }
  sum_.fetch_add(other.sum_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  raise_max(other.max());
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

double Histogram::mean() const {
  const std::uint64_t total = count();
  if (total == 0) return 0;
  return static_cast<double>(sum_.load(std::memory_order_relaxed)) / static_cast<double>(total);
}

std::uint64_t Histogram::percentile(double fraction) const {
  const std::uint64_t total = count();
  if (total == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(
      std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (seen >= wanted && seen > 0) return std::min(bucket_ceiling(i), max());
  }
  return max();
}

}  // namespace synod::base
