// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "consensus/runtime/replica_runtime.h"
#include "tests/sim/node.h"
#include "tests/sim/oracle.h"
#include "tests/sim/profile.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/tally.h"

namespace synod::sim {

/// Clients in a closed loop: each writes or reads, waits, and sends a write again with the same
/// token until somebody acknowledges it. Tells the oracle what it was told.
///
/// Owned by Life; outlives the processes it talks to, whose late answers it recognizes.
class Clients {
 public:
  Clients(Scheduler& scheduler, Oracle& oracle, Tally& tally, const Profile& profile,
          std::vector<std::unique_ptr<SimNode>>& nodes);

  void start();
  /// Finishes what was begun and begins nothing more.
  void wind_down() { is_winding_down_ = true; }
  [[nodiscard]] bool is_idle() const;
  /// For a while every client asks without pausing.
  void burst(Nanos span) { burst_until_ = scheduler_.now() + span; }
  /// The same, and nothing but writes, at who leads.
  void press(Nanos span);
  /// For a while somebody reads everywhere all the time, mostly from who leads, or led.
  void probe(Nanos span);
  /// One write, whatever else happens; its slot when it was acknowledged.
  void write_final();
  [[nodiscard]] std::optional<Slot> final_slot() const { return final_slot_; }
  [[nodiscard]] std::string describe() const;

 private:
  struct Client {
    std::uint32_t id = 0;
    std::uint32_t sequence = 0;
    std::uint64_t turn = 0;  ///< Grows with each sending; tells late answers apart.
    bool is_busy = false;
    bool is_write = false;
    Command command;
    Slot floor;
    std::size_t target = 0;
    Nanos sent{};
  };

  void think(Client& client);
  void begin(Client& client);
  void send(Client& client);
  void send_write(Client& client, SimNode& node);
  void send_read(Client& client, SimNode& node);
  void arm_timeout(Client& client);
  void retry(Client& client);
  void finish(Client& client);
  void on_outcome(Client& client, const Command& command, std::uint64_t turn,
                  const consensus::CommandOutcome& outcome);
  void acknowledge(Client& client, const Command& command, Slot slot, base::BytesView result);
  void on_index(Client& client, std::size_t node, std::uint64_t turn, Slot floor,
                std::optional<Slot> index);
  void probe_until(Nanos end);
  void read_once(std::size_t node);
  [[nodiscard]] std::size_t any_node();
  void aim(Client& client);

  Scheduler& scheduler_;
  Oracle& oracle_;
  Tally& tally_;
  const Profile& profile_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  std::vector<Client> clients_;
  Nanos burst_until_{};
  Nanos press_until_{};
  std::size_t last_leader_ = 0;
  bool is_winding_down_ = false;
  std::optional<Slot> final_slot_;
};

}  // namespace synod::sim
