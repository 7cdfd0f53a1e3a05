// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "core/types.h"

namespace synod::core {

/// How a request ended. The names are what clients see as error_code. Values are stored in token
/// rows: never renumber.
enum class OutcomeCode : std::uint8_t {
  kOk = 0,
  kConflict = 1,           ///< Did not apply; retry with a new read version.
  kInvalidOperation = 2,   ///< Did not apply and never can.
  kLimitExceeded = 3,      ///< Did not apply; the message names limit and value.
  kBusy = 4,               ///< Refused before the log: a queue is full.
  kNoSpace = 5,            ///< Refused before the log: the disk reserve is reached.
  kMemoryFull = 6,         ///< Refused before the log: keys and metadata fill the memory limit.
  kNoQuorum = 7,           ///< Refused before the log.
  kNotLeader = 8,          ///< Refused before the log.
  kTimeout = 9,            ///< Refused before the log: the deadline passed first.
  kOutcomeUnknown = 10,    ///< Perhaps applied.
  kOutcomeForgotten = 11,  ///< Perhaps applied earlier; its token row was dropped.
  kUnauthenticated = 12,
  kPermissionDenied = 13,
  kInternal = 14,
  kTooOld = 15,            ///< Reads only: the version lies below the snapshot floor.
  kUnknownNamespace = 16,  ///< Reads that ask for it: nobody ever wrote the namespace.
};

/// "CONFLICT", "INVALID_OPERATION", ...; "" for kOk.
[[nodiscard]] std::string_view outcome_code_name(OutcomeCode code);

/// Which rule made a conflict.
enum class ConflictDetail : std::uint8_t {
  kNone = 0,
  kRead = 1,
  kTooOld = 2,
  kFuture = 3,
  kCheck = 4
};
/// "READ", "TOO_OLD", "FUTURE", "CHECK"; "" for kNone.
[[nodiscard]] std::string_view conflict_detail_name(ConflictDetail detail);

/// What one step produced.
struct StepResult {
  bool existed = false;  ///< The key was there before (kClearRange: any key was).
  std::int64_t number =
      0;  ///< kIncrement: the new value. kClearRange: keys removed. kAppend: length.
  base::Bytes generated;  ///< Stamped kinds: the key or value as stored.

  template <class Archive>
  void serialize(Archive& ar) {
    ar(existed, number, generated);
  }
  bool operator==(const StepResult&) const = default;
};

/// The result of an operation, equal on every replica when it went through the log.
struct Outcome {
  OutcomeCode code = OutcomeCode::kOk;
  ConflictDetail detail = ConflictDetail::kNone;
  Version version{0};   ///< The committed version; 0 unless kOk.
  std::string message;  ///< For people; valid UTF-8, keys escaped. Empty if kOk.
  std::vector<StepResult> results;
  std::int64_t retry_after_ms = 0;  ///< Hint with kBusy, kNoSpace; 0: none.

  [[nodiscard]] bool ok() const { return code == OutcomeCode::kOk; }
  bool operator==(const Outcome&) const = default;
};

/// An outcome of which nothing applied.
[[nodiscard]] Outcome refused(OutcomeCode code, std::string message,
                              std::int64_t retry_after_ms = 0);

}  // namespace synod::core
