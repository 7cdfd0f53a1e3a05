// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tests/history/history.h"
#include "tests/history/report.h"

namespace synod::history {

/// The versions a server gave are its own account of the order: is the account true? Replays all
/// commits in version order on a map and asks of every operation that
///
///   V1  its reads and ranges, limits included, are what the map held at its read version;
///   V2  if it writes, they are also what the map held just before its commit version;
///   V3  commit versions are unique, and above the operation's own read version;
///   V4  real time is respected: whatever was acknowledged before it began has a version at most
///       its read version, and below its commit version. Read versions count as acknowledged, too.
///       A pinned operation, whose reader chose the version, is exempt on the reading side.
///
/// Complete and O(n log n), but it trusts the versions: run it beside a checker that does not. Its
/// data may be lists, numbers or plain values; at first all keys are missing.
///
/// An unknown outcome without a version: if a read saw one of its values, it is placed at the first
/// free version that its readers allow. Where a later mismatch may come of that, or of an unknown
/// delete or increment, the report is undecided and not bad.
///
/// Findings: "wrong-read", "wrong-range" (V1), "stale-commit", "stale-range-commit" (V2),
/// "duplicate-version", "version-order" (V3), "stale-read-version", "commit-not-after",
/// "read-version-back" (V4), "failed-write-visible", "missing-version".
[[nodiscard]] Report check_version_certificate(const std::vector<Operation>& operations);

}  // namespace synod::history
