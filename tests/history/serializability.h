// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tests/history/history.h"
#include "tests/history/report.h"

namespace synod::history {

/// Is a history of transactions on lists strictly serializable? Takes part: every operation all of
/// whose steps are list reads, appends and ranges over lists. An element is appended to a key at
/// most once in the whole history; nothing is ever removed.
///
/// The lists themselves tell the order of the appends, so that every dependency can be read off:
/// who wrote what was read (wr), who wrote before (ww), who overwrote what was read (rw; a range
/// read counts as a read of every key in the range, absent ones too, so phantoms show), and who was
/// acknowledged before whom began. A cycle is a proof; its class says what kind of isolation is
/// broken. A transaction with an unknown outcome took place if anybody saw an element of it.
///
/// Findings: "duplicate-elements", "unwritten-element", "G1a" (read of a failed append), "G1b"
/// (read of a transaction's middle), "internal" (a transaction contradicts itself),
/// "incompatible-order", "lost-append", "read-from-future", "range-order", and the cycles of
/// dependency_graph.h.
[[nodiscard]] base::Result<Report> check_serializability(const std::vector<Operation>& operations);

}  // namespace synod::history
