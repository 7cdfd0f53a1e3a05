// SPDX-License-Identifier: Apache-2.0
#include "server/metrics/status_sampler.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace synod::server {

struct StatusSampler::Shared {
  std::mutex mutex;
  std::condition_variable answered;
  bool is_asking = false;
  std::optional<router::StoreStatus> newest;  ///< Of the last question, once it is answered.
};

StatusSampler::StatusSampler(Fetch fetch)
    : fetch_(std::move(fetch)), shared_(std::make_shared<Shared>()) {}

std::optional<router::StoreStatus> StatusSampler::sample(base::Nanos patience) {
  std::unique_lock lock(shared_->mutex);
  if (!shared_->is_asking) {
    shared_->is_asking = true;  // ST1
    shared_->newest.reset();
    lock.unlock();
    fetch_([shared = shared_](router::StoreStatus status) {  // ST2
      const std::lock_guard guard(shared->mutex);
      shared->newest = std::move(status);
      shared->is_asking = false;
      shared->answered.notify_all();
    });
    lock.lock();
  }
  shared_->answered.wait_for(lock, patience, [this] { return !shared_->is_asking; });
  if (shared_->is_asking) return std::nullopt;
  return shared_->newest;
}

}  // namespace synod::server
