// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "consensus/protocol/types.h"
#include "router/command.h"

namespace synod::router {

/// The leader's end of the channels: takes each number of a process and ballot once, in order.
///
/// Owned by ConsensusRouter. Invariants
///   FI1  in one ballot a number is taken at most once, and only after the one before it;
///   FI2  the newest ballot of a process counts; older ones are not taken.
///
/// Threads: externally synchronized.
class ForwardIntake {
 public:
  enum class Verdict : std::uint8_t {
    kTake,
    kRepeated,  ///< Taken before.
    kGap,       ///< `expected` is missing.
    kOldBallot,
  };
  struct Answer {
    Verdict verdict = Verdict::kTake;
    std::uint64_t expected = 0;
  };

  [[nodiscard]] Answer take(RouterProcess process, const consensus::Ballot& ballot,
                            std::uint64_t number);

 private:
  struct Channel {
    consensus::Ballot ballot;
    std::uint64_t next = 1;
    std::uint64_t used = 0;  ///< When, in calls.
  };
  static constexpr std::size_t kChannelsMax = 1'024;
  void forget_oldest();

  std::map<RouterProcess, Channel> channels_;
  std::uint64_t calls_ = 0;
};

}  // namespace synod::router
