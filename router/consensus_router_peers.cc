// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "base/text.h"
#include "router/consensus_router.h"
#include "router/consensus_router_state.h"

// What the routers of a group say to each other, and what they know of each other.
namespace synod::router {
namespace {

constexpr base::Nanos kGreetEvery = std::chrono::seconds(1);
constexpr base::Nanos kSilentAfter = std::chrono::seconds(3);
constexpr base::Nanos kCompareFor = std::chrono::seconds(3);
constexpr base::Nanos kStallFirst = std::chrono::milliseconds(500);
constexpr base::Nanos kStallMax = std::chrono::seconds(4);

std::int64_t seconds(base::Nanos span) {
  return std::chrono::duration_cast<std::chrono::seconds>(span).count();
}

bool is_readable(base::BytesView bytes) {
  const auto command = decode_command(bytes);
  if (!command.ok()) return false;
  return command->kind != CommandKind::kOperation || core::decode_operation(command->payload).ok();
}

}  // namespace

void ConsensusRouter::on_peer_frame(net::PeerId from, const base::Bytes& frame) {
  const consensus::ClusterId cluster(state_->cluster.load());
  // The group may be formed elsewhere a moment before it is here.
  if (cluster == consensus::ClusterId()) return;
  const auto message = decode_forward(cluster, frame);
  if (!message.ok()) {
    base::log_warning("router", base::concat("node ", from.value(), " sent what cannot be read: ",
                                             message.status().to_string()));
    return;
  }
  std::visit([&](const auto& each) { state_->on_message(from, each); }, *message);
}

void ConsensusRouter::on_peer_connected(net::PeerId peer) {
  const std::lock_guard lock(state_->mutex);
  state_->next_greeting = {};
  if (peer.value() != state_->fence.owner.value()) return;
  state_->pending.rewind();
  state_->pump();
}

// ---- the owner's end

void ConsensusRouter::State::on_message(net::PeerId from, const ForwardSubmit& message) {
  const auto answer = [&](ForwardRefused::Reason reason) {
    (void)transport.send(
        from, net::PeerClass::kForward,
        encode_forward(consensus::ClusterId(cluster.load()),
                       ForwardRefused{message.ballot, message.process, message.number, reason}));
  };
  const std::lock_guard lock(mutex);
  // The submitter may have applied this node's barrier before this node has; the runtime knows
  // whether it leads in that ballot.
  const bool is_asked = message.ballot.owner == self && message.ballot >= fence;
  if (is_closed || runtime == nullptr || !is_asked) {
    return answer(ForwardRefused::Reason::kNotLeading);
  }
  const auto taken = intake.take(message.process, message.ballot, message.number);
  switch (taken.verdict) {
    case ForwardIntake::Verdict::kOldBallot:
      return answer(ForwardRefused::Reason::kNotLeading);
    case ForwardIntake::Verdict::kRepeated:
      // Told once for a run of them: the submitter learns that it had arrived.
      if (message.number + 1 != taken.expected) return;
      [[fallthrough]];
    case ForwardIntake::Verdict::kGap:
      (void)transport.send(
          from, net::PeerClass::kForward,
          encode_forward(consensus::ClusterId(cluster.load()),
                         ForwardExpect{message.ballot, message.process, taken.expected}));
      return;
    case ForwardIntake::Verdict::kTake:
      break;
  }
  // The submitter asked its own tables; these may come to their end sooner.
  if (machine.image()->database->has_no_room_for_tombstones()) {
    return answer(ForwardRefused::Reason::kBusy);
  }
  // What this build cannot read would end every replica that executes it.
  if (!is_readable(message.command)) return answer(ForwardRefused::Reason::kRefused);
  base::Bytes command(message.command);
  if (!stamps) stamps.emplace(timers.clock(), core::TimeMs(0));  // The tables never go back.
  stamp_command(command, stamps->now());
  const ForwardRefused refused{message.ballot, message.process, message.number, {}};
  runtime->propose_in(message.ballot, std::move(command),
                      [this, from, refused](const consensus::CommandOutcome& outcome) {
                        tell_refused(from, refused, outcome);
                      });
}

void ConsensusRouter::State::tell_refused(net::PeerId to, ForwardRefused refused,
                                          const consensus::CommandOutcome& outcome) {
  const auto reason = refusal_of(outcome);
  if (!reason) return;
  refused.reason = *reason;
  (void)transport.send(to, net::PeerClass::kForward,
                       encode_forward(consensus::ClusterId(cluster.load()), refused));
}

// ---- the submitter's end

void ConsensusRouter::State::on_message(net::PeerId /*from*/, const ForwardRefused& message) {
  if (message.process != process) return;
  refuse_number(message.ballot, message.number, message.reason);
}

void ConsensusRouter::State::on_message(net::PeerId /*from*/, const ForwardExpect& message) {
  const std::lock_guard lock(mutex);
  if (message.process != process || message.ballot != fence) return;
  // One gap is told once for each frame behind it; going back once is enough.
  const bool is_known = message.number == rewound_to && now() < rewound_at + base::Millis(100);
  pending.on_consumed(message.number);
  if (is_known) return;
  rewound_to = message.number;
  rewound_at = now();
  pending.rewind(message.number);
  pump();
}

/// Frames can be lost without a word: a queue was full, a connection broke and came back unseen.
void ConsensusRouter::State::look_for_stall(base::Nanos time) {
  const bool is_moving = pending.first_unconsumed() == 0 || pending.consumed() != consumed_seen;
  consumed_seen = pending.consumed();
  if (is_moving) {
    stalled_since = time;
    stall_patience = kStallFirst;
    return;
  }
  if (owns_fence() || time < stalled_since + stall_patience) return;
  stalled_since = time;
  stall_patience = std::min(2 * stall_patience, kStallMax);
  pending.rewind();
  pump();
}

// ---- state hashes

void ConsensusRouter::compare_hashes(base::Function<void(std::vector<HashReport>)> done) {
  State& state = *state_;
  bool is_refused = false;
  {
    const std::lock_guard lock(state.mutex);
    is_refused = state.is_closed;
    if (!is_refused) {
      const std::uint64_t sequence = state.pending.next_sequence();
      State::Comparison comparison;
      const auto peers = state.transport.views();
      comparison.wanted = 1 + static_cast<std::size_t>(std::count_if(
                                  peers.begin(), peers.end(),
                                  [](const net::PeerView& each) { return each.is_connected; }));
      comparison.give_up = state.now() + state.options.hold + kCompareFor;
      comparison.done = std::move(done);
      state.comparisons.emplace(sequence, std::move(comparison));
      PendingCommands::Command mark;
      mark.submitted = state.now();
      mark.bytes = encode_command({state.process, sequence}, CommandKind::kHashMark, {});
      mark.done = [&state, sequence](const core::Outcome& outcome) {
        if (!outcome.ok()) state.end_comparison(sequence);
      };
      state.gate.count_begin();
      state.pending.add(std::move(mark));
      state.pump();
    }
  }
  if (is_refused) done({});
}

void ConsensusRouter::on_hash_mark(const CommandId& id, consensus::Slot slot,
                                   const core::StateHash& hash) {
  State& state = *state_;
  if (id.process != state.process) {
    const base::Bytes frame = encode_forward(consensus::ClusterId(state.cluster.load()),
                                             ForwardHash{id, slot.value(), hash});
    for (const net::PeerView& peer : state.transport.views()) {
      (void)state.transport.send(peer.id, net::PeerClass::kForward, frame);
    }
    return;
  }
  std::vector<PendingCommands::Finished> finished;
  {
    const std::lock_guard lock(state.mutex);
    finished = state.pending.on_executed(id.sequence, core::Outcome());
    const auto found = state.comparisons.find(id.sequence);
    if (found != state.comparisons.end()) {
      found->second.give_up = state.now() + kCompareFor;
    }
    state.pump();
  }
  state.finish(std::move(finished));
  state.add_report(id.sequence, {state.self.value(), slot.value(), hash});
}

void ConsensusRouter::State::on_message(net::PeerId from, const ForwardHash& message) {
  if (message.mark.process != process) return;
  add_report(message.mark.sequence, {from.value(), message.slot, message.hash});
}

void ConsensusRouter::State::add_report(std::uint64_t sequence, const HashReport& report) {
  bool is_complete = false;
  {
    const std::lock_guard lock(mutex);
    const auto found = comparisons.find(sequence);
    if (found == comparisons.end()) return;
    auto& reports = found->second.reports;
    const bool is_new = std::none_of(reports.begin(), reports.end(), [&](const auto& each) {
      return each.node_id == report.node_id;
    });
    if (is_new) reports.push_back(report);
    is_complete = reports.size() >= found->second.wanted;
  }
  if (is_complete) end_comparison(sequence);
}

void ConsensusRouter::State::end_comparison(std::uint64_t sequence) {
  std::optional<Comparison> ended;
  {
    const std::lock_guard lock(mutex);
    auto found = comparisons.extract(sequence);
    if (found.empty()) return;
    ended = std::move(found.mapped());
  }
  std::sort(ended->reports.begin(), ended->reports.end(),
            [](const auto& a, const auto& b) { return a.node_id < b.node_id; });
  ended->done(std::move(ended->reports));
}

// ---- neighbours

void ConsensusRouter::State::greet(base::Nanos time) {
  if (time < next_greeting || runtime == nullptr) return;
  next_greeting = time + kGreetEvery;
  ForwardNode node;
  node.endpoint = endpoint;
  node.uptime_s = seconds(time - started);
  node.applied = machine.applied().value();
  node.is_degraded = gate.has_no_space() || machine.image()->persistence->is_paused();
  const base::Bytes frame = encode_forward(consensus::ClusterId(cluster.load()), node);
  for (const net::PeerView& peer : transport.views()) {
    (void)transport.send(peer.id, net::PeerClass::kForward, frame);
  }
}

void ConsensusRouter::State::on_message(net::PeerId from, const ForwardNode& message) {
  const std::lock_guard lock(mutex);
  neighbours[from] = Neighbour{message, now()};
}

void ConsensusRouter::on_group(const GroupView& view) {
  state_->leads.store(view.leads);
  const std::lock_guard lock(state_->mutex);
  state_->view = view;
}

NodeView ConsensusRouter::State::view_self(base::Nanos time) const {
  NodeView node;
  node.node_id = static_cast<std::int32_t>(self.value());
  node.endpoint = endpoint;
  node.health = gate.has_no_space() || machine.image()->persistence->is_paused()
                    ? NodeView::Health::kDegraded
                    : NodeView::Health::kHealthy;
  node.is_leader = view.leads;
  node.last_seen_unix_s = seconds(timers.clock().wall_time());
  node.term = static_cast<std::int64_t>(view.promised.round.value());
  node.uptime_s = seconds(time - started);
  return node;
}

NodeView ConsensusRouter::State::view_of(const net::PeerView& peer, base::Nanos time) const {
  NodeView node;
  node.node_id = static_cast<std::int32_t>(peer.id.value());
  node.is_leader = view.leader && view.leader->value() == peer.id.value();
  node.term = static_cast<std::int64_t>(view.promised.round.value());
  base::Nanos heard = peer.last_heard;
  const auto said = neighbours.find(peer.id);
  if (said != neighbours.end()) {
    node.endpoint = said->second.said.endpoint;
    node.uptime_s = said->second.said.uptime_s;
    heard = std::max(heard, said->second.heard);
  }
  if (heard == base::Nanos(0)) {
    const bool is_early = time < started + kSilentAfter;
    node.health = is_early ? NodeView::Health::kUnknown : NodeView::Health::kUnreachable;
    return node;
  }
  // It is connected and has not said how it is: it serves nobody yet, or has just begun.
  const bool is_unknown = said == neighbours.end();
  node.last_seen_unix_s = seconds(timers.clock().wall_time() - (time - heard));
  if (time > heard + kSilentAfter) {
    node.health = NodeView::Health::kUnreachable;
  } else if (is_unknown) {
    node.health = NodeView::Health::kUnknown;
  } else {
    node.health =
        said->second.said.is_degraded ? NodeView::Health::kDegraded : NodeView::Health::kHealthy;
  }
  return node;
}

std::vector<NodeView> ConsensusRouter::nodes() const {
  const State& state = *state_;
  const base::Nanos time = state.now();
  const auto peers = state.transport.views();
  const std::lock_guard lock(state.mutex);
  std::vector<NodeView> nodes = {state.view_self(time)};
  for (const net::PeerView& peer : peers) nodes.push_back(state.view_of(peer, time));
  std::sort(nodes.begin(), nodes.end(),
            [](const NodeView& a, const NodeView& b) { return a.node_id < b.node_id; });
  return nodes;
}

DatabaseCounters ConsensusRouter::counters() const {
  DatabaseCounters counters = state_->gate.counters();
  const auto image = state_->machine.image();
  counters.keys = static_cast<std::int64_t>(image->database->key_count());
  counters.bytes = static_cast<std::int64_t>(image->database->live_bytes());
  return counters;
}

RequestGate& ConsensusRouter::gate() { return state_->gate; }

void ConsensusRouter::set_log_bytes(std::uint64_t bytes) { state_->log_bytes.store(bytes); }

void ConsensusRouter::set_endpoint(std::string endpoint) {
  const std::lock_guard lock(state_->mutex);
  state_->endpoint = std::move(endpoint);
}

}  // namespace synod::router
