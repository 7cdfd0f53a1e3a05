// SPDX-License-Identifier: Apache-2.0
#include "client/bench/tally.h"

#include <algorithm>

namespace synod::client {

void ErrorCounts::add(base::BytesView code, std::uint64_t count) {
  for (auto& [name, so_far] : by_code_) {
    if (name == code) {
      so_far += count;
      return;
    }
  }
  by_code_.emplace_back(code, count);
}

void ErrorCounts::merge(const ErrorCounts& other) {
  for (const auto& [name, count] : other.by_code_) add(name, count);
}

std::uint64_t ErrorCounts::total() const {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : by_code_) sum += count;
  return sum;
}

void Tally::merge(const Tally& other) {
  reads.merge(other.reads);
  writes.merge(other.writes);
  answered += other.answered;
  missing += other.missing;
  wrong += other.wrong;
  unsent += other.unsent;
  per_second.resize(std::max(per_second.size(), other.per_second.size()));
  for (std::size_t i = 0; i < other.per_second.size(); ++i) per_second[i] += other.per_second[i];
  errors.merge(other.errors);
  if (first_loss.empty()) first_loss = other.first_loss;
}

}  // namespace synod::client
