// SPDX-License-Identifier: Apache-2.0
#include "router/log_memory.h"

namespace synod::router {

void LogMemory::note(const consensus::SlotLog& log) {
  std::uint64_t bytes = bytes_.load(std::memory_order_relaxed);
  const auto drop_front = [&] {
    bytes -= sizes_.front();
    sizes_.pop_front();
    base_ = base_.next();
  };
  while (base_ < log.base() && !sizes_.empty()) drop_front();
  if (base_ < log.base()) base_ = log.base();
  // What was replaced in place is about as large as before; what was cut off at the end is gone.
  while (base_.value() + sizes_.size() > log.last().value()) {
    bytes -= sizes_.back();
    sizes_.pop_back();
  }
  while (base_.value() + sizes_.size() < log.last().value()) {
    const auto* record = log.find(consensus::Slot(base_.value() + sizes_.size() + 1));
    const bool has_command = record != nullptr && record->entry && record->entry->command;
    sizes_.push_back(sizeof(*record) + (has_command ? record->entry->command->size() : 0));
    bytes += sizes_.back();
  }
  bytes_.store(bytes, std::memory_order_relaxed);
}

}  // namespace synod::router
