// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/store_series.h"

namespace synod::server {

base::Counter& StoreFamilies::counter(const std::string& replica, const std::string& name,
                                      const std::string& help) {
  auto& family = counters_[name];
  if (family == nullptr) family = &registry_.counters(name, help, labels());
  return series(*family, replica);
}

base::Distribution& StoreFamilies::distribution(const std::string& replica, const std::string& name,
                                                const std::string& help,
                                                const base::BucketLayout& layout) {
  auto& family = distributions_[name];
  if (family == nullptr) family = &registry_.distributions(name, help, layout, labels());
  return series(*family, replica);
}

}  // namespace synod::server
