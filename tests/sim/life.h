// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/clients.h"
#include "tests/sim/founding.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/operator.h"
#include "tests/sim/oracle.h"
#include "tests/sim/profile.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/tally.h"

namespace synod::sim {

struct LifeResult {
  std::string failure;  ///< Empty: everything held.
  std::uint64_t trace_hash = 0;
  Tally tally;
};

/// One seed: a group that forms, works under faults (safety: anything may happen, nothing may be
/// wrong), is healed (liveness: everybody catches up with a group that goes on writing, and gets a
/// fresh command, within a bound) and is compared.
class Life {
 public:
  /// `notes`: prints what happens; `traces`: every message too.
  Life(std::uint64_t seed, const Wishes& wishes, bool notes = false, bool traces = false);
  ~Life();
  LifeResult live();

 private:
  void form();
  void form_at_once();
  void run_safety();
  void run_liveness();
  void catch_up_under_load(Nanos bound);
  void return_under_load();
  [[nodiscard]] bool is_left_behind(const SimNode& node) const;
  void settle();
  [[nodiscard]] bool is_settled();
  void step();

  Profile profile_;
  Tally tally_;
  Scheduler scheduler_;
  Oracle oracle_;
  World world_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  Network network_;
  Clients clients_;
  Operator operator_;
  Founding founding_;
  Nemesis nemesis_;
};

}  // namespace synod::sim
