// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>

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

}  // namespace synod::bench
