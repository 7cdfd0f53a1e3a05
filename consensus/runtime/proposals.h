// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "consensus/protocol/learner.h"
#include "consensus/protocol/replica.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// What became of a proposed command.
struct CommandOutcome {
  enum class Kind : std::uint8_t {
    kApplied,      ///< Executed at `slot` with `result`.
    kNotExecuted,  ///< It took no effect and never will.
    kUnknown,      ///< It may take effect, now or later.
  };
  enum class Reason : std::uint8_t {
    kNone,
    kNotLeading,  ///< Ask `leader`.
    kBusy,        ///< Too much is undecided, or the leadership is being handed over.
    kRefused,     ///< The command can never be proposed as it stands.
    kOvertaken,   ///< Another value was decided at its slot.
    kFenced,      ///< Decided behind the barrier of a newer leader.
  };
  Kind kind = Kind::kUnknown;
  Reason reason = Reason::kNone;
  Slot slot;
  base::Bytes result;
  std::optional<ReplicaId> leader;
};

/// The commands of this process that wait for their outcome.
///
/// Owned by ReplicaRuntime. Invariant: every `done` is called exactly once, unless the process is
/// destroyed without stop(). Threads: confined to the consensus strand.
class Proposals {
 public:
  using Done = base::Function<void(CommandOutcome)>;

  void add(Slot slot, const Ballot& origin, Done done);
  /// Decided and handed to the state machine: who lost its slot, or was fenced, is told at once.
  void on_decided(const Delivery& delivery);
  void on_applied(Slot slot, base::Bytes result);
  /// The state now contains these slots; nobody knows their results.
  void on_skipped(Slot through);
  /// This process no longer leads in the ballots below `ballot`: what they proposed is still told
  /// if it is decided by `deadline`, and unknown after that.
  void on_deposed(const Ballot& ballot, Instant deadline);
  void on_tick(Instant now);
  void forget_all();
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    Done done;
    std::optional<Instant> deadline;
  };
  using Key = std::pair<Slot, Ballot>;
  void finish(std::map<Key, Waiting>::iterator which, CommandOutcome outcome);

  std::map<Key, Waiting> waiting_;
  bool has_deadlines_ = false;
};

}  // namespace synod::consensus
