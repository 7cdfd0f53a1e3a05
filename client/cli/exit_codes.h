// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"

namespace synod::client {

/// What synodctl tells the shell. Part of its interface: never renumber.
enum ExitCode : int {
  kExitOk = 0,
  kExitError = 1,
  kExitUsage = 2,
  kExitNotFound = 3,  ///< Only with --fail-if-missing.
  kExitNotReady = 4,  ///< No server, no leader, or too busy: try again.
  kExitVerificationFailed = 5,
};

[[nodiscard]] inline ExitCode exit_code_of(const base::Status& status) {
  switch (status.code()) {
    case base::StatusCode::kOk:
      return kExitOk;
    case base::StatusCode::kClosed:
    case base::StatusCode::kBusy:
      return kExitNotReady;
    default:
      return kExitError;
  }
}

}  // namespace synod::client
