// SPDX-License-Identifier: Apache-2.0
#include "tests/group/figures.h"

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"
#include "base/text.h"

namespace synod::group {

std::chrono::milliseconds Figures::min() const {
  SYNOD_ASSERT(!spans_.empty(), "something was measured");
  return *std::min_element(spans_.begin(), spans_.end());
}

std::chrono::milliseconds Figures::median() const {
  SYNOD_ASSERT(!spans_.empty(), "something was measured");
  auto sorted = spans_;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

std::chrono::milliseconds Figures::max() const {
  SYNOD_ASSERT(!spans_.empty(), "something was measured");
  return *std::max_element(spans_.begin(), spans_.end());
}

std::string Figures::text() const {
  if (spans_.empty()) return "none";
  return base::concat("median ", median().count(), " ms, ", min().count(), " to ", max().count(),
                      " (", spans_.size(), ")");
}

int number_from(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? static_cast<int>(std::strtol(text, nullptr, 10)) : otherwise;
}

// Who was away for long needs an image, and the group has taken the next ones before it is
// installed.
std::vector<std::string> small_logs() {
  return {"database.log_segment_bytes=1048576", "limits.commit_bytes_max=524288",
          "limits.value_bytes_max=262144", "consensus.snapshot_every_slots=1000",
          "consensus.keep_slots=100"};
}

}  // namespace synod::group
