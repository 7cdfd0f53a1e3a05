// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace synod::base {

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

using Label = std::pair<std::string_view, std::string_view>;

/// Writes metric families in the Prometheus text format 0.0.4: family by family, each with all of
/// its samples.
///
/// Invariants
///   EX1  A family is written once, its HELP and TYPE before its samples.
///   EX2  Whatever label values and helps hold, a line stays one line of the format.
///
/// Threads: confined to its user.
class Exposition {
 public:
  /// Appends to `out`, which outlives this. `prefix` goes before every name but process_*.
  Exposition(std::string& out, std::string_view prefix) : out_(out), prefix_(prefix) {}

  /// Begins a family. REQUIRES: a name of [a-z0-9_] that no earlier family had.
  void family(std::string_view name, MetricType type, std::string_view help);
  void sample(std::span<const Label> labels, std::uint64_t value, std::string_view suffix = {});
  void sample(std::span<const Label> labels, double value, std::string_view suffix = {});

  /// A family of one sample.
  void gauge(std::string_view name, std::string_view help, double value);
  void counter(std::string_view name, std::string_view help, double value);

 private:
  void head(std::span<const Label> labels, std::string_view suffix);

  std::string& out_;
  const std::string_view prefix_;
  std::string name_;  ///< Of the family that is being written.
  std::set<std::string> written_;
};

/// The shortest text that reads back as the same number; "NaN", "+Inf", "-Inf".
[[nodiscard]] std::string format_sample(double value);

}  // namespace synod::base
