// SPDX-License-Identifier: Apache-2.0
#include "tests/history/register_search.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace synod::history {
namespace {

constexpr std::uint64_t kMemoOverhead = 64;  // a node and its bucket, about
constexpr std::uint64_t kClockEvery = 1 << 14;

}  // namespace

RegisterSearch::RegisterSearch(const std::vector<RegisterOp>& ops,
                               const LinearizabilityLimits& limits, base::Nanos deadline)
    : ops_(ops), limits_(limits), deadline_(deadline) {
  std::uint32_t known = 0;
  std::uint32_t unknown = 0;
  for (const RegisterOp& op : ops_) rank_.push_back(op.known ? known++ : unknown++);
  known_bits_.resize(known / 64 + 1);
  unknown_bits_.resize((unknown + 63) / 64);
  returns_left_ = known;
  build_list();
}

void RegisterSearch::build_list() {
  struct Moment {
    std::int64_t at;
    std::uint32_t op;
    bool is_return;
  };
  std::vector<Moment> moments;
  for (std::uint32_t i = 0; i < ops_.size(); ++i) {
    moments.push_back({ops_[i].invoked, i, false});
    if (ops_[i].known) moments.push_back({ops_[i].completed, i, true});
  }
  std::sort(moments.begin(), moments.end(),
            [](const Moment& a, const Moment& b) { return a.at < b.at; });
  entries_.resize(moments.size() + 1);
  std::vector<std::uint32_t> invocation(ops_.size());
  for (std::uint32_t i = 0; i < moments.size(); ++i) {
    Entry& entry = entries_[i + 1];
    entry = {moments[i].op, moments[i].is_return, i, kNone, kNone};
    entries_[i].next = i + 1;
    if (entry.is_return) {
      entries_[invocation[entry.op]].match = i + 1;
    } else {
      invocation[entry.op] = i + 1;
    }
  }
}

std::optional<RegisterSearch::State> RegisterSearch::apply(const RegisterOp& op) const {
  switch (op.kind) {
    case OpKind::kRead:
      if (op.value != state_.value) return std::nullopt;
      return State{state_.value, false};
    case OpKind::kCas:
      if (!op.known) {
        // One that finds another value does nothing: the same as never.
        if (op.expected != state_.value) return std::nullopt;
        return State{op.value, true};
      }
      if (op.swapped != (op.expected == state_.value)) return std::nullopt;
      return State{op.swapped ? op.value : state_.value, false};
    default:
      // Nobody looked at the unknown write before: the order without it was tried, too.
      if (state_.after_unknown) return std::nullopt;
      return State{op.value, !op.known};
  }
}

void RegisterSearch::unlink(std::uint32_t entry) {
  const Entry& gone = entries_[entry];
  entries_[gone.previous].next = gone.next;
  if (gone.next != kNone) entries_[gone.next].previous = gone.previous;
}

void RegisterSearch::relink(std::uint32_t entry) {
  const Entry& back = entries_[entry];
  entries_[back.previous].next = entry;
  if (back.next != kNone) entries_[back.next].previous = entry;
}

void RegisterSearch::lift(std::uint32_t entry) {
  unlink(entry);
  if (entries_[entry].match == kNone) return;
  unlink(entries_[entry].match);
  --returns_left_;
}

void RegisterSearch::unlift(std::uint32_t entry) {
  if (entries_[entry].match != kNone) {
    relink(entries_[entry].match);
    ++returns_left_;
  }
  relink(entry);
}

void RegisterSearch::mark(std::uint32_t op, bool placed) {
  const std::size_t word = rank_[op] / 64;
  const std::uint64_t bit = std::uint64_t{1} << (rank_[op] % 64);
  if (!ops_[op].known) {
    unknown_bits_[word] ^= bit;
    return;
  }
  known_bits_[word] ^= bit;
  if (placed) {
    last_used_word_ = std::max(last_used_word_, word);
    while (known_bits_[first_open_word_] == ~std::uint64_t{0}) ++first_open_word_;
  } else {
    first_open_word_ = std::min(first_open_word_, word);
    while (last_used_word_ > 0 && known_bits_[last_used_word_] == 0) --last_used_word_;
  }
}

/// W3. The key is exact: value, then the words between the full and the empty ones, then those of
/// the unknown.
bool RegisterSearch::enter(State state) {
  const std::size_t words =
      last_used_word_ < first_open_word_ ? 0 : last_used_word_ - first_open_word_ + 1;
  std::string key(8 + 8 * (words + unknown_bits_.size()), '\0');
  const auto first = static_cast<std::uint32_t>(first_open_word_);
  const std::uint32_t value = state.value * 2 + (state.after_unknown ? 1 : 0);
  std::memcpy(key.data(), &first, 4);
  std::memcpy(key.data() + 4, &value, 4);
  std::memcpy(key.data() + 8, known_bits_.data() + first_open_word_, 8 * words);
  if (!unknown_bits_.empty()) {
    std::memcpy(key.data() + 8 + 8 * words, unknown_bits_.data(), 8 * unknown_bits_.size());
  }
  const std::uint64_t bytes = key.size() + kMemoOverhead;
  const bool fresh = memo_.insert(std::move(key)).second;
  if (fresh) memo_bytes_ += bytes;
  return fresh;
}

bool RegisterSearch::over_limit() const {
  if (steps_ > limits_.steps_max || memo_bytes_ > limits_.memo_bytes_max) return true;
  return limits_.clock != nullptr && steps_ % kClockEvery == 0 &&
         limits_.clock->boot_time() > deadline_;
}

void RegisterSearch::remember_longest(std::uint32_t stuck) {
  if (!longest_.empty() && stack_.size() <= longest_.size()) return;
  longest_.clear();
  for (const Placed& placed : stack_) longest_.push_back(entries_[placed.entry].op);
  stuck_ = stuck;
}

/// Places the operation if it fits and leads to something new.
bool RegisterSearch::place(std::uint32_t entry, bool forced) {
  const std::uint32_t op = entries_[entry].op;
  const auto next = apply(ops_[op]);
  if (!next.has_value()) return false;
  mark(op, true);
  if (!enter(*next)) {
    mark(op, false);
    return false;
  }
  stack_.push_back({entry, state_, forced});
  state_ = *next;
  lift(entry);
  return true;
}

/// W2: one that may come next, looks only, and fits; or none.
std::uint32_t RegisterSearch::fitting_look() const {
  for (std::uint32_t at = entries_[0].next; at != kNone && !entries_[at].is_return;
       at = entries_[at].next) {
    const RegisterOp& op = ops_[entries_[at].op];
    const bool looks =
        op.kind == OpKind::kRead || (op.kind == OpKind::kCas && op.known && !op.swapped);
    if (looks && apply(op).has_value()) return at;
  }
  return kNone;
}

/// Undoes the last choice, with all that was forced by it; what comes after it in the list is to be
/// tried next. kNone: no choice is left.
std::uint32_t RegisterSearch::take_back() {
  while (!stack_.empty()) {
    const Placed last = stack_.back();
    stack_.pop_back();
    state_ = last.before;
    mark(entries_[last.entry].op, false);
    unlift(last.entry);
    if (!last.forced) return entries_[last.entry].next;
  }
  return kNone;
}

RegisterSearch::Result RegisterSearch::run() {
  bool arrived = true;  // at a new state: nothing was tried there yet
  std::uint32_t at = kNone;
  while (returns_left_ > 0) {
    ++steps_;
    if (over_limit()) return Result::kGaveUp;
    if (arrived) {
      const std::uint32_t look = fitting_look();
      if (look != kNone && place(look, true)) continue;
      // Where the look leads was entered before: then so was all that follows.
      at = look == kNone ? entries_[0].next : take_back();
      if (at == kNone) return Result::kNot;
      arrived = false;
    }
    SYNOD_ASSERT(at != kNone, "W1: while returns are left the walk meets one");
    if (entries_[at].is_return) {
      remember_longest(entries_[at].op);
      at = take_back();
      if (at == kNone) return Result::kNot;
    } else if (place(at, false)) {
      arrived = true;
    } else {
      at = entries_[at].next;
    }
  }
  return Result::kLinearizable;
}

}  // namespace synod::history
