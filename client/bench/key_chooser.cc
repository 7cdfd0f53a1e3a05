// SPDX-License-Identifier: Apache-2.0
#include "client/bench/key_chooser.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/assert.h"

namespace synod::client {

Zipf::Zipf(std::uint64_t count, double theta) : count_(static_cast<double>(count)), theta_(theta) {
  SYNOD_ASSERT(count > 0 && theta > 0, "a Zipf distribution has elements and is skewed");
  low_ = integral(1.5) - 1;
  high_ = integral(count_ + 0.5);
  sure_ = 2 - inverse(integral(2.5) - density(2));
}

double Zipf::density(double x) const { return std::exp(-theta_ * std::log(x)); }

double Zipf::integral(double x) const {
  const double power = 1 - theta_;
  const double log_x = std::log(x);
  // expm1 keeps the difference exact where theta is close to 1.
  return std::abs(power) < 1e-12 ? log_x : std::expm1(power * log_x) / power;
}

double Zipf::inverse(double y) const {
  const double power = 1 - theta_;
  if (std::abs(power) < 1e-12) return std::exp(y);
  return std::exp(std::log1p(std::max(-1.0, y * power)) / power);
}

std::uint64_t Zipf::rank(base::Random& random) const {
  for (;;) {
    const double y = high_ + random.unit() * (low_ - high_);
    const double x = inverse(y);
    const double nearest = std::clamp(std::floor(x + 0.5), 1.0, count_);
    if (nearest - x <= sure_ || y >= integral(nearest + 0.5) - density(nearest)) {
      return static_cast<std::uint64_t>(nearest) - 1;
    }
  }
}

Scramble::Scramble(std::uint64_t count) : count_(count) {
  SYNOD_ASSERT(count > 0 && count <= kKeysMax, "products of two key numbers fit into 64 bits");
  constexpr double kGoldenRatio = 0.6180339887498949;
  factor_ = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(static_cast<double>(count) * kGoldenRatio));
  while (std::gcd(factor_, count_) != 1) ++factor_;
  offset_ = count / 3;
}

KeyChooser::KeyChooser(const Workload& workload, std::uint64_t thread)
    : distribution_(workload.distribution),
      count_(workload.key_count),
      step_(workload.threads),
      position_(thread),
      scramble_(workload.key_count) {
  if (distribution_ == Distribution::kZipf) zipf_.emplace(count_, workload.theta);
}

std::uint64_t KeyChooser::next(base::Random& random) {
  switch (distribution_) {
    case Distribution::kUniform:
      return random.below(count_);
    case Distribution::kZipf:
      return scramble_.key_of(zipf_->rank(random));
    case Distribution::kSequential:
      break;
  }
  const std::uint64_t key = position_ % count_;
  position_ += step_;
  return key;
}

}  // namespace synod::client
