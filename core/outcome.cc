// SPDX-License-Identifier: Apache-2.0
#include "core/outcome.h"

#include <utility>

#include "base/assert.h"

namespace synod::core {

std::string_view outcome_code_name(OutcomeCode code) {
  switch (code) {
    case OutcomeCode::kOk:
      return "";
    case OutcomeCode::kConflict:
      return "CONFLICT";
    case OutcomeCode::kInvalidOperation:
      return "INVALID_OPERATION";
    case OutcomeCode::kLimitExceeded:
      return "LIMIT_EXCEEDED";
    case OutcomeCode::kBusy:
      return "BUSY";
    case OutcomeCode::kNoSpace:
      return "NO_SPACE";
    case OutcomeCode::kMemoryFull:
      return "MEMORY_FULL";
    case OutcomeCode::kNoQuorum:
      return "NO_QUORUM";
    case OutcomeCode::kNotLeader:
      return "NOT_LEADER";
    case OutcomeCode::kTimeout:
      return "TIMEOUT";
    case OutcomeCode::kOutcomeUnknown:
      return "OUTCOME_UNKNOWN";
    case OutcomeCode::kOutcomeForgotten:
      return "OUTCOME_FORGOTTEN";
    case OutcomeCode::kUnauthenticated:
      return "UNAUTHENTICATED";
    case OutcomeCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case OutcomeCode::kInternal:
      return "INTERNAL";
    case OutcomeCode::kTooOld:
      return "TOO_OLD";
    case OutcomeCode::kUnknownNamespace:
      return "UNKNOWN_NAMESPACE";
  }
  SYNOD_ASSERT(false, "an OutcomeCode outside its enumeration");
}

std::string_view conflict_detail_name(ConflictDetail detail) {
  switch (detail) {
    case ConflictDetail::kNone:
      return "";
    case ConflictDetail::kRead:
      return "READ";
    case ConflictDetail::kTooOld:
      return "TOO_OLD";
    case ConflictDetail::kFuture:
      return "FUTURE";
    case ConflictDetail::kCheck:
      return "CHECK";
  }
  SYNOD_ASSERT(false, "a ConflictDetail outside its enumeration");
}

Outcome refused(OutcomeCode code, std::string message, std::int64_t retry_after_ms) {
  SYNOD_ASSERT(code != OutcomeCode::kOk, "a refusal has a reason");
  Outcome outcome;
  outcome.code = code;
  outcome.message = std::move(message);
  outcome.retry_after_ms = retry_after_ms;
  return outcome;
}

}  // namespace synod::core
