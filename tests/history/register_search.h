// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "tests/history/history.h"
#include "tests/history/linearizability.h"

namespace synod::history {

/// A value of a register as a small number; 0 is a missing key.
using ValueId = std::uint32_t;
inline constexpr ValueId kMissing = 0;

/// One operation on one register.
struct RegisterOp {
  OpKind kind = OpKind::kRead;  ///< kRead, kWrite, kDelete or kCas.
  ValueId value = kMissing;     ///< Seen or written.
  ValueId expected = kMissing;  ///< kCas.
  bool swapped = false;         ///< kCas with a known result.
  bool known = true;            ///< Its outcome is; otherwise `completed` is kNever.
  std::int64_t invoked = 0;
  std::int64_t completed = Operation::kNever;
  const Operation* source = nullptr;
};

/// The search for one key. See check_linearizability.
///
/// Invariants
///   W1  The list holds the invocations and returns of exactly the operations not yet placed, in
///       real-time order; what stands before the first return may be placed next.
///   W2  An operation that only looks, may come next and fits the value is placed at once and for
///       good: later it could only fit less.
///   W3  The memo holds every (placed set, value) that was ever entered: none is entered twice.
///
/// Threads: externally synchronized.
class RegisterSearch {
 public:
  enum class Result : std::uint8_t { kLinearizable, kNot, kGaveUp };

  /// `ops` in order of invocation; both must outlive the search.
  RegisterSearch(const std::vector<RegisterOp>& ops, const LinearizabilityLimits& limits,
                 base::Nanos deadline);

  Result run();

  /// After kNot: the longest order that was found, and an operation that has no place after it.
  [[nodiscard]] const std::vector<std::uint32_t>& longest() const { return longest_; }
  [[nodiscard]] std::uint32_t stuck() const { return stuck_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Entry {
    std::uint32_t op = kNone;
    bool is_return = false;
    std::uint32_t previous = kNone;
    std::uint32_t next = kNone;
    std::uint32_t match = kNone;  // of an invocation: its return
  };
  struct State {
    ValueId value = kMissing;
    bool after_unknown = false;  // the last one placed was an unknown write
  };
  struct Placed {
    std::uint32_t entry = kNone;
    State before;
    bool forced = false;
  };

  void build_list();
  [[nodiscard]] std::optional<State> apply(const RegisterOp& op) const;
  void lift(std::uint32_t entry);
  void unlift(std::uint32_t entry);
  void unlink(std::uint32_t entry);
  void relink(std::uint32_t entry);
  void mark(std::uint32_t op, bool placed);
  bool enter(State state);
  bool place(std::uint32_t entry, bool forced);
  [[nodiscard]] std::uint32_t fitting_look() const;
  [[nodiscard]] std::uint32_t take_back();
  [[nodiscard]] bool over_limit() const;
  void remember_longest(std::uint32_t stuck);

  const std::vector<RegisterOp>& ops_;
  const LinearizabilityLimits& limits_;
  const base::Nanos deadline_;
  std::vector<Entry> entries_;  // [0] is the head
  std::size_t returns_left_ = 0;
  State state_;
  std::vector<Placed> stack_;
  // Placed operations: those that completed and those that are unknown apart, because the first
  // form a run with a short ragged end and so need few bytes in the memo.
  std::vector<std::uint32_t> rank_;  // of an operation among its kind
  std::vector<std::uint64_t> known_bits_;
  std::vector<std::uint64_t> unknown_bits_;
  std::size_t first_open_word_ = 0;  // all words of known_bits_ before it are full
  std::size_t last_used_word_ = 0;   // all words of known_bits_ behind it are empty
  std::unordered_set<std::string> memo_;
  std::uint64_t memo_bytes_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<std::uint32_t> longest_;
  std::uint32_t stuck_ = 0;
};

/// The pattern that shows why `stuck` has no place; see check_linearizability for the names.
[[nodiscard]] std::string classify(const std::vector<RegisterOp>& ops,
                                   const std::vector<Operation>& failed, std::uint32_t stuck);

/// An operation that found a value which nobody can have written in time; linear.
[[nodiscard]] std::optional<std::uint32_t> find_without_source(const std::vector<RegisterOp>& ops,
                                                               const std::vector<Operation>& failed,
                                                               std::string& anomaly);

/// An operation at which any of the simple patterns shows, each of which is a proof; quadratic, so
/// only where the search gave up.
[[nodiscard]] std::optional<std::uint32_t> find_pattern(const std::vector<RegisterOp>& ops,
                                                        const std::vector<Operation>& failed,
                                                        std::string& anomaly);

}  // namespace synod::history
