// SPDX-License-Identifier: Apache-2.0
#include "router/warming.h"

#include <utility>

#include "base/assert.h"
#include "core/admission.h"

namespace synod::router {

bool Warming::must_wait(const core::KvServiceCore& core, const core::KvOperation& operation,
                        const RequestContext& context) const {
  if (!pool_.has_pool()) return false;
  if (lane_count_.load(std::memory_order_acquire) > 0) {
    const std::lock_guard lock(mutex_);
    if (lanes_.contains(context.worker)) return true;  // WA1
  }
  return core.needs_disk(operation);
}

bool Warming::has_room(std::uint64_t bytes) const {
  return operations_ < bounds_.operations_max && bytes_ + bytes <= bounds_.bytes_max;
}

void Warming::wait(Source source, core::KvOperation operation, const RequestContext& context,
                   Go go) {
  auto held = std::make_shared<Held>();
  held->bytes = core::encoded_bytes_max(operation) + sizeof(Held);
  held->is_ready = !source->needs_disk(operation);
  held->operation = std::move(operation);
  held->go = std::move(go);
  bool is_taken = false;
  {
    const std::lock_guard lock(mutex_);
    is_taken = has_room(held->bytes);
    if (is_taken) {
      lanes_[context.worker].held.push_back(held);
      lane_count_.store(lanes_.size(), std::memory_order_release);
      ++operations_;
      bytes_ += held->bytes;
    }
  }
  if (!is_taken) return held->go(std::move(held->operation), ColdReads::too_many());
  if (!held->is_ready && fetch(std::move(source), context, held)) return;
  release(context.worker);
}

/// False: the pool is full, and the operation will be told so when it is its turn.
bool Warming::fetch(Source source, const RequestContext& context,
                    const std::shared_ptr<Held>& held) {
  ColdReads::Job job;
  job.deadline = context.deadline;
  // The operation is not touched by anybody else before it is ready.
  job.run = [this, source = std::move(source), worker = context.worker,
             held](ColdReads::Verdict verdict) mutable {
    if (verdict == ColdReads::Verdict::kGo) source->fetch_for(held->operation);
    source.reset();
    on_fetched(worker, held, verdict);
  };
  if (pool_.push(job)) return true;
  const std::lock_guard lock(mutex_);
  held->refusal = ColdReads::too_many();
  held->is_ready = true;
  return false;
}

void Warming::on_fetched(Worker worker, const std::shared_ptr<Held>& held,
                         ColdReads::Verdict verdict) {
  {
    const std::lock_guard lock(mutex_);
    if (verdict == ColdReads::Verdict::kGo) {
      ++warmed_;
    } else {
      held->refusal = ColdReads::refusal_of(verdict);
    }
    held->is_ready = true;
  }
  release(worker);
}

/// WA1: from the front, as far as they are ready. Whoever becomes ready meanwhile is seen by the
/// thread that is at it.
void Warming::release(Worker worker) {
  std::unique_lock lock(mutex_);
  const auto found = lanes_.find(worker);
  if (found == lanes_.end() || found->second.is_releasing) return;
  Lane& lane = found->second;
  lane.is_releasing = true;
  while (!lane.held.empty() && lane.held.front()->is_ready) {
    const std::shared_ptr<Held> next = std::move(lane.held.front());
    lane.held.pop_front();
    lock.unlock();
    next->go(std::move(next->operation), std::move(next->refusal));  // WA2
    lock.lock();
    --operations_;
    bytes_ -= next->bytes;
  }
  lane.is_releasing = false;
  if (!lane.held.empty()) return;
  lanes_.erase(found);
  lane_count_.store(lanes_.size(), std::memory_order_release);
}

void Warming::add_to(StorageWaits& waits) const {
  pool_.add_to(waits);
  const std::lock_guard lock(mutex_);
  waits.operations_waiting = operations_;
  waits.operations_warmed = warmed_;
}

}  // namespace synod::router
