// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/function.h"
#include "consensus/protocol/types.h"
#include "core/outcome.h"

namespace synod::router {

/// The commands of this process that have no outcome yet, and how far the owner of the present
/// ballot has them: a numbered channel for each ballot, in the order of submission.
///
/// Owned by ConsensusRouter.
///
/// Invariants
///   PC1  within one ballot commands get numbers 1, 2, 3… in the order of their sequences; the
///        same number always means the same command;
///   PC2  a command changes from "handed out" back to "waiting" only when a fence passed its ballot
///        or its owner said that it did not and will not propose it;
///   PC3  every command ends once.
///
/// Threads: externally synchronized. Pure: no clock, no I/O; what ends is handed to the caller.
class PendingCommands {
 public:
  using Done = base::Function<void(core::Outcome)>;
  struct Command {
    base::Bytes bytes;  ///< As encode_command made it.
    Done done;
    base::Nanos submitted{0};
    std::optional<base::Nanos> deadline;  ///< Nobody waits after it.
  };
  struct Finished {
    Done done;
    core::Outcome outcome;
    base::Nanos submitted{0};
  };
  struct HandOut {
    std::uint64_t number = 0;
    std::uint64_t sequence = 0;
    const base::Bytes* bytes = nullptr;  ///< Until the next call.
  };
  struct Patience {
    base::Nanos hold{0};     ///< What was not handed out waits so long.
    base::Nanos outcome{0};  ///< What was waits so long for what became of it.
  };

  explicit PendingCommands(std::uint64_t window_bytes) : window_bytes_(window_bytes) {}

  /// The sequence that the next add() gives.
  [[nodiscard]] std::uint64_t next_sequence() const { return next_sequence_; }
  void add(Command command);

  /// The next command for the owner of the present ballot, or one that it has to be given again;
  /// none: all have been, the window is full, or the owner takes no more.
  [[nodiscard]] std::optional<HandOut> next();
  /// The last hand-out did not leave: next() gives it again.
  void take_back();
  /// What may have been lost on the way is handed out again, from `number` or what is not known to
  /// have arrived.
  void rewind(std::uint64_t number = 0);
  /// The owner has everything below `number`.
  void on_consumed(std::uint64_t number);

  /// Seen in the log. What was handed out before it in this ballot and has not been seen was
  /// refused, whatever became of the word.
  [[nodiscard]] std::vector<Finished> on_executed(std::uint64_t sequence, core::Outcome outcome);
  /// The owner does not propose any more in this ballot: the command waits for the next. What was
  /// given out more than once stays in doubt: an earlier copy may be in the log.
  void on_not_leading(std::uint64_t number);
  /// The owner refused this one for good.
  [[nodiscard]] std::optional<Finished> on_refused(std::uint64_t number, core::Outcome outcome);
  /// Nothing handed out before and not seen by now was or will be executed: it waits again. What
  /// may stand at slots that were skipped ends as unknown.
  [[nodiscard]] std::vector<Finished> pass_fence();
  /// An image took over: what is handed out may have been executed unseen.
  void on_skipped();

  /// `held` is what those are told that could not be handed out in time.
  [[nodiscard]] std::vector<Finished> expire(base::Nanos now, const Patience& patience,
                                             const core::Outcome& held);
  [[nodiscard]] std::vector<Finished> end_all();

  [[nodiscard]] std::size_t size() const { return live_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Handed out, and not known to have arrived; 0: all has.
  [[nodiscard]] std::uint64_t first_unconsumed() const {
    return consumed_ < last_number_ ? consumed_ + 1 : 0;
  }
  [[nodiscard]] std::uint64_t consumed() const { return consumed_; }

 private:
  struct Entry {
    Command command;
    std::uint64_t number = 0;  ///< In the present ballot; 0: waits.
    bool is_ended = false;     ///< Told to its caller; kept for the channel.
    bool may_be_skipped = false;
    bool was_repeated = false;  ///< Given out more than once under its number.
  };
  using Entries = std::map<std::uint64_t, Entry>;

  Finished finish(Entry& entry, core::Outcome outcome);
  void drop(Entries::iterator which);
  void release_consumed();
  [[nodiscard]] Entries::iterator by_number(std::uint64_t number);

  const std::uint64_t window_bytes_;
  Entries entries_;  ///< By sequence.
  std::uint64_t next_sequence_ = 1;
  std::size_t live_ = 0;
  std::uint64_t bytes_ = 0;  ///< Of live ones.

  // Of the present ballot.
  std::uint64_t cursor_ = 0;           ///< Every sequence up to here was looked at.
  std::deque<std::uint64_t> channel_;  ///< Sequences by number, from first_number_ on.
  std::uint64_t first_number_ = 1;
  std::uint64_t last_number_ = 0;
  std::uint64_t resend_ = 0;         ///< The next number to give again; 0: none.
  std::uint64_t cursor_number_ = 0;  ///< Of the last hand-out.
  std::uint64_t consumed_ = 0;
  std::uint64_t in_flight_bytes_ = 0;
  bool is_closed_ = false;
};

}  // namespace synod::router
