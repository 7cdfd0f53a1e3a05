// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/kv_service_core.h"
#include "core/kv_store_executor.h"
#include "core/transactional_kv_database.h"
#include "storage/storage_backend.h"
#include "tests/core/model_database.h"
#include "tests/core/operation_stream.h"

namespace synod::core {

/// The determinism gate: one stream of operations into databases that live very different lives.
///
///   steady     never stops
///   crashing   is killed at random points and recovered from its rows and the log
///   restored   is replaced midway by a copy of another one's rows
///   tight      keeps almost no history and does its housekeeping at odd moments
///   spilled    has no room for any value that may leave, and is killed like crashing
///   cramped    has room for some values and for history of which values have left
///   model      is a brute-force map that never sweeps
///
/// After every operation outcome, version and clock must be equal; from time to time the state
/// hash and the contents of tables and rows as well.
class Twins {
 public:
  explicit Twins(std::uint64_t seed);
  ~Twins();
  /// Runs `operations` more; the first difference as text, or nothing.
  [[nodiscard]] std::optional<std::string> run(std::uint64_t operations);
  /// Outcomes by code, to show that the stream reaches the rules.
  [[nodiscard]] std::uint64_t seen(OutcomeCode code) const {
    return seen_[static_cast<std::size_t>(code)];
  }
  [[nodiscard]] std::uint64_t crashes() const { return crashes_; }
  /// What the two that drop values did, to show that they do.
  [[nodiscard]] const MemoryStatus& memory_work() const { return memory_work_; }

 private:
  struct Twin;
  [[nodiscard]] std::optional<std::string> keep_memory(Twin& twin);
  void count_work(const Twin& twin);
  [[nodiscard]] std::optional<std::string> step();
  [[nodiscard]] std::optional<std::string> compare_deeply();
  [[nodiscard]] std::optional<std::string> compare_reads();
  [[nodiscard]] std::optional<std::string> crash(Twin& twin);

  OperationStream stream_;
  base::Random random_;
  std::vector<std::unique_ptr<Twin>> twins_;
  ModelDatabase model_;
  KvServiceCore model_core_{model_};
  std::vector<KvOperation> log_;  ///< From log_first_ on.
  std::uint64_t log_first_ = 1;
  std::uint64_t index_ = 0;
  std::uint64_t crashes_ = 0;
  MemoryStatus memory_work_;
  std::array<std::uint64_t, 32> seen_{};
};

}  // namespace synod::core
