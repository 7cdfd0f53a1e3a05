// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/dispatcher.h"
#include "base/random.h"
#include "consensus/runtime/replica_runtime.h"
#include "net/peer_transport.h"
#include "router/direct_router.h"
#include "router/replicated.h"
#include "router/replicated_state_machine.h"
#include "router/request_gate.h"
#include "router/request_router.h"
#include "router/stamp_clock.h"
#include "router/warming.h"

namespace synod::router {

/// What the consensus strand shows of the replica, after each batch that changed it.
struct GroupView {
  consensus::Ballot promised;
  std::optional<consensus::ReplicaId> leader;
  bool leads = false;  ///< This replica, and its barrier is decided.
};

/// The router of replicated mode. Every node takes every request: operations become commands of the
/// group's log through whoever leads, reads wait for a read index and are answered by the tables of
/// this node.
///
/// The outcome of a command comes from the log and from nowhere else: whoever submitted it sees it
/// executed in its own replica's stream, or fenced, or passed by a newer fence without having been
/// seen, which means that it never will be (docs/decisions/0013-outcomes-come-from-the-log.md).
///
/// Owned by Replicated.
///
/// Invariants: R1 to R3 of RequestRouter, and
///   CR1  a command is proposed only in the ballot of the newest fence applied here, by the owner
///        of that ballot, which proposes it in that very ballot or not at all;
///   CR2  a command is proposed again only after a fence passed it: never twice in one log;
///   CR3  commands of one process enter the log of one ballot in the order of their submission;
///   CR4  an outcome is "unknown" only if the command may have been proposed and the fence of its
///        ballot has not passed when its time is up, or an image skipped the slots it may stand at.
///
/// Threads: RequestRouter's; apply events on the apply strand, frames on the transport's
/// dispatcher, views on the consensus strand.
class ConsensusRouter final : public RequestRouter, public ApplyListener {
 public:
  ConsensusRouter(const ReplicatedOptions& options, base::Dispatcher& timers,
                  base::Dispatcher& apply, net::PeerTransport& transport,
                  ReplicatedStateMachine& machine, base::Random random,
                  const std::vector<base::Dispatcher*>& pool);
  ~ConsensusRouter() override;

  /// Once, before the replica starts; on the apply strand, or before it runs. `runtime` outlives
  /// the router's last call.
  void attach(consensus::ReplicaRuntime& runtime, consensus::ClusterId cluster,
              const consensus::StateLabel& label);
  void start();
  /// Refuses what comes, ends what waits.
  void close();

  void submit(core::KvOperation operation, const RequestContext& context,
              base::Function<void(core::Outcome)> done) override;
  void read(core::PointReadRequest request, const RequestContext& context,
            base::Function<void(core::PointReadReply)> done) override;
  void read_range(core::RangeReadRequest request, const RequestContext& context,
                  base::Function<void(core::RangeReadReply)> done) override;
  void read_version(const RequestContext& context,
                    base::Function<void(core::VersionReply)> done) override;
  [[nodiscard]] std::vector<NodeView> nodes() const override;
  [[nodiscard]] DatabaseCounters counters() const override;

  void on_executed(const CommandId& id, consensus::Slot slot,
                   core::ExecutionResult& result) override;
  void on_fenced(const CommandId& id, consensus::Slot slot) override;
  void on_hash_mark(const CommandId& id, consensus::Slot slot,
                    const core::StateHash& hash) override;
  void on_fence(const consensus::Ballot& fence, consensus::Slot slot) override;
  void on_skipped(const consensus::StateLabel& label) override;

  void on_group(const GroupView& view);
  void on_peer_frame(net::PeerId from, const base::Bytes& frame);
  void on_peer_connected(net::PeerId peer);

  /// The hash of every replica at one position of the log: of this one, and of those that answered
  /// in time. None: the mark was not decided.
  struct HashReport {
    std::uint32_t node_id = 0;
    std::uint64_t slot = 0;
    core::StateHash hash;
  };
  void compare_hashes(base::Function<void(std::vector<HashReport>)> done);

  /// What the process learns of its surroundings.
  [[nodiscard]] RequestGate& gate();
  void set_log_bytes(std::uint64_t bytes);
  void set_endpoint(std::string endpoint);
  [[nodiscard]] StorageWaits storage_waits() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace synod::router
