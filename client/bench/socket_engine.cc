// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <vector>

#include "base/assert.h"
#include "client/bench/bench_connection.h"
#include "client/bench/engine.h"

namespace synod::client {
namespace {

/// Sleeping less costs the server more of the machine than it tells about the server.
constexpr std::int64_t kNapNsMin = 50'000;
constexpr std::size_t kLoadRequestBytes = 1U << 20U;
constexpr std::uint32_t kLoadKeysMax = 200;

/// Sockets under one epoll. What a connection may send after its answers goes out in one piece.
class SocketEngine final : public Engine {
 public:
  SocketEngine(std::unique_ptr<BenchWire> wire, ValueSizes value_sizes,
               std::vector<std::unique_ptr<BenchConnection>> connections)
      : wire_(std::move(wire)),
        value_sizes_(value_sizes),
        connections_(std::move(connections)),
        poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      SYNOD_ASSERT(watch(i, EPOLL_CTL_ADD), "epoll takes every socket");
    }
  }
  ~SocketEngine() override { ::close(poll_); }
  SocketEngine(const SocketEngine&) = delete;
  SocketEngine& operator=(const SocketEngine&) = delete;

  [[nodiscard]] std::uint32_t load_batch() const override {
    const std::size_t fitting = kLoadRequestBytes / (value_sizes_.max + 64U);
    return static_cast<std::uint32_t>(std::clamp<std::size_t>(fitting, 1, kLoadKeysMax));
  }

  void run(Lane& lane, std::uint32_t connections, std::uint32_t depth) override {
    ::prctl(PR_SET_TIMERSLACK, 1);  // Due times are met to the microsecond.
    lane_ = &lane;
    depth_ = depth;
    usable_ = std::min<std::size_t>(connections, connections_.size());
    std::int64_t now = monotonic_ns();
    heard_ns_ = now;
    if (!is_paced()) {
      for (std::size_t i = 0; i < usable_; ++i) fill(i, now);
    }
    std::array<epoll_event, 256> events;
    for (;;) {
      if (is_paced()) deal_out(now);
      if (!has_connection()) lane.abandon(now);
      if (under_way_ == 0 && lane.finished()) return;
      const int ready = wait(events, now);
      now = monotonic_ns();
      for (int i = 0; i < ready; ++i) take(events[static_cast<std::size_t>(i)]);
      if (ready > 0) heard_ns_ = now;
      if (under_way_ > 0 && now - heard_ns_ > kSilenceNs) lose_all();
    }
  }

 private:
  [[nodiscard]] bool is_paced() const { return lane_->wakes_at() != Lane::kNever; }
  [[nodiscard]] bool has_connection() const {
    return std::any_of(connections_.begin(),
                       connections_.begin() + static_cast<std::ptrdiff_t>(usable_),
                       [](const auto& connection) { return connection != nullptr; });
  }

  int wait(std::array<epoll_event, 256>& events, std::int64_t now) const {
    std::int64_t nap = kSilenceNs;
    const std::int64_t due = lane_->wakes_at();
    // With every place taken only an answer lets anything go on.
    if (due != Lane::kNever && under_way_ < usable_ * depth_) {
      nap = std::clamp(due - now, kNapNsMin, kSilenceNs);
    }
    const timespec timeout{nap / 1'000'000'000, nap % 1'000'000'000};
    const int ready =
        ::epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    return std::max(ready, 0);
  }

  bool watch(std::size_t index, int change) const {
    epoll_event event{};
    event.events = EPOLLIN;
    if (connections_[index]->has_unsent()) event.events |= EPOLLOUT;
    event.data.u64 = index;
    return ::epoll_ctl(poll_, change, connections_[index]->fd(), &event) == 0;
  }

  /// As many operations as a connection may have, sent at once.
  void fill(std::size_t index, std::int64_t now) {
    BenchConnection& connection = *connections_[index];
    Request request;
    while (connection.under_way() < depth_ && lane_->take(now, request)) push(connection, request);
    flush(index);
  }

  void push(BenchConnection& connection, const Request& request) {
    connection.push(*wire_, request);
    ++under_way_;
  }

  /// What is due, to the connections in turn; those that have no place are passed over.
  void deal_out(std::int64_t now) {
    dirty_.clear();
    Request request;
    for (std::size_t full = 0; full < usable_; turn_ = (turn_ + 1) % usable_) {
      BenchConnection* const connection = connections_[turn_].get();
      if (connection == nullptr || connection->under_way() >= depth_) {
        ++full;
        continue;
      }
      if (!lane_->take(now, request)) break;
      full = 0;
      if (!connection->has_unsent()) dirty_.push_back(turn_);
      push(*connection, request);
    }
    for (const std::size_t index : dirty_) flush(index);
  }

  void flush(std::size_t index) {
    BenchConnection& connection = *connections_[index];
    const base::Status sent = connection.send();
    if (!sent.ok()) return lose(index, sent);
    if (connection.has_unsent() == connection.watches_output) return;
    connection.watches_output = connection.has_unsent();
    if (!watch(index, EPOLL_CTL_MOD)) {
      lose(index, {base::StatusCode::kInternal, "epoll refuses a connection"});
    }
  }

  void take(const epoll_event& event) {
    const auto index = static_cast<std::size_t>(event.data.u64);
    if (connections_[index] == nullptr) return;
    if ((event.events & EPOLLOUT) != 0) flush(index);
    if (connections_[index] == nullptr) return;
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    const base::Result<bool> received = connections_[index]->receive();
    if (!received.ok()) return lose(index, received.status());
    if (*received) read_answers(index);
  }

  void read_answers(std::size_t index) {
    const std::int64_t now = monotonic_ns();
    BenchConnection& connection = *connections_[index];
    Request request;
    Answer answer;
    for (;;) {
      const base::Result<bool> popped = connection.pop(*wire_, request, answer);
      if (!popped.ok()) return lose(index, popped.status());
      if (!*popped) break;
      --under_way_;
      lane_->answered(request, answer, now);
    }
    if (!is_paced()) fill(index, now);
  }

  /// Closes the connection, which ends the watch over it.
  void lose(std::size_t index, const base::Status& why) {
    const std::size_t under_way = connections_[index]->under_way();
    under_way_ -= under_way;
    connections_[index].reset();
    lane_->lost(under_way, why);
  }

  void lose_all() {
    for (std::size_t i = 0; i < usable_; ++i) {
      if (connections_[i] != nullptr && connections_[i]->under_way() > 0) {
        lose(i, {base::StatusCode::kTimeout, "no answer"});
      }
    }
  }

  const std::unique_ptr<BenchWire> wire_;
  const ValueSizes value_sizes_;
  std::vector<std::unique_ptr<BenchConnection>> connections_;  ///< Null: lost.
  const int poll_;
  Lane* lane_ = nullptr;
  std::size_t depth_ = 1;
  std::size_t usable_ = 0;     ///< Connections of this run.
  std::size_t under_way_ = 0;  ///< On all of them.
  std::size_t turn_ = 0;
  std::vector<std::size_t> dirty_;
  std::int64_t heard_ns_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<Engine>> open_socket_engine(const Workload& workload,
                                                         std::uint32_t first,
                                                         std::uint32_t connections) {
  std::vector<std::unique_ptr<BenchConnection>> opened;
  for (std::uint32_t i = first; i < first + connections; ++i) {
    SYNOD_ASSIGN_OR_RETURN(
        auto connection, BenchConnection::open(workload.endpoints[i % workload.endpoints.size()]));
    opened.push_back(std::move(connection));
  }
  auto wire = workload.target == Target::kResp ? make_resp_wire(workload.value_sizes)
                                               : make_thrift_wire(workload.value_sizes);
  return std::unique_ptr<Engine>(
      std::make_unique<SocketEngine>(std::move(wire), workload.value_sizes, std::move(opened)));
}

}  // namespace synod::client
