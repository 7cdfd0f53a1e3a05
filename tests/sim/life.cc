// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/life.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"

namespace synod::sim {

using consensus::ClusterId;
using consensus::ConfigId;
using consensus::Configuration;

namespace {
constexpr Nanos kSafetySpan = std::chrono::seconds(120);
constexpr Nanos kProgressBound = std::chrono::seconds(60);
constexpr std::uint64_t kBehindImage = 20;  ///< Slots; who executed them has the log, too.
constexpr Nanos kSlowLink = base::Millis(10);
constexpr Nanos kAwaySpan = base::Millis(3000);
constexpr Nanos kReturnBound = std::chrono::seconds(20);
constexpr Nanos kGuard = base::Millis(100);
}  // namespace

Life::Life(std::uint64_t seed, const Wishes& wishes, bool notes, bool traces)
    : profile_(draw_profile(seed, wishes)),
      scheduler_(seed),
      world_{scheduler_,  oracle_, tally_, profile_, nullptr,
             ClusterId(), {},      notes,  traces,   nullptr},
      network_(scheduler_, tally_, profile_.nodes,
               [this](std::size_t to, const base::Bytes& frame, bool is_damaged) {
                 if (founding_.hears(to)) return founding_.receive(to, frame, is_damaged);
                 nodes_[to]->receive(frame, is_damaged);
               }),
      clients_(scheduler_, oracle_, tally_, profile_, nodes_),
      operator_(world_, nodes_),
      founding_(world_, network_, nodes_, operator_),
      nemesis_(world_, network_, nodes_, clients_, operator_) {
  world_.network = &network_;
  world_.cluster = ClusterId(scheduler_.random().next() | 1U);
  world_.on_ended = [this](std::size_t node) { nemesis_.restart_later(node); };
}

Life::~Life() = default;

void Life::form() {
  world_.note(describe(profile_));
  if (!profile_.has(Fault::kFormation)) return form_at_once();
  for (std::size_t i = 0; i < profile_.nodes; ++i) {
    nodes_.push_back(std::make_unique<SimNode>(world_, i));
  }
  founding_.begin(kGuard);
  for (std::size_t i = profile_.voters; i < profile_.nodes; ++i) {
    nodes_[i]->install_disk(operator_.next_id());
  }
  while (oracle_.failure().empty() && !founding_.is_founded()) step();
}

/// The disks are prepared by who sets up the group.
void Life::form_at_once() {
  Configuration first;
  first.id = ConfigId(1);
  first.first = Slot(1);
  first.guard = kGuard;
  for (std::size_t i = 0; i < profile_.nodes; ++i) {
    nodes_.push_back(std::make_unique<SimNode>(world_, i));
    nodes_.back()->install_disk(operator_.next_id());
    if (i < profile_.voters) first.voters.push_back(nodes_.back()->member());
  }
  if (scheduler_.random().chance(0.5)) first.first_leader = first.voters.front().id;
  const Chain chain{{first}, consensus::kNoSlot};
  oracle_.begin(chain);
  for (std::size_t i = 0; i < profile_.voters; ++i) {
    nodes_[i]->form(chain, chain);
    if (!nodes_[i]->start()) oracle_.fail(nodes_[i]->last_failure());
  }
}

void Life::step() {
  if (!scheduler_.step()) oracle_.fail("nothing left to do");
}

void Life::run_safety() {
  clients_.start();
  operator_.start();
  nemesis_.start();
  const Nanos end = scheduler_.now() + kSafetySpan;
  while (oracle_.failure().empty() && tally_.events() < profile_.events_max &&
         scheduler_.now() < end) {
    step();
  }
}

/// Everybody of the newest configuration has executed the last write.
bool Life::is_settled() {
  const auto slot = clients_.final_slot();
  if (!slot) return false;
  const auto& voters = oracle_.chain().current().voters;
  return std::all_of(voters.begin(), voters.end(), [&](const Member& voter) {
    return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
      return node->member() == voter && node->is_up() && node->machine().applied() >= *slot;
    });
  });
}

void Life::run_liveness() {
  world_.note("healing");
  nemesis_.heal();
  operator_.wind_down();
  catch_up_under_load(kProgressBound);
  if (oracle_.failure().empty() && scheduler_.random().chance(0.1)) return_under_load();
  world_.note("settling");
  clients_.wind_down();
  settle();
}

/// Clients do not wait for who was away: each voter must come to what was executed when it came
/// back, and go on by the log. Who goes from image to image executes nothing of it.
void Life::catch_up_under_load(Nanos bound) {
  const Nanos end = scheduler_.now() + bound;
  const std::uint64_t goal = oracle_.executed().value();
  std::set<Member> back;
  const auto is_back = [&](const Member& voter) { return back.contains(voter); };
  while (oracle_.failure().empty()) {
    for (const auto& node : nodes_) {
      if (!node->is_up()) continue;
      const std::uint64_t applied = node->machine().applied().value();
      const bool has_log = applied >= goal && applied >= node->image().value() + kBehindImage;
      if (has_log) back.insert(node->member());
    }
    const auto& voters = oracle_.chain().current().voters;
    if (operator_.is_done() && std::all_of(voters.begin(), voters.end(), is_back)) return;
    step();
    if (scheduler_.now() < end) continue;
    std::string state =
        base::concat("somebody does not catch up with a group that goes on:", clients_.describe(),
                     operator_.describe());
    for (const auto& node : nodes_) state += node->describe();
    oracle_.fail(state);
  }
}

bool Life::is_left_behind(const SimNode& node) const {
  const Slot applied = node.machine().applied();
  const auto& voters = oracle_.chain().current();
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& each) {
    const bool counts = each.get() != &node && voters.is_voter(each->member());
    return !counts || each->log_base() > applied;
  });
}

/// A follower is away until nobody has the log that it lacks, and comes back over slow links while
/// clients write as fast as they can.
void Life::return_under_load() {
  const auto& now = oracle_.chain().current();
  const auto away = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    return node->is_up() && now.is_voter(node->member()) && !node->leads();
  });
  if (away == nodes_.end() || now.voters.size() < 3) return;
  const std::size_t self = (*away)->index();
  const auto each_way = [&](const auto& harm) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (i != self) harm(self, i), harm(i, self);
    }
  };
  world_.note(base::concat("node ", self, " is away while the others write"));
  each_way([&](std::size_t from, std::size_t to) { network_.cut(from, to); });
  clients_.press(kAwaySpan + kReturnBound);
  const Nanos end = scheduler_.now() + kAwaySpan;
  while (oracle_.failure().empty() && scheduler_.now() < end && (*away)->is_up() &&
         !is_left_behind(**away)) {
    step();
  }
  if ((*away)->is_up() && is_left_behind(**away)) tally_.add(Count::kReturns);
  network_.heal();
  each_way([&](std::size_t from, std::size_t to) { network_.slow(from, to, kSlowLink); });
  world_.note("and comes back");
  catch_up_under_load(kReturnBound);
  network_.heal();
}

void Life::settle() {
  const Nanos end = scheduler_.now() + kProgressBound;
  bool is_asked = false;
  while (oracle_.failure().empty() && !is_settled()) {
    if (!is_asked && clients_.is_idle() && operator_.is_done()) {
      is_asked = true;
      clients_.write_final();
    }
    step();
    if (scheduler_.now() < end) continue;
    std::string state =
        base::concat("no progress after healing:", clients_.describe(), operator_.describe());
    for (const auto& node : nodes_) state += node->describe();
    oracle_.fail(state);
  }
}

LifeResult Life::live() {
  form();
  if (oracle_.failure().empty()) run_safety();
  if (oracle_.failure().empty()) run_liveness();
  tally_.virtual_nanos = static_cast<std::uint64_t>(scheduler_.now().count());
  scheduler_.trace(oracle_.digest());
  scheduler_.trace(oracle_.executed().value());
  return LifeResult{oracle_.failure(), scheduler_.trace_hash(), tally_};
}

}  // namespace synod::sim
