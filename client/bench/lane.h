// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "base/random.h"
#include "base/status.h"
#include "client/bench/bench_wire.h"
#include "client/bench/key_chooser.h"
#include "client/bench/tally.h"
#include "client/bench/workload.h"

namespace synod::client {

/// When operations are due, whatever becomes of those before them: thread t of n has every n-th.
class Schedule {
 public:
  Schedule(double rate, std::uint64_t thread, std::uint64_t threads, std::int64_t start_ns)
      : gap_ns_(1e9 / rate), thread_(thread), threads_(threads), start_ns_(start_ns) {}
  /// Of the thread's operation `index`, from 0. No error adds up: each follows from the start.
  [[nodiscard]] std::int64_t due_ns(std::uint64_t index) const {
    return start_ns_ +
           static_cast<std::int64_t>(static_cast<double>(index * threads_ + thread_) * gap_ns_);
  }

 private:
  const double gap_ns_;
  const std::uint64_t thread_;
  const std::uint64_t threads_;
  const std::int64_t start_ns_;
};

/// What one thread asks next, and who takes the answers: it decides and counts, and an engine moves
/// the bytes. Times are nanoseconds of the monotonic clock, brought in by the engine.
///
/// Threads: externally synchronized.
class Lane {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  Lane() = default;
  virtual ~Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// False: nothing is to be sent now.
  virtual bool take(std::int64_t now, Request& request) = 0;
  /// When take() gives something without an answer coming first; kNever: it will not.
  [[nodiscard]] virtual std::int64_t wakes_at() const = 0;
  /// take() gives nothing any more.
  [[nodiscard]] virtual bool finished() const = 0;
  virtual void answered(const Request& request, const Answer& answer, std::int64_t now) = 0;
  /// A connection broke with so many operations under way.
  virtual void lost(std::uint64_t under_way, const base::Status& why) = 0;
  /// No connection is left.
  virtual void abandon(std::int64_t now) = 0;
};

/// Writes all keys with tag 0, many in one request.
///
/// Failure: a refusal ends it.
class LoadLane final : public Lane {
 public:
  LoadLane(const Workload& workload, std::uint32_t keys_per_request)
      : key_count_(workload.key_count), keys_per_request_(keys_per_request) {}

  bool take(std::int64_t now, Request& request) override;
  [[nodiscard]] std::int64_t wakes_at() const override { return kNever; }
  [[nodiscard]] bool finished() const override { return stopped_ || next_ == key_count_; }
  void answered(const Request& request, const Answer& answer, std::int64_t now) override;
  void lost(std::uint64_t under_way, const base::Status& why) override;
  void abandon(std::int64_t /*now*/) override { stopped_ = true; }

  [[nodiscard]] std::uint64_t keys() const { return keys_; }
  [[nodiscard]] const LatencyHistogram& requests() const { return requests_; }
  [[nodiscard]] const ErrorCounts& errors() const { return errors_; }
  [[nodiscard]] const std::string& first_loss() const { return first_loss_; }

 private:
  const std::uint64_t key_count_;
  const std::uint32_t keys_per_request_;
  std::uint64_t next_ = 0;
  std::uint64_t keys_ = 0;  ///< Acknowledged.
  bool stopped_ = false;
  LatencyHistogram requests_;
  ErrorCounts errors_;
  std::string first_loss_;
};

/// The run itself, of one thread.
///
/// Invariants
///   RL1  With a rate, operation i begins when it is due: its latency counts from there, sent or
///        not, and no answer moves a due time. What stalls is not hidden by asking less.
///   RL2  Without a rate, the next operation of a connection begins when one before it is answered.
///   RL3  Exactly its share of `operations` is measured, if that is asked for.
class RunLane final : public Lane {
 public:
  RunLane(const Workload& workload, std::uint64_t thread, std::int64_t start_ns);

  bool take(std::int64_t now, Request& request) override;
  [[nodiscard]] std::int64_t wakes_at() const override;
  [[nodiscard]] bool finished() const override { return finished_; }
  void answered(const Request& request, const Answer& answer, std::int64_t now) override;
  void lost(std::uint64_t under_way, const base::Status& why) override;
  void abandon(std::int64_t now) override;

  [[nodiscard]] const Tally& tally() const { return tally_; }
  [[nodiscard]] std::int64_t measures_from() const { return measure_from_ns_; }

 private:
  [[nodiscard]] bool is_over(std::int64_t begin) const;
  [[nodiscard]] bool chooses_read();
  void check_value(const Request& request, const Answer& answer);
  void count_latency(bool is_read, std::int64_t begin, std::int64_t now);

  const Workload& workload_;
  const std::uint64_t thread_;
  const std::int64_t measure_from_ns_;
  const std::int64_t end_ns_;       ///< Nothing begins later; kNever with `operations`.
  const std::uint64_t operations_;  ///< To measure; 0: until the end.
  std::optional<Schedule> schedule_;
  KeyChooser keys_;
  base::Random random_;
  std::uint64_t begun_ = 0;
  std::uint64_t measured_ = 0;  ///< Of those begun.
  std::uint64_t writes_ = 0;
  bool finished_ = false;
  Tally tally_;
};

}  // namespace synod::client
