// SPDX-License-Identifier: Apache-2.0
#include "router/forward_intake.h"

#include <algorithm>

namespace synod::router {

ForwardIntake::Answer ForwardIntake::take(RouterProcess process, const consensus::Ballot& ballot,
                                          std::uint64_t number) {
  auto found = channels_.find(process);
  if (found == channels_.end()) {
    if (channels_.size() >= kChannelsMax) forget_oldest();
    found = channels_.emplace(process, Channel{ballot, 1, 0}).first;
  }
  Channel& channel = found->second;
  channel.used = ++calls_;
  if (ballot < channel.ballot) return {Verdict::kOldBallot, 0};
  if (ballot > channel.ballot) {
    channel.ballot = ballot;
    channel.next = 1;
  }
  if (number < channel.next) return {Verdict::kRepeated, channel.next};
  if (number > channel.next) return {Verdict::kGap, channel.next};
  ++channel.next;
  return {Verdict::kTake, channel.next};
}

/// Of a process that is long gone. A live one is never the oldest of so many: it would have to
/// share the group with a thousand others.
void ForwardIntake::forget_oldest() {
  const auto oldest =
      std::min_element(channels_.begin(), channels_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  channels_.erase(oldest);
}

}  // namespace synod::router
