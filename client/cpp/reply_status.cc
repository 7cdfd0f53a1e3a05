// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/reply_status.h"

#include <array>
#include <string>

#include "base/text.h"
#include "client/cpp/types.h"

namespace synod::client {
namespace {

using base::StatusCode;

struct CodeRow {
  std::string_view code;
  StatusCode status;
};

constexpr std::array kCodes{
    CodeRow{"CONFLICT", StatusCode::kBusy},
    CodeRow{"INVALID_OPERATION", StatusCode::kInvalidArgument},
    CodeRow{"LIMIT_EXCEEDED", StatusCode::kLimitExceeded},
    CodeRow{"BUSY", StatusCode::kBusy},
    CodeRow{"NO_SPACE", StatusCode::kNoSpace},
    CodeRow{"MEMORY_FULL", StatusCode::kNoSpace},
    CodeRow{"NO_QUORUM", StatusCode::kBusy},
    CodeRow{"NOT_LEADER", StatusCode::kBusy},
    CodeRow{"TIMEOUT", StatusCode::kTimeout},
    CodeRow{"OUTCOME_UNKNOWN", StatusCode::kOutcomeUnknown},
    CodeRow{"OUTCOME_FORGOTTEN", StatusCode::kOutcomeUnknown},
    CodeRow{"TOO_OLD", StatusCode::kNotFound},
    CodeRow{"UNKNOWN_NAMESPACE", StatusCode::kNotFound},
    CodeRow{"UNAUTHENTICATED", StatusCode::kInvalidArgument},
    CodeRow{"PERMISSION_DENIED", StatusCode::kInvalidArgument},
};

}  // namespace

base::Status status_of_reply(std::string_view code, std::string_view text) {
  if (code.empty()) {
    return {StatusCode::kInternal, std::string(text.empty() ? "unspecified failure" : text)};
  }
  StatusCode status = StatusCode::kInternal;
  for (const CodeRow& row : kCodes) {
    if (row.code == code) status = row.status;
  }
  return {status, text.empty() ? std::string(code)
                               : base::concat(std::string(code), ": ", std::string(text))};
}

std::string_view commit_state_name(CommitState state) {
  switch (state) {
    case CommitState::kCommitted:
      return "committed";
    case CommitState::kConflict:
      return "conflict";
    case CommitState::kRefused:
      return "refused";
    case CommitState::kUnknown:
      return "unknown";
  }
  SYNOD_ASSERT(false, "every CommitState has a name");
}

}  // namespace synod::client
