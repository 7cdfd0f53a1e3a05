// SPDX-License-Identifier: Apache-2.0
#include "tests/consensus_protocol/cluster.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace synod::consensus {
namespace {

using base::concat;

Options options_for(const Member& self, const Configuration& configuration, std::uint64_t seed) {
  Options options;
  options.self = self;
  options.configuration = configuration;
  options.timing.election_min = base::Millis(100);
  options.timing.heartbeat = base::Millis(20);
  // Small limits, so that windows close and promises come in parts.
  options.limits.message_bytes = seed % 3 == 0 ? 64 : 400;
  options.limits.window_messages = 4;
  options.reads_by_lease = seed % 2 == 0;
  return options;
}

}  // namespace

Cluster::Cluster(std::uint64_t seed, std::size_t replicas, const Faults& faults)
    : random_(seed), faults_(faults) {
  configuration_.id = ConfigId(1);
  configuration_.first = Slot(1);
  configuration_.guard = base::Millis(100);
  for (std::uint32_t i = 1; i <= replicas; ++i) {
    configuration_.voters.push_back(Member{ReplicaId(i), Incarnation(100 + i)});
  }
  nodes_.resize(replicas);
  for (std::size_t i = 0; i < replicas; ++i) {
    nodes_[i].self = configuration_.voters[i];
    start(nodes_[i]);
  }
}

void Cluster::fail(const std::string& what) {
  if (failure_.empty()) failure_ = concat("event ", events_, ": ", what);
}

void Cluster::mix(std::uint64_t value) { trace_ = (trace_ ^ value) * 1099511628211ULL; }

void Cluster::run(int events) {
  for (int i = 0; i < events && failure_.empty(); ++i) one_event();
}

void Cluster::one_event() {
  ++events_;
  if (random_.chance(faults_.crash)) {
    Node& node = any();
    node.replica ? crash(node) : start(node);
  }
  if (random_.chance(faults_.partition)) {
    const std::pair<ReplicaId, ReplicaId> link{any().self.id, any().self.id};
    if (random_.chance(0.6)) cut_.clear();
    if (random_.chance(0.6)) cut_.insert(link);
  }
  if (random_.chance(faults_.pause)) {
    any().paused_until = now_ + base::Millis(static_cast<std::int64_t>(200 + random_.below(400)));
  }
  const std::uint64_t dice = random_.below(100);
  Node& node = any();
  if (is_paused(node)) return pass_time();
  if (dice < 50) {
    deliver_any();
  } else if (dice < 72) {
    finish_write(node);
  } else if (dice < 82) {
    pass_time();
  } else if (dice < 88) {
    propose(node);
  } else if (dice < 92) {
    read(node);
  } else if (dice < 96) {
    fetch_snapshot(node);
  } else {
    flush(node);
  }
}

void Cluster::start(Node& node) {
  if (node.replica) return;
  RecoveredState state;
  state.promised = node.promised;
  state.base = node.base;
  for (const auto& [slot, found] : node.slots) state.slots.push_back(found);
  state.commit_hint = node.commit_hint;
  state.applied = node.flushed.applied;
  state.fence = node.flushed.fence;
  node.machine = node.flushed;
  node.completed = Ticket();
  const std::uint64_t seed = random_.next();
  node.replica.emplace(options_for(node.self, configuration_, seed), state, base::Random(seed),
                       now_);
  collect(node);
}

/// What is in flight to the disk arrives there up to some frame; everything volatile is gone.
void Cluster::crash(Node& node) {
  const std::uint64_t survivors = random_.below(node.writing.size() + 1);
  for (std::uint64_t i = 0; i < survivors; ++i) finish_write(node);
  node.replica.reset();
  node.writing.clear();
  node.waiting.clear();
  node.snapshot_wanted.reset();
  if (random_.chance(faults_.rot)) rot(node);
}

void Cluster::rot(Node& node) {
  if (node.slots.empty()) return;
  auto victim = node.slots.begin();
  std::advance(victim, static_cast<std::ptrdiff_t>(random_.below(node.slots.size())));
  const bool is_only_damage = rotten_.emplace(victim->first, victim->first).second;
  if (!is_only_damage) return;
  victim->second.entry.reset();
  if (random_.chance(0.5)) victim->second.ballot = node.promised;
}

void Cluster::finish_write(Node& node) {
  if (!node.replica || node.writing.empty()) return;
  const Persist frame = std::move(node.writing.front());
  node.writing.pop_front();
  node.promised = frame.promised;
  node.commit_hint = std::max(node.commit_hint, frame.commit_hint);
  for (const SlotRecord& record : frame.records) {
    if (record.slot > node.base) {
      node.slots[record.slot] = RecoveredSlot{record.slot, record.ballot, record.entry};
    }
    note_accepted(node, record);
  }
  node.completed = frame.ticket;
  node.replica->advance(now_);
  node.replica->persisted(frame.ticket);
  collect(node);
}

void Cluster::collect(Node& node) {
  Output output = node.replica->take_output();
  if (output.persist) node.writing.push_back(std::move(*output.persist));
  for (Envelope& envelope : output.send_now) bag_.push_back(std::move(envelope));
  for (Output::Deferred& each : output.send_after_durable) node.waiting.push_back(std::move(each));
  for (const Delivery& delivery : output.apply) execute(node, delivery);
  for (const Output::Read& each : output.reads) {
    const auto begun = reads_.find(each.context);
    if (begun == reads_.end()) {
      fail("a read was answered twice");
      continue;
    }
    if (each.index && *each.index < begun->second) fail("a stale read");
    if (each.index) ++reads_released_;
    reads_.erase(begun);
  }
  if (output.snapshot_wanted) node.snapshot_wanted = output.snapshot_wanted;
  if (!output.complaints.empty() && output.complaints[0].find("damaged") == std::string::npos) {
    fail(concat("complaint at ", node.self.id.value(), ": ", output.complaints[0]));
  }
  for (const Slot commit = node.replica->acceptor().commit(); decided_ < commit;) {
    decided_ = decided_.next();
    if (!chosen_.contains(decided_)) {
      fail(concat("slot ", decided_.value(), " decided and not on the disks of a majority"));
    }
  }
  release(node);
  if (!output.apply.empty()) {
    node.replica->applied(node.machine.applied);
    collect(node);
  }
}

void Cluster::release(Node& node) {
  std::vector<Output::Deferred> still;
  for (Output::Deferred& each : node.waiting) {
    if (each.ticket <= node.completed) {
      bag_.push_back(std::move(each.envelope));
    } else {
      still.push_back(std::move(each));
    }
  }
  node.waiting = std::move(still);
}

void Cluster::execute(Node& node, const Delivery& delivery) {
  if (delivery.slot != node.machine.applied.next()) fail("execution out of order");
  const Value value{delivery.entry.origin, delivery.entry.crc};
  note_chosen(delivery.slot, value);
  const auto [place, is_first] =
      executed_.emplace(delivery.slot, std::pair(value, delivery.is_fenced));
  if (!is_first && place->second != std::pair(value, delivery.is_fenced)) {
    fail(concat("slot ", delivery.slot.value(), " executed in two ways"));
  }
  const bool is_old = delivery.entry.origin < node.machine.fence;
  const bool may_be_fenced =
      delivery.entry.kind == EntryKind::kCommand || delivery.entry.kind == EntryKind::kBarrier;
  if (delivery.is_fenced != (is_old && may_be_fenced)) fail("the fence let the wrong one through");
  if (delivery.entry.kind == EntryKind::kBarrier) {
    node.machine.fence = std::max(node.machine.fence, delivery.entry.origin);
  }
  node.machine.applied = delivery.slot;
}

void Cluster::deliver_any() {
  if (bag_.empty()) return;
  // Mostly in order: a bag without any order rarely gets anything done.
  const std::size_t reach =
      random_.chance(0.2) ? bag_.size() : std::min<std::size_t>(3, bag_.size());
  const std::size_t index = random_.below(reach);
  if (is_paused(node_of(bag_[index].to))) return;
  Envelope envelope = bag_[index];
  const bool is_duplicated = !is_healing_ && random_.chance(faults_.duplication);
  if (!is_duplicated) bag_.erase(bag_.begin() + static_cast<std::ptrdiff_t>(index));
  mix(index * 31 + envelope.message.index());
  if (!is_healing_) {
    if (random_.chance(faults_.loss)) return;
    if (is_cut(envelope.from.id, envelope.to)) return;
  }
  deliver(envelope);
}

void Cluster::deliver(const Envelope& envelope) {
  Node& node = node_of(envelope.to);
  if (!node.replica) return;
  node.replica->advance(now_);
  node.replica->step(envelope);
  if (random_.chance(0.7)) collect(node);  // otherwise the batch goes on
}

void Cluster::pass_time() {
  now_ += base::Millis(static_cast<std::int64_t>(1 + random_.below(is_healing_ ? 20 : 40)));
  for (Node& node : nodes_) {
    if (!node.replica || is_paused(node)) continue;
    node.replica->advance(now_);
    // Who just woke up may find requests before its timers run.
    if (node.paused_until != Instant() && !is_healing_) read(node);
    node.paused_until = Instant();
    node.replica->tick();
    collect(node);
    mix(static_cast<std::uint64_t>(node.replica->role()));
  }
}

void Cluster::propose(Node& node) {
  if (!node.replica || node.replica->role() != Role::kLeading) return;
  std::vector<base::Bytes> commands;
  for (std::uint64_t i = random_.below(3) + 1; i > 0; --i) {
    commands.push_back(concat("command ", ++commands_));
  }
  if (node.replica->propose(std::move(commands)).code == Proposed::Code::kTaken) collect(node);
}

void Cluster::read(Node& node) {
  if (!node.replica) return;
  const ReadContext context(++next_read_);
  reads_[context] = decided_;
  node.replica->advance(now_);
  node.replica->read(context);
  collect(node);
}

/// The state reaches the disk; perhaps the log is cut behind it.
void Cluster::flush(Node& node) {
  if (!node.replica) return;
  node.flushed = node.machine;
  if (!random_.chance(faults_.trim)) return;
  node.base = std::max(node.base, node.flushed.applied);
  node.slots.erase(node.slots.begin(), node.slots.upper_bound(node.base));
  node.replica->trim(node.base);
}

void Cluster::fetch_snapshot(Node& node) {
  if (!node.replica || !node.snapshot_wanted) return;
  const auto [holder, slot] = *std::exchange(node.snapshot_wanted, std::nullopt);
  const Machine& snapshot = node_of(holder).flushed;
  if (snapshot.applied < slot || snapshot.applied <= node.machine.applied) return;
  ++snapshots_;
  node.machine = snapshot;
  node.flushed = snapshot;
  node.base = snapshot.applied;
  node.slots.erase(node.slots.begin(), node.slots.upper_bound(node.base));
  node.replica->install_snapshot(snapshot.applied, snapshot.fence);
  collect(node);
}

void Cluster::note_accepted(const Node& node, const SlotRecord& record) {
  const Value value{record.entry.origin, record.entry.crc};
  auto& holders = accepted_[{record.slot, record.ballot}][value];
  holders.insert(node.self.id);
  if (holders.size() >= configuration_.majority()) note_chosen(record.slot, value);
}

void Cluster::note_chosen(Slot slot, const Value& value) {
  const auto [place, is_first] = chosen_.emplace(slot, value);
  if (!is_first && place->second != value) {
    fail(concat("two values chosen at slot ", slot.value()));
  }
}

void Cluster::heal_and_progress() {
  is_healing_ = true;
  cut_.clear();
  for (Node& node : nodes_) start(node);
  const Instant deadline = now_ + base::Millis(20'000);
  Slot goal = kNoSlot;
  while (failure_.empty() && now_ < deadline) {
    ++events_;
    for (int i = 0; i < 12; ++i) deliver_any();
    for (Node& node : nodes_) {
      while (!node.writing.empty()) finish_write(node);
      fetch_snapshot(node);
    }
    for (Node& node : nodes_) collect(node);
    if (bag_.size() < 4) pass_time();
    const bool all_there = std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
      return goal != kNoSlot && node.machine.applied >= goal;
    });
    if (all_there) return;
    for (Node& node : nodes_) {
      if (goal != kNoSlot || !node.replica->is_established()) continue;
      propose(node);
      goal = node.replica->acceptor().through();
    }
    // A leader may be deposed before the goal is decided: aim again.
    if (goal != kNoSlot && random_.chance(0.01)) goal = kNoSlot;
  }
  std::string state = concat("no progress after healing towards ", goal.value(), ":");
  for (const Node& node : nodes_) {
    const Acceptor& acceptor = node.replica->acceptor();
    state += concat(" ", role_name(node.replica->role()), " ", to_string(acceptor.promised()),
                    " commit ", acceptor.commit().value(), " through ", acceptor.through().value(),
                    " durable ", acceptor.durable().value(), " last ",
                    acceptor.log().last().value(), " base ", acceptor.log().base().value(),
                    " applied ", node.machine.applied.value(), ";");
  }
  fail(state);
}

Faults draw_faults(std::uint64_t seed) {
  base::Random random(seed ^ 0x9e3779b97f4a7c15ULL);
  Faults faults;
  if (random.chance(0.6)) faults.loss = 0.02 + 0.2 * random.unit();
  if (random.chance(0.6)) faults.duplication = 0.3 * random.unit();
  if (random.chance(0.7)) faults.crash = 0.002 + 0.03 * random.unit();
  if (random.chance(0.5)) faults.partition = 0.05 * random.unit();
  if (random.chance(0.3)) faults.rot = 0.5;
  if (random.chance(0.4)) faults.trim = 0.5;
  if (random.chance(0.4)) faults.pause = 0.03 * random.unit();
  return faults;
}

std::string live(std::uint64_t seed) {
  Cluster cluster(seed, seed % 7 == 0 ? 5 : 3, draw_faults(seed));
  cluster.run(700);
  cluster.heal_and_progress();
  return cluster.failure();
}

}  // namespace synod::consensus
