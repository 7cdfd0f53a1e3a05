// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "tests/group/process_group.h"
#include "tests/history/history.h"
#include "tests/partition/network.h"

namespace synod::partition {

/// Kills, pauses and cuts off the nodes of a group, as a seed says, and records what it did.
///
/// Invariants
///   F1  A round is one fault or two at once, for a while, and then everything runs and is healed.
///   F2  Each kind of fault has its turn before any has a second one.
///
/// Threads: only the one that started the group, because processes end with their parent thread.
class Nemesis {
 public:
  Nemesis(group::ProcessGroup& group, Network& network, history::Recorder& recorder,
          std::uint64_t seed)
      : group_(group), network_(network), recorder_(recorder), random_(seed) {}

  /// Rounds until `duration` has passed.
  base::Status run(base::Nanos duration);
  /// How often each kind struck.
  [[nodiscard]] const std::map<std::string, int>& struck() const { return struck_; }

 private:
  enum class Fault : std::uint8_t {
    kKillOne,
    kKillTwo,
    kKillAll,
    kPauseOne,
    kPauseTwo,
    kIsolate,
    kCutOneWay,
    kCutBoth,
    kLoss,
  };
  static constexpr std::size_t kFaults = 9;

  [[nodiscard]] static const char* name_of(Fault fault);
  Fault next_fault();
  base::Status strike(Fault fault, std::size_t node, std::size_t other);
  base::Status recover();
  void kill(std::size_t node);
  void pause(std::size_t node);
  void wait(std::int64_t from_ms, std::int64_t to_ms);
  void record(const std::string& text);

  group::ProcessGroup& group_;
  Network& network_;
  history::Recorder& recorder_;
  base::Random random_;
  std::array<Fault, kFaults> order_{};
  std::size_t next_ = kFaults;  // in order_; beyond it: a new order is drawn
  std::array<bool, kNodes> paused_{};
  std::map<std::string, int> struck_;
};

}  // namespace synod::partition
