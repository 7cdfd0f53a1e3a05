// SPDX-License-Identifier: Apache-2.0
#include "router/read_gate.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace synod::router {

void ReadGate::attach(consensus::ReplicaRuntime& runtime) {
  const std::lock_guard lock(mutex_);
  runtime_ = &runtime;
  start_round();
}

void ReadGate::pass(Read read) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_ended_ && waiting_.size() + failed_.size() < kWaitingMax) {
      waiting_.push_back(std::move(read));
      start_round();
      return;
    }
  }
  read.go(false);
}

/// Two rounds at most are under way: what comes meanwhile shares the next.
void ReadGate::start_round() {
  if (runtime_ == nullptr || waiting_.empty() || rounds_.size() >= kRoundsMax) return;
  auto round = std::make_shared<Round>();
  round->reads.swap(waiting_);
  rounds_.push_back(round);
  runtime_->read([this, round = std::move(round)](std::optional<consensus::Slot> index) {
    on_round(round, index.has_value());
  });
}

void ReadGate::on_round(const std::shared_ptr<Round>& round, bool has_index) {
  std::vector<Read> answered;
  {
    const std::lock_guard lock(mutex_);
    std::erase(rounds_, round);
    auto& target = has_index || is_ended_ ? answered : failed_;
    std::move(round->reads.begin(), round->reads.end(), std::back_inserter(target));
    round->reads.clear();
    start_round();
  }
  run(std::move(answered), has_index);
}

void ReadGate::run(std::vector<Read> reads, bool may_read) {
  std::map<base::Dispatcher*, std::vector<Go>> by_worker;
  for (Read& read : reads) by_worker[read.worker].push_back(std::move(read.go));
  for (auto& [worker, gos] : by_worker) {
    auto all = [gos = std::move(gos), may_read]() mutable {
      for (Go& go : gos) go(may_read);
    };
    if (worker == nullptr) {
      all();
    } else {
      worker->post(std::move(all));
    }
  }
}

void ReadGate::take_late(std::vector<Read>& from, base::Nanos now, std::vector<Read>& late) {
  std::vector<Read> kept;
  for (Read& read : from) (now > read.give_up ? late : kept).push_back(std::move(read));
  from = std::move(kept);
}

void ReadGate::tick(base::Nanos now) {
  std::vector<Read> late;
  {
    const std::lock_guard lock(mutex_);
    std::move(failed_.begin(), failed_.end(), std::back_inserter(waiting_));
    failed_.clear();
    take_late(waiting_, now, late);
    for (const auto& round : rounds_) take_late(round->reads, now, late);
    // A question without anybody who waits for it makes room.
    std::erase_if(rounds_, [](const auto& round) { return round->reads.empty(); });
    start_round();
  }
  run(std::move(late), false);
}

void ReadGate::end_all() {
  std::vector<Read> all;
  {
    const std::lock_guard lock(mutex_);
    is_ended_ = true;
    all.swap(waiting_);
    std::move(failed_.begin(), failed_.end(), std::back_inserter(all));
    failed_.clear();
    for (const auto& round : rounds_) {
      std::move(round->reads.begin(), round->reads.end(), std::back_inserter(all));
      round->reads.clear();
    }
    rounds_.clear();
  }
  run(std::move(all), false);
}

}  // namespace synod::router
