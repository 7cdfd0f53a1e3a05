// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "consensus/protocol/replica.h"

namespace synod::consensus {

/// Which faults a seed may use, and how often. Each seed draws its own (swarm testing).
struct Faults {
  double loss = 0;
  double duplication = 0;
  double crash = 0;
  double partition = 0;
  double rot = 0;     ///< A slot is damaged while its replica is down; one copy of a slot at most.
  double pause = 0;   ///< A process stands still; on waking it serves what came before it ticks.
  double trim = 0;    ///< Logs are cut, so that laggards need snapshots.
  double change = 0;  ///< Learners, new configurations, transfers.
};

/// A group of replicas in memory, one thread, one seed: messages in a bag, disks that keep frames
/// only when their sync is over, state machines that forget what was not flushed.
///
/// Oracles, independent of the protocol's own asserts: one chosen value for each slot, counted over
/// what the disks of its configuration's voters hold; every state machine executes the same
/// sequence with the same verdicts of the fence and derives the same configurations from it; no
/// read gets an index below what was decided when it began; after healing, progress.
class Cluster {
 public:
  /// `spares` may join later.
  Cluster(std::uint64_t seed, std::size_t replicas, std::size_t spares, const Faults& faults);

  /// Random events.
  void run(int events);
  /// No more faults: everybody up, everything delivered, until a new command is executed by all.
  void heal_and_progress();

  /// The first thing that went wrong; empty: nothing.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::size_t chosen() const { return chosen_.size(); }
  [[nodiscard]] std::size_t reads_released() const { return reads_released_; }
  [[nodiscard]] std::size_t snapshots() const { return snapshots_; }
  /// The newest configuration that was executed anywhere.
  [[nodiscard]] ConfigId newest_configuration() const { return newest().current().id; }

 private:
  struct Machine {
    Slot applied;
    Ballot fence;  ///< As the protocol should have computed it.
    Chain chain;   ///< As the executed entries say.
  };
  struct Node {
    Member self;
    std::optional<Replica> replica;
    // On disk. Without a chain it has not joined yet.
    Chain chain;
    Ballot promised;
    Slot base;
    std::map<Slot, RecoveredSlot> slots;
    Slot commit_hint;
    std::optional<Ballot> unknown_tail;
    std::uint64_t superblock_version = 0;
    Machine flushed;
    // Lost in a crash.
    std::deque<Persist> writing;
    std::vector<Output::Deferred> waiting;
    Ticket completed;
    std::deque<Delivery> to_apply;  ///< Handed over, not executed yet.
    Machine machine;
    std::optional<SnapshotManifest> staging;
    Instant paused_until{};
  };
  struct Value {
    Ballot origin;
    std::uint32_t crc = 0;
    auto operator<=>(const Value&) const = default;
  };

  void one_event();
  void start(Node& node);
  void crash(Node& node);
  void rot(Node& node);
  void finish_write(Node& node);
  static void write_superblock(Node& node, const Persist& frame);
  void collect(Node& node);
  void release(Node& node);
  void apply_some(Node& node);
  void execute(Node& node, const Delivery& delivery);
  void deliver_any();
  void deliver(const Envelope& envelope);
  void pass_time();
  void propose(Node& node);
  void change(Node& node);
  void change_members(Node& node);
  void join(Node& node);
  void change_chain(Machine& machine, const Delivery& delivery) const;
  [[nodiscard]] const Chain& newest() const;
  [[nodiscard]] RecoveredState recover(const Node& node) const;
  void read(Node& node);
  void flush(Node& node);
  void fetch_snapshot(Node& node);
  void show_snapshot(Node& node);
  void note_accepted(const Node& node, const SlotRecord& record);
  void note_chosen(Slot slot, const Value& value);
  void fail(const std::string& what);
  void mix(std::uint64_t value);
  [[nodiscard]] Node& any() { return nodes_[random_.below(nodes_.size())]; }
  [[nodiscard]] Node& node_of(ReplicaId id) { return nodes_[id.value() - 1]; }
  [[nodiscard]] bool is_paused(const Node& node) const {
    return !is_healing_ && now_ < node.paused_until;
  }
  [[nodiscard]] bool is_cut(ReplicaId a, ReplicaId b) const { return cut_.contains({a, b}); }

  base::Random random_;
  Faults faults_;
  std::vector<Node> nodes_;
  std::vector<Envelope> bag_;
  std::set<std::pair<ReplicaId, ReplicaId>> cut_;
  Instant now_{};
  bool is_healing_ = false;

  std::map<std::pair<Slot, Ballot>, std::map<Value, std::set<ReplicaId>>> accepted_;
  std::map<ConfigId, Configuration> configurations_;  ///< All that were executed.
  std::map<Slot, Value> chosen_;
  std::map<Slot, std::pair<Value, bool>> executed_;
  std::map<Slot, Slot> rotten_;
  std::map<ReadContext, Slot> reads_;
  Slot decided_;
  std::uint64_t commands_ = 0;
  std::uint64_t next_read_ = 0;
  std::size_t reads_released_ = 0;
  std::size_t snapshots_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t trace_ = 1469598103934665603ULL;
  std::string failure_;
};

/// The faults that belong to a seed.
[[nodiscard]] Faults draw_faults(std::uint64_t seed);
/// A whole short life: random events, then healing. Empty, or what went wrong.
[[nodiscard]] std::string live(std::uint64_t seed);

}  // namespace synod::consensus
