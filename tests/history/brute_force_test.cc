// SPDX-License-Identifier: Apache-2.0
// The checkers against a judge too simple to be wrong, on all kinds of tiny histories: every order
// that respects real time is tried, every unknown operation at every place or nowhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/random.h"
#include "tests/history/linearizability.h"
#include "tests/history/replay_state.h"
#include "tests/history/serializability.h"
#include "tests/history/session.h"

namespace synod::history {
namespace {

class Judge {
 public:
  explicit Judge(const std::vector<Operation>& operations) {
    for (const Operation& op : operations) {
      if (op.outcome != Outcome::kNotApplied) operations_.push_back(op);
    }
  }

  bool some_order_fits() { return fits(std::vector<bool>(operations_.size()), ReplayState()); }

 private:
  bool fits(const std::vector<bool>& done, const ReplayState& state) {
    bool complete = true;
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if (done[i]) continue;
      complete = complete && operations_[i].outcome == Outcome::kUnknown;
      ReplayState::View view(state);
      if (!may_come_next(i, done) || !agrees(operations_[i], view)) continue;
      ReplayState next = state;
      next.apply(view);
      auto more = done;
      more[i] = true;
      if (fits(more, next)) return true;
    }
    return complete;
  }

  [[nodiscard]] bool may_come_next(std::size_t at, const std::vector<bool>& done) const {
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if (!done[i] && operations_[i].completed < operations_[at].invoked) return false;
    }
    return true;
  }

  /// What was seen is what there is; writes go into the view.
  static bool agrees(const Operation& op, ReplayState::View& view) {
    for (const MicroOp& step : op.ops) {
      if (step.kind == OpKind::kRange) {
        if (step.seen && view.range(step) != step.rows) return false;
      } else if (step.kind == OpKind::kRead) {
        if (step.seen && view.get(step.key) != step.value) return false;
      } else if (step.kind == OpKind::kCas) {
        const bool equal = view.get(step.key) == step.expected;
        if (step.seen && equal != step.swapped) return false;
        MicroOp effect = step;
        effect.swapped = equal;
        view.write(effect);
      } else {
        view.write(step);
      }
    }
    return true;
  }

  std::vector<Operation> operations_;
};

/// Random intervals and outcomes: the operations of a history without their steps.
std::vector<Operation> random_times(base::Random& random, std::size_t count) {
  std::vector<std::int64_t> moments(2 * count);
  std::iota(moments.begin(), moments.end(), 0);
  // Near neighbours change places, so that some operations overlap and some do not.
  for (std::size_t round = 0; round < 3 * count; ++round) {
    const std::size_t at = random.below(moments.size() - 1);
    std::swap(moments[at], moments[at + 1]);
  }
  std::vector<Operation> operations(count);
  for (std::size_t i = 0; i < count; ++i) {
    Operation& op = operations[i];
    op.process = static_cast<std::int64_t>(i);
    op.invoked = std::min(moments[2 * i], moments[2 * i + 1]);
    op.completed = std::max(moments[2 * i], moments[2 * i + 1]);
    op.outcome = Outcome::kApplied;
    if (random.chance(0.2)) op.outcome = Outcome::kUnknown;
    if (random.chance(0.05)) op.outcome = Outcome::kNotApplied;
    if (op.outcome == Outcome::kUnknown) op.completed = Operation::kNever;
  }
  std::sort(operations.begin(), operations.end(),
            [](const Operation& a, const Operation& b) { return a.invoked < b.invoked; });
  return operations;
}

std::optional<base::Bytes> random_value(base::Random& random) {
  const std::uint64_t number = random.below(4);
  return number == 0 ? std::nullopt : std::optional<base::Bytes>(std::to_string(number));
}

MicroOp random_register_step(base::Random& random, bool known) {
  const std::uint64_t dice = random.below(10);
  if (dice < 5) {
    MicroOp step = read_step("x");
    step.seen = known;
    if (known) step.value = random_value(random);
    return step;
  }
  const OpKind kind = dice < 8 ? OpKind::kWrite : dice < 9 ? OpKind::kCas : OpKind::kDelete;
  MicroOp step = write_step(kind, "x");
  if (kind != OpKind::kDelete) step.value = std::to_string(1 + random.below(3));
  if (kind == OpKind::kCas) {
    step.expected = random_value(random);
    step.seen = known;
    step.swapped = known && random.chance(0.6);
  }
  return step;
}

TEST(Linearizability, AgreesWithTryingEveryOrderOfTinyHistories) {
  base::Random random(11);
  int good = 0;
  int bad = 0;
  for (int round = 0; round < 30'000; ++round) {
    auto history = random_times(random, 2 + random.below(6));
    for (Operation& op : history) {
      op.ops = {random_register_step(random, op.outcome == Outcome::kApplied)};
    }
    const bool fits = Judge(history).some_order_fits();
    const Report report = check_linearizability(history);
    ++(fits ? good : bad);
    std::string text;
    for (const Operation& op : history) text += op.to_string() + "\n";
    ASSERT_EQ(report.verdict(), fits ? Verdict::kOk : Verdict::kBad) << text << report.to_string();
  }
  EXPECT_GE(good, 3'000);
  EXPECT_GE(bad, 3'000);
}

/// Transactions on two lists, performed one after the other in a random order, some of their reads
/// on a state that is past.
void perform_lists(std::vector<Operation>& history, base::Random& random, double stale) {
  std::vector<std::size_t> order(history.size());
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    if (random.chance(0.3)) std::swap(order[i], order[i + 1]);
  }
  std::vector<ReplayState> states(1);
  int next_element = 1;
  for (const std::size_t at : order) {
    Operation& op = history[at];
    const std::size_t back = random.chance(stale) ? random.below(states.size()) : 0;
    ReplayState::View seen(states[states.size() - 1 - back]);
    ReplayState::View written(states.back());
    const std::uint64_t steps = 1 + random.below(3);
    for (std::uint64_t i = 0; i < steps; ++i) {
      const base::Bytes key = random.chance(0.5) ? "x" : "y";
      const std::uint64_t dice = random.below(10);
      if (dice < 5) {
        op.ops.push_back(read_step(key, true));
        op.ops.back().value = seen.get(key);
        op.ops.back().seen = true;
      } else if (dice < 6) {
        op.ops.push_back(range_step("x", "z", static_cast<std::uint32_t>(random.below(2))));
        op.ops.back().rows = seen.range(op.ops.back());
        op.ops.back().seen = true;
      } else {
        op.ops.push_back(write_step(OpKind::kAppend, key, std::to_string(next_element++)));
        seen.write(op.ops.back());
        written.write(op.ops.back());
      }
    }
    if (op.outcome == Outcome::kNotApplied && random.chance(0.8)) continue;
    ReplayState next = states.back();
    next.apply(written);
    states.push_back(std::move(next));
  }
}

TEST(Serializability, NeverBlamesWhatSomeOrderExplainsAndSeldomMissesWhatNoneDoes) {
  base::Random random(12);
  int good = 0;
  int caught = 0;
  int missed = 0;
  for (int round = 0; round < 30'000; ++round) {
    auto history = random_times(random, 2 + random.below(5));
    perform_lists(history, random, round % 2 == 0 ? 0.0 : 0.4);
    const bool fits = Judge(history).some_order_fits();
    const auto report = check_serializability(history);
    ASSERT_TRUE(report.ok()) << report.status().to_string();
    const bool ok = report->verdict() == Verdict::kOk;
    std::string text;
    for (const Operation& op : history) text += op.to_string() + "\n";
    ASSERT_TRUE(ok || !fits) << text << report->to_string();
    ++(fits ? good : ok ? missed : caught);
  }
  EXPECT_GE(good, 3'000);
  EXPECT_GE(caught, 3'000);
  // What nobody read leaves the order of its appends open: nothing follows from it alone.
  EXPECT_LE(missed * 100, caught * 2) << missed << " missed, " << caught << " caught";
}

}  // namespace
}  // namespace synod::history
