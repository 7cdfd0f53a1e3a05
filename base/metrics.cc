// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <algorithm>

#include "base/assert.h"

namespace synod::base {
namespace metrics_detail {
namespace {

/// Bit i: shard i belongs to a living thread. A number of threads, nothing of any registry's.
std::atomic<std::uint32_t> leased{0};

std::uint32_t take_free_shard() {
  std::uint32_t taken = leased.load(std::memory_order_relaxed);
  while (true) {
    const auto shard = static_cast<std::uint32_t>(std::countr_one(taken));
    if (shard >= kSharedMetricShard) return kSharedMetricShard;
    // What the last owner of the shard counted is seen by the next: acquire meets its release.
    if (leased.compare_exchange_weak(taken, taken | (1U << shard), std::memory_order_acq_rel)) {
      return shard;
    }
  }
}

struct Lease {
  Lease() { this_thread_shard = take_free_shard(); }
  ~Lease() {
    const std::uint32_t mine = this_thread_shard;
    // Destructors of other thread-local objects may still count.
    this_thread_shard = kSharedMetricShard;
    if (mine != kSharedMetricShard) leased.fetch_and(~(1U << mine), std::memory_order_acq_rel);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
};

}  // namespace

std::uint32_t lease_shard() {
  static thread_local const Lease lease;
  return this_thread_shard;
}

}  // namespace metrics_detail

namespace {

std::vector<Label> labelled(const std::vector<std::string>& names,
                            const std::vector<std::string>& values) {
  std::vector<Label> labels;
  for (std::size_t i = 0; i < names.size(); ++i) labels.emplace_back(names[i], values[i]);
  return labels;
}

void expose_series(Exposition& out, const std::vector<Label>& labels, const Counter& counter) {
  out.sample(labels, counter.value());
}

void expose_series(Exposition& out, const std::vector<Label>& labels,
                   const Distribution& distribution) {
  const Distribution::Totals totals = distribution.totals();
  const BucketLayout& layout = distribution.layout();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < totals.counts.size(); ++i) {
    below += totals.counts[i];
    const bool is_last = i == layout.bounds().size();
    const std::string bound =
        is_last ? "+Inf"
                : format_sample(static_cast<double>(layout.bounds()[i]) / layout.per_unit());
    auto with_bound = labels;
    with_bound.emplace_back("le", bound);
    out.sample(with_bound, below, "_bucket");
  }
  out.sample(labels, static_cast<double>(totals.sum) / layout.per_unit(), "_sum");
  out.sample(labels, below, "_count");
}

constexpr MetricType type_of(const Counter* /*tag*/) { return MetricType::kCounter; }
constexpr MetricType type_of(const Distribution* /*tag*/) { return MetricType::kHistogram; }

}  // namespace

std::uint64_t Counter::value() const {
  std::uint64_t total = 0;
  for (const Cell& cell : cells_) total += cell.value.load(std::memory_order_relaxed);
  return total;
}

BucketLayout::BucketLayout(std::vector<std::uint64_t> bounds, double per_unit)
    : bounds_(std::move(bounds)), per_unit_(per_unit) {
  SYNOD_ASSERT(!bounds_.empty() && bounds_.size() <= kBoundsMax, "a layout has 1..30 bounds");
  SYNOD_ASSERT(std::ranges::adjacent_find(bounds_, std::greater_equal<>()) == bounds_.end(),
               "bounds ascend");
  for (std::size_t step = 0; step < kSteps; ++step) {
    const auto first = std::ranges::lower_bound(bounds_, step_floor(step));
    first_[step] = static_cast<std::uint8_t>(first - bounds_.begin());
  }
}

BucketLayout BucketLayout::durations() {
  constexpr std::uint64_t kMicro = 1'000;
  constexpr std::uint64_t kMilli = 1'000'000;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  return {{10 * kMicro,  25 * kMicro,   50 * kMicro,   100 * kMicro, 250 * kMicro,
           500 * kMicro, 1 * kMilli,    2500 * kMicro, 5 * kMilli,   10 * kMilli,
           25 * kMilli,  50 * kMilli,   100 * kMilli,  250 * kMilli, 500 * kMilli,
           1 * kSecond,  2500 * kMilli, 5 * kSecond,   10 * kSecond, 60 * kSecond},
          1e9};
}

BucketLayout BucketLayout::counts() {
  std::vector<std::uint64_t> bounds;
  for (std::uint64_t bound = 1; bound <= 32'768; bound *= 2) bounds.push_back(bound);
  return {std::move(bounds), 1};
}

std::uint64_t BucketLayout::step_floor(std::size_t step) {
  if (step < 4) return step;
  const std::size_t shift = std::min<std::size_t>(step / 4 - 1, 61);
  return (std::uint64_t{4} + step % 4) << shift;
}

Distribution::Totals Distribution::totals() const {
  Totals totals;
  totals.counts.resize(layout_.bounds().size() + 1);
  for (const Shard& shard : shards_) {
    for (std::size_t i = 0; i < totals.counts.size(); ++i) {
      totals.counts[i] += shard.counts[i].load(std::memory_order_relaxed);
    }
    totals.sum += shard.sum.load(std::memory_order_relaxed);
  }
  return totals;
}

template <class Metric>
void MetricFamily<Metric>::expose(Exposition& out) const {
  out.family(name_, type_of(static_cast<const Metric*>(nullptr)), help_);
  const std::lock_guard lock(mutex_);
  for (const auto& [values, metric] : series_) {
    expose_series(out, labelled(labels_, values), *metric);
  }
}
template class MetricFamily<Counter>;
template class MetricFamily<Distribution>;

// ---- the registry

void MetricRegistry::claim(const std::string& name) {
  const std::lock_guard lock(mutex_);
  SYNOD_ASSERT(names_.insert(name).second, "MR1: a metric is registered once");
}

void MetricRegistry::collect(std::function<void(Exposition&)> collector) {
  auto shared = std::make_shared<const std::function<void(Exposition&)>>(std::move(collector));
  const std::lock_guard lock(mutex_);
  collectors_.push_back(std::move(shared));
}

CounterFamily& MetricRegistry::counters(std::string name, std::string help,
                                        std::vector<std::string> labels) {
  claim(name);
  auto family = std::make_shared<CounterFamily>(std::move(name), std::move(help), std::move(labels),
                                                [] { return std::make_unique<Counter>(); });
  collect([family](Exposition& out) { family->expose(out); });
  return *family;
}

DistributionFamily& MetricRegistry::distributions(std::string name, std::string help,
                                                  const BucketLayout& layout,
                                                  std::vector<std::string> labels) {
  claim(name);
  auto kept = std::make_shared<const BucketLayout>(layout);
  auto family = std::make_shared<DistributionFamily>(
      std::move(name), std::move(help), std::move(labels),
      [kept] { return std::make_unique<Distribution>(*kept); });
  collect([family](Exposition& out) { family->expose(out); });
  return *family;
}

Counter& MetricRegistry::counter(std::string name, std::string help) {
  return counters(std::move(name), std::move(help), {}).with({});
}

Distribution& MetricRegistry::distribution(std::string name, std::string help,
                                           const BucketLayout& layout) {
  return distributions(std::move(name), std::move(help), layout, {}).with({});
}

void MetricRegistry::gauge(std::string name, std::string help, std::function<double()> value) {
  claim(name);
  collect([name = std::move(name), help = std::move(help),
           value = std::move(value)](Exposition& out) { out.gauge(name, help, value()); });
}

void MetricRegistry::expose(std::string& out) const {
  const std::lock_guard scrape(scrape_);
  std::vector<std::shared_ptr<const std::function<void(Exposition&)>>> collectors;
  {
    const std::lock_guard lock(mutex_);
    collectors = collectors_;
  }
  Exposition exposition(out, prefix_);
  for (const auto& collector : collectors) (*collector)(exposition);
}

}  // namespace synod::base
