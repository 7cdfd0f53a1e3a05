// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tests/sim/node.h"

namespace synod::sim {

/// Who runs the group: adds disks as learners, makes them voters, removes others, hands over, and
/// replaces what was lost. Never takes away more than the group can spare.
///
/// Owned by Life. Knows what a person could know, and one thing more: which disks still matter.
class Operator {
 public:
  Operator(World& world, std::vector<std::unique_ptr<SimNode>>& nodes);

  void start();
  /// From now on only what is needed to make the group whole.
  void wind_down() { is_winding_down_ = true; }
  /// No change under way, and every voter has its disk.
  [[nodiscard]] bool is_done() const;
  /// Damage meets a whole group: no voter's disk was lost before there was one, or it was replaced.
  [[nodiscard]] bool may_damage();
  /// The disk of this node may go: everybody else has what it had.
  [[nodiscard]] bool may_lose(const SimNode& node) const;
  /// The same for a node that does not start any more.
  [[nodiscard]] bool may_lose_down(const SimNode& node) const;
  /// The disk is gone; a new one waits to be taken in.
  void lose_disk(SimNode& node);
  [[nodiscard]] std::string describe() const;

 private:
  enum class Step : std::uint8_t { kIdle, kAdding, kCatchingUp, kChanging, kRemoving };

  void tick();
  void plan();
  void plan_voters();
  void add_learners(SimNode& leader);
  void wait_for_learners();
  void change(SimNode& leader);
  void retire_removed();
  void try_transfer(SimNode& leader);
  void give_up();
  void take_in(SimNode& node, const Chain& chain);
  [[nodiscard]] SimNode* leader() const;
  [[nodiscard]] SimNode* node_of(const Member& member) const;
  [[nodiscard]] bool is_voter(const SimNode& node) const;
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] bool can_spare_a_voter() const;
  [[nodiscard]] bool is_everybody_current() const;

  World& world_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  std::uint32_t next_id_ = 1;
  Step step_ = Step::kIdle;
  std::vector<std::size_t> goal_;  ///< Nodes that are to be voters,
  bool only_learns_ = false;       ///< or to be taken in as learners.
  Nanos give_up_at_{};
  Nanos changed_at_{};
  consensus::ConfigId changing_from_;
  Slot lost_at_;  ///< What was decided when a disk was last lost.
  bool is_winding_down_ = false;
  bool was_whole_ = false;

 public:
  [[nodiscard]] ReplicaId next_id() { return ReplicaId(next_id_++); }
};

}  // namespace synod::sim
