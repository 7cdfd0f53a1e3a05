// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "tests/history/history.h"

namespace synod::history {

/// A small history made by hand, and what a checker must say about it.
struct Case {
  std::string name;
  std::string expect;  ///< "ok", "undecided", or the anomaly.
  std::vector<Event> events;
};

/// Reads a file of cases:
///
///   case NAME: EXPECTATION
///   PROCESS TYPE [rv=N] [cv=N] [pinned] STEP; STEP; ...
///   # a comment
///
/// PROCESS is a letter; TYPE is invoke, ok, fail, info, or `do`, which stands for invoke and ok in
/// one moment. A completion without steps has those of the invocation. Steps:
///
///   r KEY [VALUE | - | [E,E,...]]    w KEY VALUE    del KEY    cas KEY OLD NEW [yes | no]
///   append KEY E    inc KEY N    range BEGIN END [limit=N] [{K=V K=V ...}]
///
/// `-` is a missing key, or as END the end of all keys.
[[nodiscard]] base::Result<std::vector<Case>> read_cases(const std::string& path);

}  // namespace synod::history
