// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace synod::base {

/// A seeded generator (xoshiro256**), passed by value or reference, never global. The same seed
/// gives the same sequence on every machine. Not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  /// Uniform over all 64-bit values.
  std::uint64_t next();
  /// Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [low, high]. REQUIRES: low <= high.
  std::int64_t between(std::int64_t low, std::int64_t high);
  /// Uniform in [0, 1).
  double unit();
  /// True with probability `p`.
  bool chance(double p) { return unit() < p; }
  /// An independent generator seeded from this one.
  Random fork() { return Random(next()); }

 private:
  std::array<std::uint64_t, 4> state_;
};

/// Fills `size` bytes from the operating system's generator; for identities and hash keys.
void system_random(char* out, std::size_t size);

}  // namespace synod::base
