// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "base/dispatcher.h"
#include "base/function.h"
#include "base/status.h"
#include "consensus/log/paxos_log.h"
#include "consensus/protocol/types.h"
#include "consensus/runtime/inbox.h"

namespace synod::consensus {

/// The log strand: one frame, one write, one sync at a time. What arrives meanwhile goes into the
/// next frame.
///
/// Owned by ReplicaRuntime. Invariants
///   D3  frames become durable in the order of their tickets; `on_durable` names the newest ticket
///       of a frame after its sync;
///   W2  a frame that carries a chain or ends an unknown tail is written as it came: what it
///       claims about the past was durable when the replica made it.
///
/// Threads: the calls come from any thread; all work, and the callbacks, happen on the log strand;
/// only segments are prepared on the background strand.
/// Failure: a full disk holds everything back until there is space again, and the replica notices
/// that its disk hangs. Any other error of the log goes to `on_failed` once, and nothing is written
/// afterwards.
class LogWriter {
 public:
  struct Events {
    base::Function<void(const Persist&)> on_durable;
    base::Function<void(const base::Status&)> on_failed;
  };
  struct Options {
    std::size_t frame_bytes = 4 << 20;            ///< Frames are merged up to here.
    base::Nanos space_retry = base::Millis(100);  ///< On a full disk.
  };
  LogWriter(base::Dispatcher& log_strand, base::Dispatcher& background, PaxosLog& log,
            Options options, Events events);

  void write(Persist frame) { inbox_.push(std::move(frame)); }
  /// Slots up to `slot` are no longer needed.
  void cut(Slot slot) { inbox_.push(Cut{slot}); }
  /// One superblock write that makes another directory the state. `done` runs on the log strand
  /// and is not called if the log fails.
  void switch_state(std::string directory, Slot base, Chain chain, base::Function<void()> done) {
    inbox_.push(Switch{std::move(directory), base, std::move(chain), std::move(done)});
  }

 private:
  struct Cut {
    Slot slot;
  };
  struct Switch {
    std::string directory;
    Slot base;
    Chain chain;
    base::Function<void()> done;
  };
  using Request = std::variant<Persist, Cut, Switch>;

  void handle(std::vector<Request>& requests);
  void go_on();
  /// Takes from the front of waiting_ what is done.
  [[nodiscard]] base::Status carry_out();
  [[nodiscard]] base::Status carry_out_first();
  [[nodiscard]] base::Status write_in_parts(const Persist& frame);
  [[nodiscard]] base::Status cut_all();
  [[nodiscard]] base::Status write_frame(Persist& frame);
  /// Makes the next segment ready beside the frames that are written meanwhile.
  void prepare_segment();
  void note(const base::Status& status);

  base::Dispatcher& strand_;
  base::Dispatcher& background_;
  PaxosLog& log_;
  Options options_;
  Events events_;
  std::deque<Request> waiting_;
  bool has_failed_ = false;
  bool is_full_ = false;  ///< The disk is; a timer runs.
  bool is_preparing_ = false;
  Inbox<Request> inbox_;
};

/// True if the frames may become one; then `into` is both.
[[nodiscard]] bool merge_frames(Persist& into, Persist& next, std::size_t bytes_max);

}  // namespace synod::consensus
