// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tests/history/history.h"
#include "tests/history/memory_store.h"

namespace synod::history {

struct GeneratorOptions {
  std::uint64_t seed = 1;
  std::uint64_t operations = 1'000;
  std::uint32_t processes = 10;
  std::uint32_t keys = 10;
  std::uint32_t appends_per_list = 100;
  double unknown = 0.02;  ///< Of the writes: the answer is lost, and they happen later or never.
  double fail = 0.02;     ///< Answered as failed, and certainly not done.
};

/// Histories of a store that is correct by construction, with operations that overlap at random: on
/// one thread, each operation takes effect at a moment of its own between invocation and answer.

/// Reads, writes, deletes and compare-and-swap of single keys; without versions.
[[nodiscard]] std::vector<Event> generate_registers(const GeneratorOptions& options);
/// Transactions that read, append and read ranges; with versions, also of unknown ones if they
/// happened and `tell_unknown`.
[[nodiscard]] std::vector<Event> generate_lists(const GeneratorOptions& options,
                                                bool tell_unknown = false);
/// Transactions that read, write, delete and read ranges of plain values; with versions.
[[nodiscard]] std::vector<Event> generate_rows(const GeneratorOptions& options);

}  // namespace synod::history
