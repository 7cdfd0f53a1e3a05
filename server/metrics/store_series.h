// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>

#include "base/metrics.h"

namespace synod::server {

/// The metric families that every store of a process has series in, made when the first asks.
///
/// Owned by ServerMetrics. Threads: confined to who builds the server.
class StoreFamilies {
 public:
  /// `are_several`: each series carries the label `replica`.
  StoreFamilies(base::MetricRegistry& registry, bool are_several)
      : registry_(registry), are_several_(are_several) {}

  base::Counter& counter(const std::string& replica, const std::string& name,
                         const std::string& help);
  base::Distribution& distribution(const std::string& replica, const std::string& name,
                                   const std::string& help, const base::BucketLayout& layout);

 private:
  template <class Metric>
  Metric& series(base::MetricFamily<Metric>& family, const std::string& replica) const {
    return are_several_ ? family.with({replica}) : family.with({});
  }
  [[nodiscard]] std::vector<std::string> labels() const {
    return are_several_ ? std::vector<std::string>{"replica"} : std::vector<std::string>{};
  }

  base::MetricRegistry& registry_;
  const bool are_several_;
  std::map<std::string, base::CounterFamily*> counters_;
  std::map<std::string, base::DistributionFamily*> distributions_;
};

/// The series of one store.
class StoreSeries {
 public:
  /// `families` outlives it.
  StoreSeries(StoreFamilies& families, std::string replica)
      : families_(families), replica_(std::move(replica)) {}
  base::Counter& counter(const std::string& name, const std::string& help) {
    return families_.counter(replica_, name, help);
  }
  base::Distribution& distribution(const std::string& name, const std::string& help,
                                   const base::BucketLayout& layout) {
    return families_.distribution(replica_, name, help, layout);
  }

 private:
  StoreFamilies& families_;
  const std::string replica_;
};

}  // namespace synod::server
