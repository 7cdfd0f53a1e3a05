// SPDX-License-Identifier: Apache-2.0
#include "core/table/page_keeper.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "core/table/slab_memory.h"

namespace synod::core {

PageKeeper::~PageKeeper() {
  SYNOD_ASSERT(!is_attended(), "the attendant leaves before what it attends ends");
}

void PageKeeper::attend(base::Function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
  is_attended_.store(true, std::memory_order_relaxed);
}

void PageKeeper::leave() {
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
    is_attended_.store(false, std::memory_order_relaxed);
    left.swap(jobs_);
  }
  for (const Job& job : left) {
    if (!job.prepares) unmap_piece(job.start, job.bytes);
  }
  done_.fetch_add(left.size(), std::memory_order_release);
}

PageKeeper::Ticket PageKeeper::push(const Job& job) {
  const std::lock_guard lock(mutex_);
  if (!is_attended()) return 0;
  jobs_.push_back(job);
  if (jobs_.size() == 1) wake_();
  return ++given_;
}

PageKeeper::Ticket PageKeeper::prepare(void* start, std::size_t bytes) {
  SYNOD_ASSERT(bytes % kPieceBytes == 0, "what is prepared consists of huge pages");
  return push({static_cast<std::byte*>(start), bytes, true});
}

void PageKeeper::give_back(void* start, std::size_t bytes) {
  bytes_waiting_.fetch_add(bytes, std::memory_order_relaxed);
  auto* const begin = static_cast<std::byte*>(start);
  if (push({begin, bytes, false}) == 0) unmap_piece(begin, bytes);
}

void PageKeeper::unmap_piece(std::byte* start, std::size_t bytes) {
  unmap(start, bytes);
  bytes_waiting_.fetch_sub(bytes, std::memory_order_relaxed);
}

bool PageKeeper::work() {
  Job piece{};
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.empty()) return false;
    Job& job = jobs_.front();
    piece = job;
    piece.bytes = std::min(job.bytes, kPieceBytes);
    job.start += piece.bytes;
    job.bytes -= piece.bytes;
  }
  if (piece.prepares) {
    fill_huge_page(piece.start);
  } else {
    unmap_piece(piece.start, piece.bytes);
  }
  // The job stays in front until its last piece is done: then nobody else wakes the attendant.
  const std::lock_guard lock(mutex_);
  if (!jobs_.empty() && jobs_.front().bytes == 0) {
    jobs_.pop_front();
    done_.fetch_add(1, std::memory_order_release);
  }
  return !jobs_.empty();
}

}  // namespace synod::core
