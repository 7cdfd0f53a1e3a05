// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace synod::group {

/// Spans of time that a test measured, and how it prints them. Threads: externally synchronized.
class Figures {
 public:
  void add(std::chrono::milliseconds span) { spans_.push_back(span); }
  [[nodiscard]] std::size_t size() const { return spans_.size(); }
  /// REQUIRES: at least one span, here and below.
  [[nodiscard]] std::chrono::milliseconds min() const;
  [[nodiscard]] std::chrono::milliseconds median() const;
  [[nodiscard]] std::chrono::milliseconds max() const;
  /// "median 712 ms, 655 to 1019 (20)"; "none" without spans.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::chrono::milliseconds> spans_;
};

/// The number in an environment variable, or `otherwise`.
[[nodiscard]] int number_from(const char* variable, int otherwise);

/// Settings under which logs are cut and snapshots taken within seconds of load: who was away for
/// long comes back by an image.
[[nodiscard]] std::vector<std::string> small_logs();

}  // namespace synod::group
