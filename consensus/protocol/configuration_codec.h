// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "consensus/protocol/types.h"

// Configurations as bytes: the commands of stop-signs and learner entries, and the chain in
// superblocks and snapshots. Part of the log format: fields are only ever added at the end, with
// a new version in front.
namespace synod::consensus {

[[nodiscard]] base::Bytes encode_next(const NextConfiguration& next);
/// kCorruption if malformed, or if no group could run it: no voters, an id twice, a leader who is
/// no voter, a guard outside 1 ms to 1 h.
[[nodiscard]] base::Result<NextConfiguration> decode_next(base::BytesView bytes);

[[nodiscard]] base::Bytes encode_learner_change(const LearnerChange& change);
[[nodiscard]] base::Result<LearnerChange> decode_learner_change(base::BytesView bytes);

[[nodiscard]] base::Bytes encode_chain(const Chain& chain);
/// kCorruption also for an empty chain, ids or first slots that do not grow.
[[nodiscard]] base::Result<Chain> decode_chain(base::BytesView bytes);

/// What decode_next checks, for who is about to propose it.
[[nodiscard]] base::Status check_next(const NextConfiguration& next);

}  // namespace synod::consensus
