// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

namespace synod::bench {

inline double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}
inline double now_seconds() { return seconds_of(CLOCK_MONOTONIC); }

/// Time this thread was running, so that other processes count less.
template <class Work>
double thread_seconds(Work&& work) {
  const double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  work();
  return seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
}
template <class Work>
double thread_nanoseconds_each(std::size_t count, Work&& work) {
  return thread_seconds(work) * 1e9 / static_cast<double>(count);
}

/// One comparison over several interleaved rounds.
class Ratio {
 public:
  /// `wanted`: the ratio to reach; `what`: a literal.
  Ratio(const char* what, double wanted) : what_(what), wanted_(wanted) {}

  void add(double ours, double rival) {
    ours_.push_back(ours);
    rival_.push_back(rival);
    ratios_.push_back(rival / ours);
  }
  void print() {
    if (ratios_.empty()) return;
    std::printf("  %-28s ours %7.1f ns, rival %7.1f ns, ratio %.2f (%.2f - %.2f), wanted %.1f%s\n",
                what_, median(ours_), median(rival_), median(ratios_), ratios_.front(),
                ratios_.back(), wanted_, median(ratios_) < wanted_ ? "  MISSED" : "");
  }

 private:
  static double median(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }

  const char* what_;
  double wanted_;
  std::vector<double> ours_;
  std::vector<double> rival_;
  std::vector<double> ratios_;
};

}  // namespace synod::bench
