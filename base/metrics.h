// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/exposition.h"

namespace synod::base {

/// Counts are spread over this many shards. All but the last belong to one thread each while it
/// lives, so that counting there is a plain load and store; the last is shared by all the others.
inline constexpr std::uint32_t kMetricShards = 32;
inline constexpr std::uint32_t kSharedMetricShard = kMetricShards - 1;

namespace metrics_detail {

inline constexpr std::uint32_t kNoShard = ~std::uint32_t{0};
inline constinit thread_local std::uint32_t this_thread_shard = kNoShard;
/// Leases a shard for this thread until it ends.
std::uint32_t lease_shard();

inline std::uint32_t shard() {
  const std::uint32_t mine = this_thread_shard;
  return mine != kNoShard ? mine : lease_shard();
}

inline void add(std::atomic<std::uint64_t>& cell, std::uint32_t shard, std::uint64_t amount) {
  if (shard == kSharedMetricShard) {
    cell.fetch_add(amount, std::memory_order_relaxed);
  } else {
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
}

}  // namespace metrics_detail

/// A number that only grows.
///
/// Threads: `add` is wait-free on any thread; `value` sees all that happened before it.
class Counter {
 public:
  void add(std::uint64_t amount = 1) {
    const std::uint32_t shard = metrics_detail::shard();
    metrics_detail::add(cells_[shard].value, shard, amount);
  }
  [[nodiscard]] std::uint64_t value() const;

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Cell, kMetricShards> cells_{};
};

/// Upper bounds of a distribution's buckets, and how recorded integers become base units.
class BucketLayout {
 public:
  static constexpr std::size_t kBoundsMax = 30;
  /// `bounds` ascend, in recorded units; `per_unit` of those make one unit of the exposition.
  BucketLayout(std::vector<std::uint64_t> bounds, double per_unit);
  /// Recorded in nanoseconds, shown in seconds: 10 us .. 60 s.
  [[nodiscard]] static BucketLayout durations();
  /// 1, 2, 4, ... 32768.
  [[nodiscard]] static BucketLayout counts();

  [[nodiscard]] const std::vector<std::uint64_t>& bounds() const { return bounds_; }
  [[nodiscard]] double per_unit() const { return per_unit_; }
  /// The first bucket whose bound is not below `value`; bounds().size() if there is none.
  [[nodiscard]] std::size_t bucket_of(std::uint64_t value) const {
    std::size_t bucket = first_[step_of(value)];
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    return bucket;
  }

 private:
  /// Log-linear: four steps for each power of two, to begin the search next to its end.
  static constexpr std::size_t kSteps = 256;
  static std::size_t step_of(std::uint64_t value) {
    if (value < 4) return static_cast<std::size_t>(value);
    const auto shift = static_cast<std::size_t>(std::bit_width(value)) - 3;
    return (shift + 1) * 4 + static_cast<std::size_t>((value >> shift) & 3);
  }
  static std::uint64_t step_floor(std::size_t step);

  std::vector<std::uint64_t> bounds_;
  double per_unit_;
  std::array<std::uint8_t, kSteps> first_{};
};

/// How often values fell below each of a fixed list of bounds, and their sum.
///
/// Threads: `record` is wait-free on any thread; `totals` is exact once writers stopped.
class Distribution {
 public:
  explicit Distribution(const BucketLayout& layout) : layout_(layout) {}
  void record(std::uint64_t value) {
    const std::uint32_t shard = metrics_detail::shard();
    Shard& mine = shards_[shard];
    metrics_detail::add(mine.counts[layout_.bucket_of(value)], shard, 1);
    metrics_detail::add(mine.sum, shard, value);
  }
  struct Totals {
    std::vector<std::uint64_t> counts;  ///< Not cumulative; the last is beyond all bounds.
    std::uint64_t sum = 0;
  };
  [[nodiscard]] Totals totals() const;
  [[nodiscard]] const BucketLayout& layout() const { return layout_; }

 private:
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, BucketLayout::kBoundsMax + 1> counts{};
    std::atomic<std::uint64_t> sum{0};
  };
  const BucketLayout& layout_;
  std::array<Shard, kMetricShards> shards_{};
};

/// One name with its series, one for each combination of label values.
///
/// Invariants
///   MF1  There are at most kSeriesMax series; what would be another is counted in one whose
///        label values are all "other".
///   MF2  References stay valid as long as the family.
///
/// Threads: any. `with` takes a lock: keep the reference on hot paths.
template <class Metric>
class MetricFamily {
 public:
  static constexpr std::size_t kSeriesMax = 256;
  using Make = std::function<std::unique_ptr<Metric>()>;

  MetricFamily(std::string name, std::string help, std::vector<std::string> labels, Make make)
      : name_(std::move(name)),
        help_(std::move(help)),
        labels_(std::move(labels)),
        make_(std::move(make)) {}

  /// REQUIRES: one value for each label.
  Metric& with(std::initializer_list<std::string_view> values) {
    SYNOD_ASSERT(values.size() == labels_.size(), "a series has a value for each label");
    std::vector<std::string> key(values.begin(), values.end());
    const std::lock_guard lock(mutex_);
    auto found = series_.find(key);
    if (found == series_.end()) {
      if (series_.size() + 1 >= kSeriesMax) key.assign(labels_.size(), "other");
      found = series_.try_emplace(std::move(key), nullptr).first;
      if (found->second == nullptr) found->second = make_();
    }
    return *found->second;
  }
  void expose(Exposition& out) const;

 private:
  const std::string name_;
  const std::string help_;
  const std::vector<std::string> labels_;
  const Make make_;
  mutable std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Metric>> series_;
};

using CounterFamily = MetricFamily<Counter>;
using DistributionFamily = MetricFamily<Distribution>;

/// Everything a process tells about itself, by name.
///
/// Owned by the process' composition and passed by reference.
///
/// Invariants
///   MR1  A name is registered once.
///   MR2  Collectors run only inside `expose`, one scrape after the other.
///
/// Threads: any. Lifetime: what collectors refer to lives until the last `expose`.
class MetricRegistry {
 public:
  /// `prefix` goes before every name but those of process_*.
  explicit MetricRegistry(std::string prefix) : prefix_(std::move(prefix)) {}

  CounterFamily& counters(std::string name, std::string help, std::vector<std::string> labels);
  DistributionFamily& distributions(std::string name, std::string help, const BucketLayout& layout,
                                    std::vector<std::string> labels);
  Counter& counter(std::string name, std::string help);
  Distribution& distribution(std::string name, std::string help, const BucketLayout& layout);
  /// Asked at each scrape.
  void gauge(std::string name, std::string help, std::function<double()> value);
  /// Writes whole families at each scrape, those whose labels come and go included.
  void collect(std::function<void(Exposition&)> collector);

  /// Appends the Prometheus text format 0.0.4.
  void expose(std::string& out) const;

 private:
  void claim(const std::string& name);

  const std::string prefix_;
  mutable std::mutex scrape_;  ///< Held during a whole scrape (MR2).
  mutable std::mutex mutex_;   ///< Guards what follows, briefly.
  std::set<std::string> names_;
  std::vector<std::shared_ptr<const std::function<void(Exposition&)>>> collectors_;
};

}  // namespace synod::base
