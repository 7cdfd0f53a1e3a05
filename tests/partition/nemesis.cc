// SPDX-License-Identifier: Apache-2.0
#include "tests/partition/nemesis.h"

#include <poll.h>
#include <signal.h>

#include <utility>

#include "base/text.h"

namespace synod::partition {
namespace {

constexpr double kTwoAtOnce = 0.4;
constexpr double kAtTheLeader = 0.5;
constexpr unsigned kLossPercent = 20;

}  // namespace

const char* Nemesis::name_of(Fault fault) {
  switch (fault) {
    case Fault::kKillOne:
      return "kill one";
    case Fault::kKillTwo:
      return "kill two";
    case Fault::kKillAll:
      return "kill all";
    case Fault::kPauseOne:
      return "pause one";
    case Fault::kPauseTwo:
      return "pause two";
    case Fault::kIsolate:
      return "isolate";
    case Fault::kCutOneWay:
      return "cut one way";
    case Fault::kCutBoth:
      return "cut a pair";
    case Fault::kLoss:
      return "loss";
  }
  SYNOD_ASSERT(false, "every fault has a name");
}

base::Status Nemesis::run(base::Nanos duration) {
  const base::SystemClock clock;
  const base::Nanos end = clock.boot_time() + duration;
  while (clock.boot_time() < end) {
    wait(200, 700);
    // Asked while everything runs: a paused node would not answer.
    const auto leader = group_.leader();
    const int faults = random_.chance(kTwoAtOnce) ? 2 : 1;
    for (int i = 0; i < faults; ++i) {
      const bool aimed = leader.has_value() && random_.chance(kAtTheLeader);
      const std::size_t node = aimed ? *leader : random_.below(kNodes);
      const std::size_t other = (node + 1 + random_.below(kNodes - 1)) % kNodes;
      SYNOD_RETURN_IF_ERROR(strike(next_fault(), node, other));
    }
    wait(300, 1'800);
    SYNOD_RETURN_IF_ERROR(recover());
  }
  return {};
}

Nemesis::Fault Nemesis::next_fault() {
  if (next_ == kFaults) {
    for (std::size_t i = 0; i < kFaults; ++i) order_[i] = static_cast<Fault>(i);
    for (std::size_t i = kFaults - 1; i > 0; --i)
      std::swap(order_[i], order_[random_.below(i + 1)]);
    next_ = 0;
  }
  return order_[next_++];
}

base::Status Nemesis::strike(Fault fault, std::size_t node, std::size_t other) {
  record(base::concat(name_of(fault), ": node ", node + 1, ", other ", other + 1));
  ++struck_[name_of(fault)];
  switch (fault) {
    case Fault::kKillOne:
      kill(node);
      return {};
    case Fault::kKillTwo:
      kill(node);
      kill(other);
      return {};
    case Fault::kKillAll:
      for (std::size_t each = 0; each < kNodes; ++each) kill((node + each) % kNodes);
      return {};
    case Fault::kPauseOne:
      pause(node);
      return {};
    case Fault::kPauseTwo:
      pause(node);
      pause(other);
      return {};
    case Fault::kIsolate:
      return network_.isolate(node);
    case Fault::kCutOneWay:
      return network_.cut(node, other);
    case Fault::kCutBoth:
      return network_.cut_both(node, other);
    case Fault::kLoss:
      return network_.lose(kLossPercent);
  }
  SYNOD_ASSERT(false, "every fault is known");
}

base::Status Nemesis::recover() {
  SYNOD_RETURN_IF_ERROR(network_.heal());
  for (std::size_t node = 0; node < kNodes; ++node) {
    if (std::exchange(paused_[node], false)) group_.signal(node, SIGCONT);
    if (!group_.process(node).running()) SYNOD_RETURN_IF_ERROR(group_.launch(node));
  }
  for (std::size_t node = 0; node < kNodes; ++node) {
    SYNOD_RETURN_IF_ERROR(group_.wait_for_port(node));
  }
  record("healed, all run");
  return {};
}

void Nemesis::kill(std::size_t node) {
  group_.kill(node);
  paused_[node] = false;
}

void Nemesis::pause(std::size_t node) {
  group_.signal(node, SIGSTOP);
  paused_[node] = group_.process(node).running();
}

void Nemesis::wait(std::int64_t from_ms, std::int64_t to_ms) {
  ::poll(nullptr, 0, static_cast<int>(random_.between(from_ms, to_ms)));
}

void Nemesis::record(const std::string& text) {
  history::Event event;
  event.process = history::kNemesis;
  event.type = history::EventType::kInfo;
  event.error = text;
  recorder_.record(std::move(event));
}

}  // namespace synod::partition
