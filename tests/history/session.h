// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "tests/history/client.h"
#include "tests/history/history.h"
#include "tests/history/workloads.h"

namespace synod::history {

/// What the threads of one run share.
struct RunState {
  RunState(const WorkloadOptions& the_options, const base::Clock& the_clock, Recorder& the_recorder)
      : options(the_options),
        clock(the_clock),
        recorder(the_recorder),
        end(clock.boot_time() + options.duration),
        list_appends(options.keys) {}

  const WorkloadOptions& options;
  const base::Clock& clock;
  Recorder& recorder;
  const base::Nanos end;
  std::atomic<std::uint64_t> operations{0};
  std::atomic<std::uint64_t> next_unique{1};
  std::vector<std::atomic<std::uint64_t>> list_appends;  // per live list

  /// True while there is time and room for another operation, which is then taken.
  bool take_operation();
  std::string unique() { return std::to_string(next_unique.fetch_add(1)); }
};

/// One attempt at an operation: what came of it.
struct Attempt {
  Outcome outcome = Outcome::kNotApplied;
  std::vector<MicroOp> ops;  ///< Empty: as intended.
  std::optional<std::int64_t> read_version;
  std::optional<std::int64_t> commit_version;
  std::string error;
};

/// A logical client: performs operations one after the other and records them.
///
/// Invariants
///   S1  The invocation is on record before `body` runs, the completion after it returned.
///   S2  After an unknown outcome it goes on under a new process number.
///
/// Threads: externally synchronized.
class Session {
 public:
  Session(RunState& run, Client& client, base::Random random);

  void perform(std::vector<MicroOp> intended, const std::function<Attempt()>& body,
               bool pinned = false);
  /// Runs `steps` in a transaction and commits it, an unknown outcome being settled by repetition.
  /// `steps` performs them and returns them with their results; an error ends the attempt.
  using Steps = std::function<base::Result<std::vector<MicroOp>>(ClientTransaction&)>;
  void transact(std::vector<MicroOp> intended, const Steps& steps);

  [[nodiscard]] RunState& run() { return run_; }
  [[nodiscard]] Client& client() { return client_; }
  [[nodiscard]] base::Random& random() { return random_; }
  [[nodiscard]] std::uint32_t random_key() {
    return static_cast<std::uint32_t>(random_.below(run_.options.keys));
  }
  /// The outcome of the last operation.
  [[nodiscard]] Outcome last() const { return last_; }
  /// The read version of the last transaction that had one.
  [[nodiscard]] std::optional<std::int64_t> last_read_version() const { return read_version_; }

 private:
  Attempt attempt(const Steps& steps);
  void pause();

  RunState& run_;
  Client& client_;
  base::Random random_;
  std::int64_t process_;
  Outcome last_ = Outcome::kApplied;
  std::optional<std::int64_t> read_version_;
};

/// Steps, not yet performed.
[[nodiscard]] MicroOp read_step(base::Bytes key, bool is_list = false);
[[nodiscard]] MicroOp range_step(base::Bytes begin, base::Bytes end, std::uint32_t limit = 0);
[[nodiscard]] MicroOp write_step(OpKind kind, base::Bytes key,
                                 std::optional<base::Bytes> value = std::nullopt);
/// Performs a read or range and fills in what was seen.
base::Status perform_read(ClientTransaction& txn, MicroOp& step);

}  // namespace synod::history
