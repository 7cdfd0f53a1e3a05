// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "consensus/protocol/election.h"
#include "consensus/protocol/learner.h"
#include "consensus/protocol/messages.h"
#include "consensus/protocol/pipeline.h"
#include "consensus/protocol/snapshot_pull.h"
#include "consensus/protocol/snapshot_task.h"

// What goes into a replica and comes out of it, as values: docs/PROTOCOL.md section 2.
namespace synod::consensus {

struct Options {
  Member self;
  ClusterId cluster;
  Timing timing;
  Limits limits;
  SnapshotPullOptions snapshot_pull;
  bool reads_by_lease = false;  ///< Needs the clock assumption of docs/PROTOCOL.md section 9.
};

/// What one batch of inputs leads to. The caller writes `persist` as one frame, sends `send_now`
/// at once, and each of `send_after_durable` when its ticket is durable.
struct Output {
  struct Deferred {
    Ticket ticket;
    Envelope envelope;
  };
  struct Read {
    ReadContext context;
    std::optional<Slot> index;  ///< None: failed, ask again elsewhere.
  };
  std::optional<Persist> persist;
  std::vector<Envelope> send_now;
  std::vector<Deferred> send_after_durable;
  std::vector<Delivery> apply;
  std::vector<Read> reads;
  std::vector<SnapshotTask> snapshot_tasks;
  /// A peer needs a snapshot and this replica has none of at least this slot: take one, then call
  /// snapshot_taken().
  std::optional<Slot> snapshot_needed;
  /// What peers sent that cannot be right: one line each, for the log.
  std::vector<std::string> complaints;
};

struct Proposed {
  enum class Code : std::uint8_t { kTaken, kNotLeading, kBusy, kRefused };
  Code code = Code::kNotLeading;
  Slot first;     ///< Taken: the commands have consecutive slots from here,
  Ballot origin;  ///< and this origin. Another origin applied there: definitely not executed.
  std::optional<ReplicaId> leader;
};

}  // namespace synod::consensus
