// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/operator.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace synod::sim {

using consensus::Configuration;
using consensus::NextConfiguration;
using consensus::Proposed;

namespace {
constexpr Nanos kTick = base::Millis(30);
constexpr Nanos kPatience = base::Millis(4000);
constexpr Nanos kRetirement = base::Millis(500);
}  // namespace

Operator::Operator(World& world, std::vector<std::unique_ptr<SimNode>>& nodes)
    : world_(world), nodes_(nodes) {}

void Operator::start() {
  world_.scheduler.after(kTick, [this] { tick(); });
}

SimNode* Operator::leader() const {
  const consensus::ConfigId newest = world_.oracle.chain().current().id;
  for (const auto& node : nodes_) {
    if (node->leads() && node->configuration().id == newest) return node.get();
  }
  return nullptr;
}

SimNode* Operator::node_of(const Member& member) const {
  for (const auto& node : nodes_) {
    if (node->member() == member) return node.get();
  }
  return nullptr;
}

bool Operator::is_voter(const SimNode& node) const {
  return world_.oracle.chain().current().is_voter(node.member());
}

bool Operator::is_whole() const {
  const auto& voters = world_.oracle.chain().current().voters;
  return std::all_of(voters.begin(), voters.end(),
                     [this](const Member& voter) { return node_of(voter) != nullptr; });
}

bool Operator::is_everybody_current() const {
  const Configuration& current = world_.oracle.chain().current();
  const Slot needed = std::max(consensus::before(current.first), lost_at_);
  return std::all_of(current.voters.begin(), current.voters.end(), [&](const Member& voter) {
    const SimNode* node = node_of(voter);
    return node != nullptr && node->is_up() && node->machine().applied() >= needed &&
           node->configuration().id == current.id;
  });
}

bool Operator::may_lose(const SimNode& node) const {
  if (!node.is_formed()) return false;
  if (step_ != Step::kIdle || !is_whole() || !is_everybody_current()) return false;
  return !is_voter(node) || can_spare_a_voter();
}

bool Operator::may_damage() {
  if (!world_.profile.has(Fault::kFormation)) return true;
  was_whole_ = was_whole_ || (is_whole() && is_everybody_current());
  return was_whole_;
}

/// A majority is left when one is gone.
bool Operator::can_spare_a_voter() const {
  const Configuration& current = world_.oracle.chain().current();
  return current.voters.size() > current.majority();
}

void Operator::lose_disk(SimNode& node) {
  lost_at_ = world_.oracle.commit();
  node.install_disk(next_id());
}

bool Operator::may_lose_down(const SimNode& node) const {
  const Configuration& current = world_.oracle.chain().current();
  const Slot needed = std::max(consensus::before(current.first), lost_at_);
  if (is_voter(node) && !can_spare_a_voter()) return false;
  return is_whole() &&
         std::all_of(current.voters.begin(), current.voters.end(), [&](const Member& voter) {
           const SimNode* other = node_of(voter);
           return other == &node || (other->is_up() && other->machine().applied() >= needed);
         });
}

bool Operator::is_done() const { return step_ == Step::kIdle && is_whole(); }

void Operator::tick() {
  world_.scheduler.after(kTick, [this] { tick(); });
  if (step_ != Step::kIdle && world_.scheduler.now() >= give_up_at_) give_up();
  SimNode* lead = leader();
  if (step_ == Step::kChanging && world_.oracle.chain().current().id > changing_from_) {
    world_.tally.add(Count::kReconfigurations);
    world_.note(base::concat("reconfigured to ", world_.oracle.chain().current().id.value()));
    changed_at_ = world_.scheduler.now();
    step_ = Step::kIdle;
  }
  switch (step_) {
    case Step::kIdle:
      retire_removed();
      return plan();
    case Step::kAdding:
      return lead != nullptr ? add_learners(*lead) : void();
    case Step::kCatchingUp:
      return wait_for_learners();
    case Step::kChanging:
      return lead != nullptr ? change(*lead) : void();
    case Step::kRemoving:
      step_ = Step::kIdle;
      return;
  }
}

void Operator::give_up() {
  goal_.clear();
  step_ = Step::kIdle;
}

void Operator::plan() {
  base::Random& random = world_.scheduler.random();
  const Profile& profile = world_.profile;
  if (!is_whole()) return plan_voters();
  if (is_winding_down_ || !random.chance(0.1)) return;
  if (profile.has(Fault::kReconfiguration) && random.chance(0.5)) return plan_voters();
  SimNode* lead = leader();
  if (lead == nullptr) return;
  if (profile.has(Fault::kTransfer) && random.chance(0.5)) return try_transfer(*lead);
  if (!profile.has(Fault::kLearner)) return;
  const auto& learners = lead->configuration().learners;
  if (!learners.empty() && random.chance(0.6)) {
    const Member learner = learners[random.below(learners.size())];
    lead->runtime().change_learner(learner, false, [this](const Proposed& proposed) {
      if (proposed.code == Proposed::Code::kTaken) world_.tally.add(Count::kLearnersRemoved);
    });
    step_ = Step::kRemoving;
    give_up_at_ = world_.scheduler.now() + kPatience;
    return;
  }
  for (const auto& node : nodes_) {
    if (node->is_formed() || node->is_founding()) continue;
    goal_ = {node->index()};
    only_learns_ = true;
    step_ = Step::kAdding;
    give_up_at_ = world_.scheduler.now() + kPatience;
    return;
  }
}

/// Who is to vote: what is left of the present voters, changed a little or completely.
void Operator::plan_voters() {
  base::Random& random = world_.scheduler.random();
  std::vector<std::size_t> present;
  std::vector<std::size_t> others;
  for (const auto& node : nodes_) {
    const bool is_stale = node->is_formed() && !is_voter(*node) && leader() != nullptr &&
                          !leader()->configuration().is_member(node->member());
    if (is_voter(*node)) {
      present.push_back(node->index());
    } else if (!is_stale && !node->is_founding()) {
      others.push_back(node->index());
    }
  }
  for (std::size_t i = others.size(); i > 1; --i) std::swap(others[i - 1], others[random.below(i)]);
  const std::size_t least = world_.profile.size_min();
  const bool keeps_size = is_winding_down_ || random.chance(0.6);
  const std::size_t size =
      keeps_size ? world_.profile.voters : least + random.below(nodes_.size() - least + 1);
  goal_.clear();
  const bool replaces_all = !is_winding_down_ && random.chance(0.15);
  const bool replaces_one = is_whole() && !present.empty() && random.chance(0.7);
  if (replaces_one) {
    present.erase(present.begin() + static_cast<std::ptrdiff_t>(random.below(present.size())));
  }
  if (!replaces_all) goal_ = present;
  for (const std::size_t each : others) goal_.push_back(each);
  goal_.resize(std::min(goal_.size(), size));
  if (goal_.size() < least) return goal_.clear();
  only_learns_ = false;
  step_ = Step::kAdding;
  give_up_at_ = world_.scheduler.now() + kPatience;
}

void Operator::add_learners(SimNode& leader) {
  bool is_all_there = true;
  const Configuration& current = leader.configuration();
  for (const std::size_t index : goal_) {
    SimNode& node = *nodes_[index];
    const Chain& applied = leader.machine().label().chain;
    if (current.is_member(node.member()) && applied.current().is_member(node.member())) {
      if (node.is_founding()) return;
      if (!node.is_formed()) take_in(node, applied);
      continue;
    }
    // It was a member before and was removed: its disk knows that, and does not come back.
    if (node.is_formed()) return give_up();
    is_all_there = false;
    leader.runtime().change_learner(node.member(), true, [this](const Proposed& proposed) {
      if (proposed.code == Proposed::Code::kTaken) world_.tally.add(Count::kLearnersAdded);
    });
    break;
  }
  if (!is_all_there) return;
  step_ = only_learns_ ? Step::kIdle : Step::kCatchingUp;
}

/// The group knows it as a learner: its disk gets the record, and it starts.
void Operator::take_in(SimNode& node, const Chain& chain) {
  Chain first;
  first.configurations = {world_.oracle.chain().configurations.front()};
  node.form(chain, first);
  if (!node.start()) world_.tally.add(Count::kFailedStarts);
}

void Operator::wait_for_learners() {
  const bool is_ready = std::all_of(goal_.begin(), goal_.end(), [this](std::size_t index) {
    const SimNode& node = *nodes_[index];
    return node.is_up() && node.machine().applied().value() + 20 >= world_.oracle.commit().value();
  });
  const bool is_impatient = !is_winding_down_ && world_.scheduler.random().chance(0.03);
  if (!is_ready && !is_impatient) return;
  changing_from_ = world_.oracle.chain().current().id;
  step_ = Step::kChanging;
}

void Operator::change(SimNode& leader) {
  base::Random& random = world_.scheduler.random();
  NextConfiguration next;
  for (const std::size_t index : goal_) {
    const Member& member = nodes_[index]->member();
    if (!leader.configuration().is_member(member)) return give_up();
    next.voters.push_back(member);
  }
  if (random.chance(0.5)) next.first_leader = next.voters[random.below(next.voters.size())].id;
  next.guard = leader.configuration().guard;
  leader.runtime().reconfigure(next, [](const Proposed&) {});
}

void Operator::try_transfer(SimNode& leader) {
  const auto& voters = leader.configuration().voters;
  const Member to = voters[world_.scheduler.random().below(voters.size())];
  if (to == leader.member()) return;
  leader.runtime().transfer(to.id, [this](bool is_begun) {
    if (is_begun) world_.tally.add(Count::kTransfers);
  });
}

/// Who was removed goes on for a while, as it would; then its disk is used anew.
void Operator::retire_removed() {
  SimNode* lead = leader();
  if (lead == nullptr || world_.scheduler.now() < changed_at_ + kRetirement) return;
  if (!is_whole() || !is_everybody_current()) return;
  for (const auto& node : nodes_) {
    if (!node->is_formed() || lead->configuration().is_member(node->member())) continue;
    world_.note(base::concat("node ", node->index(), " is retired"));
    lose_disk(*node);
    return;
  }
}

std::string Operator::describe() const {
  return base::concat(" operator at step ", static_cast<int>(step_),
                      is_whole() ? "" : ", a voter is lost");
}

}  // namespace synod::sim
