// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/sim/clients.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/operator.h"

namespace synod::sim {

/// Does one harm after another, of the kinds the profile names, until it is stopped.
///
/// Damage at rest stays repairable (PROTOCOL.md section 10): log and superblock bytes rot on one
/// node of a life only, so that every slot has at most one damaged copy; one of the four
/// superblocks at a time; a disk is lost only when everybody else has what it had.
class Nemesis {
 public:
  Nemesis(World& world, Network& network, std::vector<std::unique_ptr<SimNode>>& nodes,
          Clients& clients, Operator& op);

  void start();
  /// No more harm, and what was done is undone as far as it can be.
  void heal();
  /// Starts this node again after a while.
  void restart_later(std::size_t node);

 private:
  void act();
  void strike(Fault fault);
  void strike_network(Fault fault);
  void strike_disk(Fault fault);
  void strike_process(Fault fault);
  void cut_one_way();
  void partition();
  void hunt();
  void mute(const SimNode& leader);
  void usurp(const SimNode& leader);
  void cut_off(std::size_t node, std::size_t other);
  void rot_hunt();
  void keep_from(const SimNode& leader, const SimNode& rotten);
  void rot_tail(std::size_t leader);
  void cut_pull();
  void rot_log();
  void misdirect();
  void rot_superblock();
  void rot_snapshot();
  void end(SimNode& node, bool is_power_cut);
  void start_at(std::size_t node, Nanos pause);
  void try_start(std::size_t node);
  [[nodiscard]] SimNode& any();
  [[nodiscard]] SimNode* any_up();
  [[nodiscard]] Nanos up_to(std::int64_t millis);
  [[nodiscard]] storage::CrashPolicy policy();

  World& world_;
  Network& network_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  Clients& clients_;
  Operator& operator_;
  std::vector<Fault> kinds_;
  std::vector<std::uint64_t> restarts_;  ///< By node: the one that counts is the last.
  std::size_t rotten_node_ = 0;
  bool is_over_ = false;
};

}  // namespace synod::sim
