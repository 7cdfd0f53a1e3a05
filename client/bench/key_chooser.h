// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "client/bench/workload.h"

namespace synod::client {

/// Ranks 0..count-1 with probability proportional to 1/(rank+1)^theta, exactly, without a table:
/// rejection from the integral of the density (Hoermann and Derflinger, 1996). Gray's formula of
/// 1994, which other load generators use, is off by some per cent from the third rank on.
class Zipf {
 public:
  /// REQUIRES: count > 0, theta > 0.
  Zipf(std::uint64_t count, double theta);
  [[nodiscard]] std::uint64_t rank(base::Random& random) const;

 private:
  [[nodiscard]] double density(double x) const;
  [[nodiscard]] double integral(double x) const;
  [[nodiscard]] double inverse(double y) const;

  const double count_;
  const double theta_;
  double low_ = 0;   ///< Integral up to where rank 0 ends, less its density.
  double high_ = 0;  ///< Integral up to the end.
  double sure_ = 0;  ///< So close to a whole number is always inside.
};

/// Spreads neighbouring ranks over all keys: a permutation, so that each key has exactly one rank.
class Scramble {
 public:
  /// REQUIRES: 0 < count <= kKeysMax.
  explicit Scramble(std::uint64_t count);
  [[nodiscard]] std::uint64_t key_of(std::uint64_t rank) const {
    return (rank * factor_ + offset_) % count_;
  }

 private:
  const std::uint64_t count_;
  std::uint64_t factor_ = 1;  ///< Has no divisor in common with count_.
  std::uint64_t offset_ = 0;
};

/// Says which key is next. Threads: one for each.
class KeyChooser {
 public:
  /// Sequential keys are dealt out: thread t of n has t, t + n, t + 2n, ...
  KeyChooser(const Workload& workload, std::uint64_t thread);
  [[nodiscard]] std::uint64_t next(base::Random& random);

 private:
  const Distribution distribution_;
  const std::uint64_t count_;
  const std::uint64_t step_;
  std::uint64_t position_;
  std::optional<Zipf> zipf_;
  Scramble scramble_;
};

}  // namespace synod::client
