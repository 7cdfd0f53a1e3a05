// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/dispatcher.h"
#include "base/function.h"
#include "consensus/runtime/replica_runtime.h"

namespace synod::router {

/// Linearizable reads before they touch the tables: those that wait share a read index.
///
/// Owned by ConsensusRouter. Invariants
///   RG1  a read goes on only after a read index that was asked for after it came, and only when
///        this replica has applied it;
///   RG2  every read goes on or fails, once.
///
/// Threads: any; `go` runs on the read's worker, or on the consensus strand.
class ReadGate {
 public:
  /// False: there is no leader with a majority, time is up, or too many wait.
  using Go = base::Function<void(bool may_read)>;
  struct Read {
    Go go;
    base::Dispatcher* worker = nullptr;
    base::Nanos give_up{0};
  };

  void attach(consensus::ReplicaRuntime& runtime);
  void pass(Read read);
  /// Asks again for those that got no index, and lets go of those whose time is up.
  void tick(base::Nanos now);
  void end_all();

 private:
  static constexpr std::size_t kRoundsMax = 2;
  static constexpr std::size_t kWaitingMax = 100'000;
  /// Reads that share one question. Asked: the replica may keep its answer back for long.
  struct Round {
    std::vector<Read> reads;
  };

  void start_round();
  void on_round(const std::shared_ptr<Round>& round, bool has_index);
  static void take_late(std::vector<Read>& from, base::Nanos now, std::vector<Read>& late);
  static void run(std::vector<Read> reads, bool may_read);

  std::mutex mutex_;
  consensus::ReplicaRuntime* runtime_ = nullptr;
  std::vector<Read> waiting_;
  std::vector<Read> failed_;  ///< Got no index; asked again at the next tick.
  std::vector<std::shared_ptr<Round>> rounds_;
  bool is_ended_ = false;
};

}  // namespace synod::router
