// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include "consensus/protocol/acceptor.h"
#include "consensus/protocol/types.h"

namespace synod::consensus {

/// The configurations of one replica: which is in force, which has ended, what of it is durable.
///
/// Owned by Replica, who shows it what became decided. A stop-sign passes through three states:
/// *stopped* (decided here: no role in the configuration any more), *entering* (everything up to
/// it is safe here, and the superblock with the next configuration is being written), *entered*
/// (that is durable; only now anything is said in the next).
///
/// Invariants
///   C1  entries are taken in once, in order, and none behind a stop-sign that was not entered;
///   C3  nothing from a configuration entry on is executed, and no commit at or above a stop slot
///       is announced, before the chain that contains it is durable. So a state or a commit that
///       covers such an entry finds it in the superblock after a restart.
///
/// Threads: confined to the consensus strand.
class ConfigurationHistory {
 public:
  explicit ConfigurationHistory(Chain chain)
      : chain_(std::move(chain)), scanned_(chain_.as_of), entered_(chain_.current().id) {}

  [[nodiscard]] const Chain& chain() const { return chain_; }
  /// The newest this replica is entering or has entered.
  [[nodiscard]] const Configuration& current() const { return chain_.current(); }
  /// The newest that is durable here, with its end known: what messages are sent in.
  [[nodiscard]] ConfigId entered() const { return entered_; }
  /// The end of current() is decided, or current() is being entered: no role in either.
  [[nodiscard]] bool is_between() const { return stop_ || entered_ != current().id; }
  /// The decided end of current(), until the next is being entered.
  [[nodiscard]] std::optional<Slot> stop() const { return stop_; }
  /// Slots up to here may be executed (C3).
  [[nodiscard]] Slot executable() const { return undurable_ ? before(*undurable_) : kOpenEnd; }

  /// Looks at what became decided; true if the learners of current() changed or it ended.
  bool take_in(const SlotLog& log, Slot commit);
  /// Hands the acceptor what the superblock needs, as soon as the entries are safe here.
  void stage(Acceptor& acceptor);
  /// True if a configuration was entered by the frames that are durable now.
  bool on_durable(Ticket completed);
  /// The state was replaced by one that knows this chain; true if it goes beyond the own.
  bool install(const Chain& chain, Slot slot, Acceptor& acceptor);

 private:
  void note_undurable(Slot slot);

  Chain chain_;
  Slot scanned_;
  ConfigId entered_;
  std::optional<Slot> stop_;
  std::optional<Chain> next_;      ///< Beyond the stop, not in force yet.
  std::optional<Slot> undurable_;  ///< The first entry that the superblock does not have.
  Slot unstaged_;                  ///< The last entry that was not handed to the acceptor; 0: none.
  std::optional<Ticket> ticket_;   ///< The frame behind the superblock.
};

}  // namespace synod::consensus
