// SPDX-License-Identifier: Apache-2.0
#include "router/cold_reads.h"

#include <utility>

#include "base/assert.h"

namespace synod::router {
namespace {

constexpr std::int64_t kRetryAfterMs = 50;
constexpr std::int64_t kStoppingRetryMs = 1'000;

template <class Reply>
Reply refused(core::Outcome why) {
  Reply reply;
  reply.code = why.code;
  reply.message = std::move(why.message);
  return reply;
}

/// On the caller's worker, where its connection is.
template <class Reply>
void answer(base::Dispatcher* worker, base::Function<void(Reply)> done, Reply reply) {
  if (worker == nullptr || worker->is_current()) return done(std::move(reply));
  worker->post(
      [done = std::move(done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
}

}  // namespace

ColdReads::ColdReads(const std::vector<base::Dispatcher*>& pool, std::size_t waiting_max)
    : waiting_max_(waiting_max) {
  for (base::Dispatcher* dispatcher : pool) lanes_.push_back({dispatcher, false});
}

core::Outcome ColdReads::too_many() {
  return core::refused(core::OutcomeCode::kBusy, "Too many requests wait for values on disk",
                       kRetryAfterMs);
}

core::Outcome ColdReads::refusal_of(Verdict verdict) {
  SYNOD_ASSERT(verdict != Verdict::kGo, "SP1: a job that may go is not refused");
  if (verdict == Verdict::kTooLate) {
    return core::refused(core::OutcomeCode::kTimeout, "Transaction timed out");
  }
  return core::refused(core::OutcomeCode::kBusy, "The server is stopping", kStoppingRetryMs);
}

bool ColdReads::push(Job& job) {
  const std::lock_guard lock(mutex_);
  if (is_closed_ || waiting_.size() >= waiting_max_) {  // SP2
    ++refused_;
    return false;
  }
  waiting_.push_back(std::move(job));
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const std::size_t lane = next_lane_;
    next_lane_ = (next_lane_ + 1) % lanes_.size();
    if (lanes_[lane].is_busy) continue;
    lanes_[lane].is_busy = true;
    lanes_[lane].dispatcher->post([this, lane] { run_one(lane); });
    break;
  }
  return true;
}

/// One job of the queue, whoever pushed it; then the next, behind what else waits for the thread.
void ColdReads::run_one(std::size_t lane) {
  Job job;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      lanes_[lane].is_busy = false;
      return;
    }
    job = std::move(waiting_.front());
    waiting_.pop_front();
    ++running_;
  }
  base::Dispatcher& dispatcher = *lanes_[lane].dispatcher;
  const bool is_late = job.deadline && dispatcher.clock().boot_time() > *job.deadline;
  job.run(is_late ? Verdict::kTooLate : Verdict::kGo);
  job.run = {};  // SP3: what it held goes before anybody can see that nothing runs.
  const std::lock_guard lock(mutex_);
  --running_;
  ++done_;
  if (waiting_.empty()) {
    lanes_[lane].is_busy = false;
  } else {
    dispatcher.post([this, lane] { run_one(lane); });
  }
}

template <class Request, class Reply>
void ColdReads::read(Source source, Request request, const RequestContext& context,
                     base::Function<void(Reply)> done) {
  if (!has_pool()) return done(read_from(*source, request, core::ReadWait::kForDisk));
  // Shared, so that a job that is not taken leaves the completion here.
  auto completion = std::make_shared<base::Function<void(Reply)>>(std::move(done));
  Job job;
  job.deadline = context.deadline;
  job.run = [source = std::move(source), request = std::move(request), worker = context.worker,
             completion](Verdict verdict) mutable {
    Reply reply = verdict == Verdict::kGo ? read_from(*source, request, core::ReadWait::kForDisk)
                                          : refused<Reply>(refusal_of(verdict));
    source.reset();
    answer(worker, std::move(*completion), std::move(reply));
  };
  if (!push(job)) (*completion)(refused<Reply>(too_many()));
}

template void ColdReads::read(Source, core::PointReadRequest, const RequestContext&,
                              base::Function<void(core::PointReadReply)>);
template void ColdReads::read(Source, core::RangeReadRequest, const RequestContext&,
                              base::Function<void(core::RangeReadReply)>);

void ColdReads::close() {
  std::deque<Job> ended;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    ended.swap(waiting_);
  }
  for (Job& job : ended) job.run(Verdict::kStopping);  // SP1
}

void ColdReads::add_to(StorageWaits& waits) const {
  const std::lock_guard lock(mutex_);
  waits.jobs_waiting = waiting_.size();
  waits.jobs_running = running_;
  waits.jobs_done = done_;
  waits.jobs_refused = refused_;
}

}  // namespace synod::router
