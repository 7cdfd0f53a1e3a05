// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "router/cold_reads.h"
#include "router/consensus_router.h"
#include "router/forward_codec.h"
#include "router/forward_intake.h"
#include "router/pending_commands.h"
#include "router/read_gate.h"
#include "router/request_gate.h"
#include "router/warming.h"

namespace synod::router {

/// What ConsensusRouter keeps. `mutex` guards everything below it; completions are called without
/// it.
struct ConsensusRouter::State {
  State(const ReplicatedOptions& router_options, base::Dispatcher& timer_dispatcher,
        base::Dispatcher& apply_dispatcher, net::PeerTransport& peer_transport,
        ReplicatedStateMachine& state_machine, base::Random random,
        const std::vector<base::Dispatcher*>& pool);

  const ReplicatedOptions& options;
  const consensus::ReplicaId self;
  const RouterProcess process;
  base::Dispatcher& timers;
  base::Dispatcher& apply;
  net::PeerTransport& transport;
  ReplicatedStateMachine& machine;
  const base::Nanos started;
  base::Random random;
  RequestGate gate;
  ReadGate reads;
  ColdReads cold;
  Warming warming;
  std::atomic<std::uint64_t> log_bytes{0};
  std::atomic<bool> leads{false};
  std::atomic<std::uint64_t> cluster{0};

  /// What a peer said of itself.
  struct Neighbour {
    ForwardNode said;
    base::Nanos heard{0};
  };
  /// A comparison of hashes under way.
  struct Comparison {
    std::vector<HashReport> reports;
    std::size_t wanted = 0;
    base::Nanos give_up{0};
    base::Function<void(std::vector<HashReport>)> done;
  };

  mutable std::mutex mutex;
  consensus::ReplicaRuntime* runtime = nullptr;
  PendingCommands pending;
  ForwardIntake intake;
  std::optional<StampClock> stamps;  ///< While this node owns the fence.
  consensus::Ballot fence;           ///< The newest that was applied here.
  bool has_policy = false;           ///< Of the group; nothing else is proposed before it.
  bool is_blocked = false;           ///< A hand-out did not leave; the timer tries again.
  bool has_upkeep = false;           ///< An own Tick or policy is proposed and not decided.
  bool is_closed = false;
  std::uint64_t consumed_seen = 0;  ///< By the last look for a stall,
  base::Nanos stalled_since{0};     ///< and since when it has not changed.
  base::Nanos stall_patience{0};
  std::uint64_t rewound_to = 0;
  base::Nanos rewound_at{0};
  base::Nanos next_greeting{0};
  base::Nanos next_tick{0};
  GroupView view;
  std::string endpoint;
  std::map<net::PeerId, Neighbour> neighbours;
  std::map<std::uint64_t, Comparison> comparisons;  ///< By the sequence of their mark.

  using Lock = std::unique_lock<std::mutex>;

  [[nodiscard]] base::Nanos now() const { return timers.clock().boot_time(); }
  [[nodiscard]] bool owns_fence() const { return fence.owner == self; }
  [[nodiscard]] Fullness fullness() const;
  /// What a request is told that waited in vain: nobody leads, or somebody does and this node is
  /// not as far. Without the mutex.
  [[nodiscard]] core::Outcome held() const;
  template <class Reply>
  [[nodiscard]] Reply refuse_read() const {
    core::Outcome why = held();
    Reply reply;
    reply.code = why.code;
    reply.message = std::move(why.message);
    return reply;
  }

  // All with the mutex held.
  void pump();
  [[nodiscard]] bool hand_out(const PendingCommands::HandOut& next);
  void propose_own(base::Bytes command, std::uint64_t number);
  void propose_policy();
  void own_fence();
  [[nodiscard]] NodeView view_self(base::Nanos time) const;
  [[nodiscard]] NodeView view_of(const net::PeerView& peer, base::Nanos time) const;
  void look_for_stall(base::Nanos time);
  void greet(base::Nanos time);
  void note_policy();

  void on_timer();
  void tick_tables();
  void on_answer(const consensus::Ballot& ballot, std::uint64_t number,
                 const consensus::CommandOutcome& outcome);
  void on_message(net::PeerId from, const ForwardSubmit& message);
  void on_message(net::PeerId from, const ForwardRefused& message);
  void on_message(net::PeerId from, const ForwardExpect& message);
  void on_message(net::PeerId from, const ForwardHash& message);
  void on_message(net::PeerId from, const ForwardNode& message);
  void tell_refused(net::PeerId to, ForwardRefused refused,
                    const consensus::CommandOutcome& outcome);
  void refuse_number(const consensus::Ballot& ballot, std::uint64_t number,
                     ForwardRefused::Reason reason);
  void add_report(std::uint64_t sequence, const HashReport& report);
  void end_comparison(std::uint64_t sequence);
  void finish(std::vector<PendingCommands::Finished> finished);
  void observe(const core::Outcome& outcome, base::Nanos took) const;
  void pass(const RequestContext& context, ReadGate::Go go);
  /// Puts the operation into the log, from where its outcome comes.
  void order(const core::KvOperation& operation, PendingCommands::Command command);
  void refuse(PendingCommands::Command command, core::Outcome outcome);
  using Image = std::shared_ptr<const ReplicaImage>;
  /// From the tables as they are now; on the pool if a value is not in memory.
  template <class Request, class Reply>
  void read_now(const Image& image, Request request, const RequestContext& context,
                base::Function<void(Reply)> done);
  /// The same once the level that is asked for allows it.
  template <class Request, class Reply>
  void read_any(Request request, const RequestContext& context, base::Function<void(Reply)> done);
};

/// Of what a runtime answers to a proposal only refusals before the log count; the rest is read
/// from the log.
[[nodiscard]] std::optional<ForwardRefused::Reason> refusal_of(
    const consensus::CommandOutcome& outcome);

}  // namespace synod::router
