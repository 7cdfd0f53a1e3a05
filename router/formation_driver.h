// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/dispatcher.h"
#include "base/function.h"
#include "base/random.h"
#include "consensus/log/superblock_store.h"
#include "consensus/protocol/formation.h"
#include "net/peer_transport.h"

namespace synod::router {

/// What a formation needs to act; all of it outlives the driver.
struct FormationSeams {
  base::Dispatcher& consensus;
  base::Dispatcher& log;  ///< Writes the superblock.
  net::PeerTransport& transport;
};

struct FormationEvents {
  /// The superblock is formed, durably. Nothing more comes of the driver.
  base::Function<void()> on_formed;
  /// It cannot go on: what contradicts what, or what the disk said. Once.
  base::Function<void(const std::string& reason)> on_refused;
};

/// Takes a blank replica to where it belongs: drives consensus::Formation over the transport, and
/// writes what it wants to remember before it says anything.
///
/// A blank disk whose group is there already waits until the group has added it; then the record
/// of the group becomes its own.
///
/// Owned by Replicated, until the replica is formed.
///
/// Invariants
///   FD1  Nothing is sent that follows from a memory which is not durable.
///   FD2  A record that names this disk among the first members and contradicts the members
///        configured here is never taken, neither now nor as that of a group that took the disk in.
///
/// Threads: confined to the consensus strand; the superblock is written on the log strand while
/// nothing else uses it. Both are stopped before the driver is destroyed.
class FormationDriver {
 public:
  /// `state_directory`: where the state of the formed replica will lie.
  FormationDriver(FormationSeams seams, const consensus::FormationOptions& options,
                  consensus::SuperblockStore& superblock, std::string state_directory,
                  base::Random random, base::Nanos tick_interval, FormationEvents events);

  ~FormationDriver();
  FormationDriver(const FormationDriver&) = delete;
  FormationDriver& operator=(const FormationDriver&) = delete;

  void start();
  /// From here on it does nothing.
  void stop() { is_over_ = true; }
  /// An Introduction of a peer.
  void step(const consensus::Envelope& envelope);

  /// "forming" or "joining".
  [[nodiscard]] std::string_view role() const;
  /// What stands in the way, as far as it was noticed; empty: nothing but who is not there yet.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] consensus::Member self() const { return formation_.self(); }
  /// The group that this disk waits to be taken into; none while it forms one.
  [[nodiscard]] const std::optional<consensus::ClusterRecord>& record() const {
    return formation_.record();
  }

 private:
  void tick();
  void pump();
  void judge();
  void complain_of_stranger(const consensus::Envelope& envelope);
  void write(consensus::FormationMemory memory, bool is_joining);
  void on_written(const base::Status& status, bool is_joining);
  void refuse(const std::string& reason);

  FormationSeams seams_;
  const consensus::FormationOptions options_;
  consensus::SuperblockStore& superblock_;
  const std::string state_directory_;
  const base::Nanos tick_interval_;
  FormationEvents events_;
  consensus::Formation formation_;
  std::set<consensus::ReplicaId> strangers_;  ///< Complained of.
  std::string problem_;                       ///< The last complaint.
  base::TimerId timer_;
  bool is_writing_ = false;
  bool is_over_ = false;
};

/// "1, 2, 3".
[[nodiscard]] std::string list_of(const std::vector<consensus::ReplicaId>& ids);
[[nodiscard]] std::string list_of(const std::vector<consensus::Member>& members);

}  // namespace synod::router
