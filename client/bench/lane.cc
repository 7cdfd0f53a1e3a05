// SPDX-License-Identifier: Apache-2.0
#include "client/bench/lane.h"

#include <algorithm>

namespace synod::client {
namespace {

constexpr double kNsPerSecond = 1e9;
/// So long after the end what was due before it is still sent.
constexpr std::int64_t kDrainNs = 10'000'000'000;

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * kNsPerSecond); }

/// Sequential runs touch each key once and must not spend keys on warming up.
std::int64_t warm_up_ns(const Workload& workload) {
  return workload.distribution == Distribution::kSequential ? 0 : to_ns(workload.warm_up_s);
}

/// The thread's part of the operations.
std::uint64_t share(std::uint64_t operations, std::uint64_t thread, std::uint64_t threads) {
  return operations / threads + (thread < operations % threads ? 1 : 0);
}

std::uint64_t latency(std::int64_t begin, std::int64_t now) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, now - begin));
}

}  // namespace

bool LoadLane::take(std::int64_t now, Request& request) {
  if (finished()) return false;
  const std::uint64_t count = std::min<std::uint64_t>(keys_per_request_, key_count_ - next_);
  request = {.key = next_,
             .tag = 0,
             .begin_ns = now,
             .count = static_cast<std::uint32_t>(count),
             .kind = Request::Kind::kLoad};
  next_ += count;
  return true;
}

void LoadLane::answered(const Request& request, const Answer& answer, std::int64_t now) {
  if (answer.outcome == Answer::Outcome::kRefused) {
    errors_.add(answer.detail);
    stopped_ = true;
    return;
  }
  keys_ += request.count;
  requests_.record(latency(request.begin_ns, now));
}

void LoadLane::lost(std::uint64_t under_way, const base::Status& why) {
  if (first_loss_.empty()) first_loss_ = why.to_string();
  if (under_way > 0) errors_.add("CONNECTION_LOST", under_way);
  stopped_ = true;
}

RunLane::RunLane(const Workload& workload, std::uint64_t thread, std::int64_t start_ns)
    : workload_(workload),
      thread_(thread),
      measure_from_ns_(start_ns + warm_up_ns(workload)),
      end_ns_(workload.operations > 0 ? kNever : measure_from_ns_ + to_ns(workload.duration_s)),
      operations_(share(workload.operations, thread, workload.threads)),
      keys_(workload, thread),
      random_(workload.seed + thread) {
  if (workload.rate > 0) schedule_.emplace(workload.rate, thread, workload.threads, start_ns);
  if (workload.operations > 0 && operations_ == 0) finished_ = true;
}

bool RunLane::is_over(std::int64_t begin) const {
  if (workload_.stop != nullptr && workload_.stop->load(std::memory_order_relaxed)) return true;
  return workload_.operations > 0 ? measured_ == operations_ : begin >= end_ns_;
}

bool RunLane::chooses_read() {
  if (workload_.read_share <= 0) return false;
  return workload_.read_share >= 1 || random_.unit() < workload_.read_share;
}

bool RunLane::take(std::int64_t now, Request& request) {
  if (finished_) return false;
  const std::int64_t begin = schedule_ ? schedule_->due_ns(begun_) : now;
  if (is_over(begin)) {
    finished_ = true;
    return false;
  }
  if (begin > now) return false;
  if (end_ns_ != kNever && now > end_ns_ + kDrainNs) {
    abandon(now);
    return false;
  }
  ++begun_;
  if (begin >= measure_from_ns_) ++measured_;
  request = {.key = keys_.next(random_), .tag = 0, .begin_ns = begin};
  if (!chooses_read()) {
    request.kind = Request::Kind::kWrite;
    request.tag = ((thread_ + 1) << 40U) + ++writes_;
  }
  return true;
}

std::int64_t RunLane::wakes_at() const {
  return schedule_ && !finished_ ? std::min(schedule_->due_ns(begun_), end_ns_) : kNever;
}

void RunLane::answered(const Request& request, const Answer& answer, std::int64_t now) {
  ++tally_.answered;
  if (answer.outcome == Answer::Outcome::kRefused) {
    tally_.errors.add(answer.detail);
    return;
  }
  const bool is_read = request.kind == Request::Kind::kRead;
  if (is_read) check_value(request, answer);
  if (request.begin_ns >= measure_from_ns_) count_latency(is_read, request.begin_ns, now);
}

void RunLane::check_value(const Request& request, const Answer& answer) {
  const bool is_missing = answer.outcome == Answer::Outcome::kMissing;
  if (is_missing) ++tally_.missing;
  if (!workload_.verify) return;
  if (is_missing || !is_bench_value(workload_.value_sizes, request.key, answer.detail)) {
    ++tally_.wrong;
  }
}

void RunLane::count_latency(bool is_read, std::int64_t begin, std::int64_t now) {
  (is_read ? tally_.reads : tally_.writes).record(latency(begin, now));
  const std::uint64_t second = latency(measure_from_ns_, now) / 1'000'000'000;
  if (second >= tally_.per_second.size()) tally_.per_second.resize(second + 1);
  ++tally_.per_second[second];
}

void RunLane::lost(std::uint64_t under_way, const base::Status& why) {
  if (tally_.first_loss.empty()) tally_.first_loss = why.to_string();
  if (under_way > 0) tally_.errors.add("CONNECTION_LOST", under_way);
}

void RunLane::abandon(std::int64_t now) {
  if (schedule_) {
    for (std::int64_t due = schedule_->due_ns(begun_); due <= now && !is_over(due);
         due = schedule_->due_ns(++begun_)) {
      ++tally_.unsent;
      if (due < measure_from_ns_) continue;
      ++measured_;
      (chooses_read() ? tally_.reads : tally_.writes).record(latency(due, now));
    }
  }
  finished_ = true;
}

}  // namespace synod::client
