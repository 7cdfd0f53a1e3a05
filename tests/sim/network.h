// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/tally.h"

namespace synod::sim {

/// What the network does to every message, for a whole life.
struct NetworkFaults {
  double loss = 0;
  double duplication = 0;
  double reorder = 0;
  double corruption = 0;
  Nanos delay_low{std::chrono::microseconds(50)};
  Nanos delay_high{std::chrono::microseconds(300)};
};

/// Frames of bytes between the machines of one life.
class Network {
 public:
  using Deliver = base::Function<void(std::size_t to, const base::Bytes& frame, bool is_damaged)>;
  Network(Scheduler& scheduler, Tally& tally, std::size_t nodes, Deliver deliver);

  void send(std::size_t from, std::size_t to, base::Bytes frame);

  void set_faults(const NetworkFaults& faults) { faults_ = faults; }
  void cut(std::size_t from, std::size_t to) { link(from, to).is_cut = true; }
  void slow(std::size_t from, std::size_t to, Nanos by) { link(from, to).slower = by; }
  /// Cuts every link between the two sides; `sides` has one bit for each node.
  void partition(std::uint64_t sides);
  void heal();

 private:
  struct Link {
    bool is_cut = false;
    Nanos slower{};
  };
  struct Flight {
    base::Bytes frame;
    std::size_t from = 0;
    std::size_t to = 0;
    bool is_damaged = false;
  };
  [[nodiscard]] Link& link(std::size_t from, std::size_t to) { return links_[from * nodes_ + to]; }
  void launch(std::size_t from, std::size_t to, base::Bytes frame);
  void arrive(std::size_t place);
  void damage(Flight& flight);

  Scheduler& scheduler_;
  Tally& tally_;
  std::size_t nodes_;
  Deliver deliver_;
  NetworkFaults faults_;
  std::vector<Link> links_;
  std::vector<Flight> flights_;
  std::vector<std::size_t> free_;
};

}  // namespace synod::sim
