// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consensus/protocol/formation.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/operator.h"

namespace synod::sim {

/// How the group of a life begins from blank disks: by consensus::Formation, over the network of
/// the life, while processes end, disks are lost and messages come late.
///
/// The group is there when a majority of those that its record names have it: they start as
/// replicas, whoever is missing goes on asking, and a disk that the record does not name is
/// replaced by the operator. If what was lost leaves no group possible, the operator empties all
/// disks and begins again, once and without further harm.
///
/// Checks: never two records on the disks; a record names all members, and the disk it is on; it
/// leaves only from a disk that has it.
///
/// Owned by Life. Simplification: what a disk remembers of the formation is one write, all or
/// nothing; it is not on the simulated file system.
class Founding {
 public:
  Founding(World& world, Network& network, std::vector<std::unique_ptr<SimNode>>& nodes,
           Operator& op);

  /// `guard`: of the configuration.
  void begin(Nanos guard);
  [[nodiscard]] bool is_founded() const { return is_founded_; }
  /// This node is still forming: its messages belong here.
  [[nodiscard]] bool hears(std::size_t node) const;
  void receive(std::size_t node, const base::Bytes& frame, bool is_damaged);

 private:
  struct Place {
    consensus::FormationMemory disk;
    std::optional<consensus::Formation> process;
    std::optional<consensus::FormationMemory> writing;
    std::uint64_t write = 0;  ///< Grows with each write and each end of a process.
  };

  void tick();
  void harm(std::size_t node);
  void start(std::size_t node);
  void stop(std::size_t node);
  void wipe(std::size_t node);
  void begin_again();
  void collect(std::size_t node);
  void send(std::size_t node, const consensus::Envelope& envelope);
  void written(std::size_t node);
  void check(std::size_t node);
  void found(const consensus::ClusterRecord& record);
  void join(std::size_t node);
  void replace_outsider(std::size_t node);
  [[nodiscard]] bool has_majority(const consensus::ClusterRecord& record) const;
  [[nodiscard]] bool is_harmful() const;
  [[nodiscard]] Member pair_of(std::size_t node) const;
  [[nodiscard]] std::string describe() const;

  World& world_;
  Network& network_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  Operator& operator_;
  consensus::FormationOptions options_;
  std::vector<Place> places_;
  Nanos harm_end_{};
  Nanos patience_end_{};
  double stops_ = 0;
  double wipes_ = 0;
  bool is_founded_ = false;
  bool is_second_try_ = false;
};

}  // namespace synod::sim
