// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace synod::history {

enum class Verdict : std::uint8_t {
  kOk,       ///< Everything that could be checked was, and nothing is wrong.
  kBad,      ///< At least one finding; each is a proof.
  kUnknown,  ///< A limit was reached, or unknown outcomes leave it open. Never counted as passed.
};

/// One thing that cannot have happened in a correct store.
struct Finding {
  std::string anomaly;      ///< A stable name: "stale-read", "G1a", "lost-append", ...
  std::string explanation;  ///< For people, several lines.
};

/// What a checker says about a history.
struct Report {
  std::vector<Finding> findings;
  std::vector<std::string> undecided;  ///< What could not be judged, and why.
  std::uint64_t checked = 0;           ///< Operations that took part.

  [[nodiscard]] Verdict verdict() const {
    if (!findings.empty()) return Verdict::kBad;
    return undecided.empty() ? Verdict::kOk : Verdict::kUnknown;
  }
  [[nodiscard]] bool has(std::string_view anomaly) const {
    for (const Finding& finding : findings) {
      if (finding.anomaly == anomaly) return true;
    }
    return false;
  }
  void add(std::string anomaly, std::string explanation) {
    findings.push_back({std::move(anomaly), std::move(explanation)});
  }
  void merge(Report other) {
    for (Finding& finding : other.findings) findings.push_back(std::move(finding));
    for (std::string& reason : other.undecided) undecided.push_back(std::move(reason));
    checked += other.checked;
  }
  /// "ok", "BAD" or "unknown", then the findings.
  [[nodiscard]] std::string to_string() const;
};

}  // namespace synod::history
