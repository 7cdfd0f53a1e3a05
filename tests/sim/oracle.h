// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "consensus/protocol/learner.h"
#include "consensus/protocol/types.h"
#include "tests/sim/register_state.h"

namespace synod::sim {

using consensus::Ballot;
using consensus::Chain;
using consensus::Member;
using consensus::ReplicaId;
using consensus::Slot;

/// Knows everything that happened in one life and says when something must not have. It shares no
/// judgement with the replicas: it counts what disks hold, executes the log itself and compares.
///
/// Checks: one chosen value per slot, by a majority of the configuration that the chosen stop-signs
/// give the slot to; everything executed was chosen, and is the same with the same verdict of the
/// fence everywhere; states equal at equal slots; each token takes effect once; acknowledged
/// results are those of the log; no disk forgets what it held without saying so; reads are as new
/// as anything known when they began; promises and chains on disks do not go back; one leader for
/// each ballot.
class Oracle {
 public:
  /// The first failure; empty: none.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  void fail(std::string what);

  void begin(const Chain& first);

  // Disks.
  void on_accepted(const Member& member, Slot slot, const Ballot& ballot,
                   const consensus::Entry& entry);
  void on_promised(const Member& member, const Ballot& promised);
  void on_chain(const Member& member, const Chain& chain);
  /// The leader of this ballot said where the log ends: what was lost behind it is nothing.
  void on_tail_ended(const Member& member, const Ballot& promised);
  void on_recovered(const Member& member, const consensus::RecoveredState& state);

  // Replicas.
  void on_leader(const Member& member, const Ballot& ballot);
  /// A replica takes everything up to here for decided.
  void on_commit(Slot commit);
  /// A machine executed this; `digest` and `chain_hash` are those of its state behind it.
  void on_executed(const Member& member, const consensus::Delivery& delivery, std::uint64_t digest,
                   std::uint64_t history);
  /// A machine says that its state is this.
  void on_state(const Member& member, const std::string& what, Slot slot, const Ballot& fence,
                const Chain& chain, std::uint64_t digest, std::uint64_t history);

  // Clients.
  /// Whatever begins now must see at least this.
  [[nodiscard]] Slot floor() const { return std::max(commit_, acknowledged_); }
  void on_acknowledged(const Command& command, Slot slot, std::uint64_t result, Slot floor);
  void on_not_executed(const Command& command);
  void on_read(Slot index, Slot state, std::size_t key, std::uint64_t value, Slot floor);
  void on_local_read(Slot state, std::size_t key, std::uint64_t value);

  [[nodiscard]] Slot commit() const { return commit_; }
  [[nodiscard]] Slot executed() const { return Slot(executions_.size() - 1); }
  /// By what is chosen.
  [[nodiscard]] const Chain& chain() const { return chain_; }
  [[nodiscard]] bool took_effect(std::uint32_t client, std::uint32_t sequence) const;
  [[nodiscard]] std::uint64_t digest() const { return state_.digest(); }

  [[nodiscard]] static std::uint64_t next_history(std::uint64_t history,
                                                  const consensus::Delivery& delivery);

 private:
  struct Value {
    Ballot origin;
    std::uint32_t crc = 0;
    bool operator==(const Value&) const = default;
  };
  struct Acceptance {
    Ballot ballot;
    Value value;
    std::uint64_t holders = 0;  ///< One bit for each replica id.
  };
  struct SlotRecord {
    std::vector<Acceptance> accepted;
    std::optional<Value> chosen;
  };
  struct Execution {
    Value value;
    bool is_fenced = false;
    Ballot fence;
    std::uint64_t digest = 0;
    std::uint64_t history = 0;
    Chain const* chain = nullptr;
  };
  struct Change {
    Slot slot;
    std::uint64_t value;
  };
  struct Effect {
    Slot slot;
    std::uint64_t result;
    std::uint32_t attempt;
  };
  struct Disk {
    Slot last;  ///< The greatest that it ever held.
    Ballot promised;
    consensus::ConfigId config;
    Ballot tail_ended;
  };

  void check_nothing_forgotten(const Member& member, const consensus::RecoveredState& state);
  [[nodiscard]] bool is_kept_as_decided(Slot slot, const consensus::RecoveredState& state);
  void check_void(const Member& member, const consensus::RecoveredState& state);
  SlotRecord& record(Slot slot);
  void count(Slot slot, SlotRecord& record, const Acceptance& acceptance,
             const consensus::Entry& entry);
  void choose(Slot slot, SlotRecord& record, const Value& value, const consensus::Entry& entry);
  [[nodiscard]] std::uint64_t voters_of(const consensus::Configuration& configuration) const;
  void execute(const consensus::Delivery& delivery);
  void execute_command(Slot slot, const Command& command);
  [[nodiscard]] std::uint64_t value_at(std::size_t key, Slot slot) const;

  std::string failure_;
  std::vector<SlotRecord> slots_;
  Chain chain_;  ///< Its learners are not kept.
  std::map<Member, Disk> disks_;
  std::map<Ballot, Member> leaders_;
  Slot commit_;
  Slot acknowledged_;

  std::vector<Execution> executions_;  ///< By slot; the first is the empty state.
  RegisterState state_;
  std::uint64_t history_ = 0;
  Ballot fence_;
  std::vector<std::unique_ptr<Chain>> chains_;  ///< As executed.
  std::array<std::vector<Change>, kKeys> changes_;
  std::array<std::map<std::uint32_t, Effect>, kClients> effects_;
  std::set<std::array<std::uint32_t, 3>> refused_;
};

}  // namespace synod::sim
