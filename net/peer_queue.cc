// SPDX-License-Identifier: Apache-2.0
#include "net/peer_queue.h"

#include <utility>

namespace synod::net {

PeerQueue::Push PeerQueue::push(base::Bytes frame) {
  const std::lock_guard lock(mutex_);
  if (!is_open_ || frame.size() > bytes_max_ - bytes_) {
    ++dropped_;
    return Push::kDropped;
  }
  bytes_ += frame.size();
  frames_.push_back(std::move(frame));
  return std::exchange(is_awake_, true) ? Push::kAccepted : Push::kAcceptedWake;
}

std::optional<base::Bytes> PeerQueue::pop() {
  const std::lock_guard lock(mutex_);
  if (frames_.empty()) {
    is_awake_ = false;
    return std::nullopt;
  }
  base::Bytes frame = std::move(frames_.front());
  frames_.pop_front();
  bytes_ -= frame.size();
  return frame;
}

void PeerQueue::open() {
  const std::lock_guard lock(mutex_);
  is_open_ = true;
}

void PeerQueue::close() {
  std::deque<base::Bytes> lost;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  lost.swap(frames_);
  dropped_ += lost.size();
  bytes_ = 0;
  is_open_ = false;
  is_awake_ = false;
}

std::size_t PeerQueue::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::uint64_t PeerQueue::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace synod::net
