// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/nemesis.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace synod::sim {

using storage::CrashPolicy;

namespace {

bool is_struck(Fault fault) {
  switch (fault) {
    case Fault::kLoss:
    case Fault::kDuplication:
    case Fault::kReorder:
    case Fault::kDelay:
    case Fault::kCorruption:
    case Fault::kReconfiguration:
    case Fault::kLearner:
    case Fault::kTransfer:
    case Fault::kTransitRot:
    case Fault::kFormation:
    case Fault::kLease:
    case Fault::kEnd:
      return false;
    default:
      return true;
  }
}

}  // namespace

Nemesis::Nemesis(World& world, Network& network, std::vector<std::unique_ptr<SimNode>>& nodes,
                 Clients& clients, Operator& op)
    : world_(world), network_(network), nodes_(nodes), clients_(clients), operator_(op) {
  for (const Fault fault : world.profile.faults) {
    if (is_struck(fault)) kinds_.push_back(fault);
  }
}

void Nemesis::start() {
  rotten_node_ = world_.scheduler.random().below(world_.profile.voters);
  network_.set_faults(world_.profile.network);
  if (!kinds_.empty()) world_.scheduler.after(world_.profile.pace, [this] { act(); });
}

void Nemesis::act() {
  if (is_over_) return;
  base::Random& random = world_.scheduler.random();
  const double factor = -std::log(1.0 - random.unit());
  const Nanos pause(
      static_cast<std::int64_t>(static_cast<double>(world_.profile.pace.count()) * factor));
  world_.scheduler.after(pause, [this] { act(); });
  const Fault fault = kinds_[random.below(kinds_.size())];
  world_.note(base::concat("fault ", fault_name(fault)));
  if (random.chance(0.15)) clients_.probe(up_to(300));
  strike(fault);
}

Nanos Nemesis::up_to(std::int64_t millis) {
  const auto micros = static_cast<std::uint64_t>(millis) * 1000;
  return base::Micros(static_cast<std::int64_t>(world_.scheduler.random().below(micros) + 1));
}

SimNode& Nemesis::any() { return *nodes_[world_.scheduler.random().below(nodes_.size())]; }

SimNode* Nemesis::any_up() {
  for (int i = 0; i < 8; ++i) {
    if (SimNode& node = any(); node.is_up()) return &node;
  }
  return nullptr;
}

CrashPolicy Nemesis::policy() {
  return static_cast<CrashPolicy>(world_.scheduler.random().below(3));
}

void Nemesis::strike(Fault fault) {
  if (fault <= Fault::kSlowLink) return strike_network(fault);
  if (fault <= Fault::kSnapshotRot && fault != Fault::kProcessCrash) return strike_disk(fault);
  strike_process(fault);
}

void Nemesis::strike_network(Fault fault) {
  base::Random& random = world_.scheduler.random();
  if (random.chance(0.4)) return network_.heal();
  if (fault == Fault::kOneWayCut) return cut_one_way();
  if (fault == Fault::kPartition) return partition();
  world_.tally.add_fault(Count::kSlowLinks);
  network_.slow(any().index(), any().index(), up_to(200));
}

void Nemesis::cut_one_way() {
  const std::size_t from = any().index();
  const std::size_t to = any().index();
  if (from == to) return;
  world_.tally.add_fault(Count::kLinkCuts);
  network_.cut(from, to);
}

void Nemesis::partition() {
  base::Random& random = world_.scheduler.random();
  world_.tally.add_fault(Count::kPartitions);
  network_.heal();
  if (random.chance(0.3)) {
    // One node that everybody but one other lost.
    const std::size_t lonely = any().index();
    const std::size_t friend_of_it = any().index();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (i == lonely || i == friend_of_it) continue;
      network_.cut(lonely, i);
      network_.cut(i, lonely);
    }
    return;
  }
  network_.partition(random.next());
}

void Nemesis::strike_disk(Fault fault) {
  SimNode* node = any_up();
  if (node == nullptr) return;
  base::Random& random = world_.scheduler.random();
  const Nanos now = world_.scheduler.now();
  storage::SimFileSystem& files = node->files();
  switch (fault) {
    case Fault::kSlowDisk:
      world_.tally.add_fault(Count::kSlowDisks);
      return node->set_disk_latency(base::Micros(10), random.chance(0.5) ? up_to(30) : up_to(1));
    case Fault::kDiskHang:
      world_.tally.add_fault(Count::kDiskHangs);
      return node->hang_disk_until(now + up_to(600));
    case Fault::kPowerCut:
      return end(*node, true);
    case Fault::kCrashAtIo:
      world_.tally.add_fault(Count::kCrashesAtIo);
      return node->cut_power_at(1 + random.below(40), policy());
    case Fault::kSyncError:
      world_.tally.add_fault(Count::kSyncErrors);
      return files.set_fail_at(files.io_count() + 1 + random.below(30),
                               storage::FaultRepeat::kOnce);
    case Fault::kReadError:
      world_.tally.add_fault(Count::kReadErrors);
      return node->fail_next_start();
    case Fault::kDiskFull:
      world_.tally.add_fault(Count::kDiskFull);
      return node->fill_disk(up_to(500));
    case Fault::kLogRot:
      return operator_.may_damage() ? rot_log() : void();
    case Fault::kMisdirectedWrite:
      return operator_.may_damage() ? misdirect() : void();
    case Fault::kSuperblockRot:
      return operator_.may_damage() ? rot_superblock() : void();
    default:
      return rot_snapshot();
  }
}

void Nemesis::end(SimNode& node, bool is_power_cut) {
  if (is_power_cut) {
    world_.tally.add_fault(Count::kPowerCuts);
    node.cut_power(policy());
  } else {
    world_.tally.add_fault(Count::kCrashes);
    node.kill();
  }
}

void Nemesis::strike_process(Fault fault) {
  base::Random& random = world_.scheduler.random();
  const Profile& profile = world_.profile;
  SimNode* node = any_up();
  if (node == nullptr) return;
  switch (fault) {
    case Fault::kProcessCrash:
      return end(*node, false);
    case Fault::kClockRate:
      world_.tally.add_fault(Count::kClockRates);
      return node->clock().set_rate(1 + profile.clock_spread * (2 * random.unit() - 1));
    case Fault::kClockJump:
      world_.tally.add_fault(Count::kClockJumps);
      return node->clock().jump(random.chance(0.8) ? up_to(500) : up_to(3'600'000));
    case Fault::kPause:
      world_.tally.add_fault(Count::kPauses);
      return node->pause_until(world_.scheduler.now() + up_to(random.chance(0.8) ? 400 : 3000));
    case Fault::kStorm:
      world_.tally.add_fault(Count::kStorms);
      for (int i = 0; i < 6; ++i) {
        world_.scheduler.after(up_to(400), [this] {
          if (SimNode* victim = any_up(); victim != nullptr && !is_over_) {
            end(*victim, world_.profile.has(Fault::kPowerCut));
          }
        });
      }
      return;
    case Fault::kAllDown:
      world_.tally.add_fault(Count::kAllDown);
      for (const auto& each : nodes_) {
        if (each->is_up()) end(*each, profile.has(Fault::kPowerCut) && random.chance(0.7));
      }
      return;
    case Fault::kWipe:
      if (!operator_.may_lose(*node)) return;
      world_.tally.add_fault(Count::kWipes);
      return operator_.lose_disk(*node);
    case Fault::kHunt:
      return hunt();
    case Fault::kRotHunt:
      return operator_.may_damage() ? rot_hunt() : void();
    case Fault::kPullCut:
      return cut_pull();
    default:
      world_.tally.add_fault(Count::kBursts);
      return clients_.burst(up_to(100));
  }
}

/// Aimed at what a leader believes: that it still leads, and that its lease still runs.
void Nemesis::hunt() {
  const auto leader =
      std::find_if(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->leads(); });
  if (leader == nodes_.end()) return;
  world_.tally.add_fault(Count::kHunts);
  network_.heal();
  clients_.burst(base::Millis(500));
  clients_.probe(base::Millis(500));
  switch (world_.scheduler.random().below(3)) {
    case 0:
      return mute(**leader);
    case 1:
      return usurp(**leader);
    default:
      return (*leader)->pause_until(world_.scheduler.now() + base::Millis(150) + up_to(500));
  }
}

/// Answers reach it late, and then nobody hears it any more.
void Nemesis::mute(const SimNode& leader) {
  const std::size_t self = leader.index();
  const Nanos slow = up_to(250);
  for (std::size_t i = 0; i < nodes_.size(); ++i) network_.slow(i, self, slow);
  world_.scheduler.after(up_to(200), [this, self] {
    for (std::size_t i = 0; i < nodes_.size() && !is_over_; ++i) {
      if (i != self) network_.cut(self, i);
    }
  });
}

/// One voter loses sight of it and stands; then all others forget it at once.
void Nemesis::usurp(const SimNode& leader) {
  const std::size_t self = leader.index();
  const std::size_t rival = any().index();
  if (rival == self) return;
  cut_off(self, rival);
  const Nanos wait = base::Millis(100) + up_to(200);
  world_.scheduler.after(wait, [this, self, rival] {
    for (std::size_t i = 0; i < nodes_.size() && !is_over_; ++i) {
      if (i == self || i == rival) continue;
      cut_off(self, i);
      if (!nodes_[i]->is_up()) continue;
      world_.tally.add_fault(Count::kCrashes);
      nodes_[i]->kill();
      start_at(i, up_to(10));
    }
  });
}

void Nemesis::cut_off(std::size_t node, std::size_t other) {
  network_.cut(node, other);
  network_.cut(other, node);
}

/// Aimed at what only two disks know: one of them rots where that stands, the other is not there,
/// and the rest has to go on with what the first still says.
void Nemesis::rot_hunt() {
  const SimNode& rotten = *nodes_[rotten_node_];
  const auto leader =
      std::find_if(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->leads(); });
  if (leader == nodes_.end() || leader->get() == &rotten || !rotten.is_up()) return;
  world_.tally.add_fault(Count::kRotHunts);
  network_.heal();
  keep_from(**leader, rotten);
  clients_.burst(base::Millis(400));
  const std::size_t self = (*leader)->index();
  world_.scheduler.after(up_to(150), [this, self] {
    if (!is_over_) rot_tail(self);
  });
}

/// Of the voters just as many hear the leader as it needs.
void Nemesis::keep_from(const SimNode& leader, const SimNode& rotten) {
  const consensus::Configuration& now = world_.oracle.chain().current();
  std::size_t kept = 2;
  for (const auto& node : nodes_) {
    if (node.get() == &leader || node.get() == &rotten) continue;
    if (now.is_voter(node->member()) && kept++ < now.majority()) continue;
    cut_off(leader.index(), node->index());
  }
}

void Nemesis::rot_tail(std::size_t leader) {
  network_.heal();
  for (std::size_t i = 0; i < nodes_.size(); ++i) cut_off(leader, i);
  SimNode& rotten = *nodes_[rotten_node_];
  if (rotten.is_up()) {
    rotten.kill();
    if (rotten.rot_log_tail(1 + world_.scheduler.random().below(4))) {
      world_.tally.add_fault(Count::kTailRot);
    }
    start_at(rotten_node_, up_to(10));
  }
  // What it found missing it must find missing again.
  world_.scheduler.after(base::Millis(120) + up_to(400), [this] {
    SimNode& again = *nodes_[rotten_node_];
    if (is_over_ || !again.is_up()) return;
    world_.tally.add_fault(Count::kCrashes);
    again.kill();
    start_at(rotten_node_, up_to(10));
  });
  world_.scheduler.after(base::Millis(400) + up_to(1500), [this] { network_.heal(); });
}

/// Somebody falls behind; whoever pulls a snapshot next, its process ends in the middle of it.
void Nemesis::cut_pull() {
  SimNode* node = any_up();
  if (node == nullptr || node->leads()) return;
  world_.tally.add_fault(Count::kStragglers);
  network_.heal();
  for (std::size_t i = 0; i < nodes_.size(); ++i) cut_off(node->index(), i);
  clients_.burst(base::Millis(800));
  for (const auto& each : nodes_) each->cut_pull_after(1 + world_.scheduler.random().below(10));
  world_.scheduler.after(base::Millis(300) + up_to(1500), [this] { network_.heal(); });
}

void Nemesis::rot_log() {
  SimNode& node = *nodes_[rotten_node_];
  if (!node.is_up()) return;
  node.kill();
  const std::size_t bytes = node.rot_log(1 + world_.scheduler.random().below(3));
  if (bytes > 0) world_.tally.add_fault(Count::kBitRot);
}

void Nemesis::misdirect() {
  SimNode& node = *nodes_[rotten_node_];
  if (!node.is_up()) return;
  node.kill();
  if (node.misdirect_log_write()) world_.tally.add_fault(Count::kMisdirected);
}

void Nemesis::rot_superblock() {
  SimNode& node = *nodes_[rotten_node_];
  if (!node.is_up()) return;
  // A clean end: all four copies are of one write, and one may go.
  node.kill();
  if (node.rot_superblock()) world_.tally.add_fault(Count::kSuperblockRot);
}

void Nemesis::rot_snapshot() {
  SimNode* node = any_up();
  if (node != nullptr && node->rot_snapshot()) world_.tally.add_fault(Count::kSnapshotRot);
}

void Nemesis::restart_later(std::size_t node) {
  const bool is_quick = is_over_ || world_.scheduler.random().chance(0.6);
  const Nanos pause = is_quick ? up_to(60) : up_to(2500);
  start_at(node, pause);
}

void Nemesis::start_at(std::size_t node, Nanos pause) {
  restarts_.resize(nodes_.size());
  const std::uint64_t turn = ++restarts_[node];
  world_.scheduler.after(pause, [this, node, turn] {
    if (turn == restarts_[node]) try_start(node);
  });
}

void Nemesis::try_start(std::size_t index) {
  SimNode& node = *nodes_[index];
  if (node.is_up() || !node.is_formed()) return;
  if (node.start()) return;
  world_.tally.add(Count::kFailedStarts);
  world_.note(base::concat("node ", index, " does not start: ", node.last_failure()));
  if (node.has_lost_memory() && operator_.may_lose_down(node)) {
    world_.tally.add(Count::kMemoriesLost);
    return operator_.lose_disk(node);
  }
  start_at(index, base::Millis(100));
}

void Nemesis::heal() {
  is_over_ = true;
  network_.heal();
  NetworkFaults none;
  network_.set_faults(none);
  for (const auto& node : nodes_) {
    node->heal();
    if (node->is_formed() && !node->is_up()) start_at(node->index(), Nanos());
  }
}

}  // namespace synod::sim
