// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "client/bench/thrift_channel.h"

namespace synod::client {
namespace {

constexpr std::uint64_t kLoadBatch = 200;
constexpr int kSilenceMs = 30'000;

/// Waits for the reply to what was begun.
base::Result<Reply> await_reply(ThriftChannel& channel) {
  for (;;) {
    pollfd wanted{channel.fd(), POLLIN, 0};
    if (channel.has_unsent()) wanted.events |= POLLOUT;
    const int ready = ::poll(&wanted, 1, kSilenceMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return base::Status(base::StatusCode::kTimeout, "no answer");
    SYNOD_RETURN_IF_ERROR(channel.send_rest());
    SYNOD_ASSIGN_OR_RETURN(auto reply, channel.receive());
    if (reply) return std::move(*reply);
  }
}

base::Status load_part(ThriftChannel& channel, std::uint64_t first, std::uint64_t end,
                       std::uint32_t value_size) {
  while (first < end) {
    api::AtomicCommitRequest request;
    for (const std::uint64_t stop = std::min(end, first + kLoadBatch); first < stop; ++first) {
      auto& step = request.operations.emplace_back();
      step.__set_type("set");
      step.__set_key(bench_key(first));
      step.__set_value(bench_value(first, 0, value_size));
    }
    SYNOD_RETURN_IF_ERROR(channel.begin_commit(request));
    SYNOD_ASSIGN_OR_RETURN(const Reply reply, await_reply(channel));
    if (reply.is_refused) return {base::StatusCode::kInternal, "loading: a commit was refused"};
  }
  return {};
}

class ThriftEngine final : public Engine {
 public:
  explicit ThriftEngine(std::vector<std::unique_ptr<ThriftChannel>> channels)
      : poll_(::epoll_create1(EPOLL_CLOEXEC)), channels_(std::move(channels)) {}
  ~ThriftEngine() override { ::close(poll_); }
  ThriftEngine(const ThriftEngine&) = delete;
  ThriftEngine& operator=(const ThriftEngine&) = delete;

  base::Status load(const Workload& workload) override {
    return load_in_parts(workload, [&](std::size_t i, std::uint64_t first, std::uint64_t end) {
      return load_part(*channels_[i], first, end, workload.value_size);
    });
  }

  void run(std::span<Caller* const> callers) override {
    callers_ = callers;
    active_ = channels_.size();
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      watch(i, EPOLL_CTL_ADD);
      go_on(i);
    }
    std::array<epoll_event, 256> events;
    while (active_ > 0) {
      const int ready =
          ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), kSilenceMs);
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return lose_all();
      for (int i = 0; i < ready; ++i) take(events[static_cast<std::size_t>(i)]);
    }
  }

 private:
  void watch(std::size_t index, int change) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (channels_[index]->has_unsent()) event.events |= EPOLLOUT;
    event.data.u64 = index;
    if (::epoll_ctl(poll_, change, channels_[index]->fd(), &event) != 0) {
      lose(index, {base::StatusCode::kInternal, "epoll refuses a connection"});
    }
  }

  /// The next operation of a connection, if it has one.
  void go_on(std::size_t index) {
    auto operation = callers_[index]->next();
    if (!operation) return end(index);
    const base::Status begun = channels_[index]->begin(std::move(*operation));
    if (!begun.ok()) return lose(index, begun);
    if (channels_[index]->has_unsent()) watch(index, EPOLL_CTL_MOD);
  }

  void take(const epoll_event& event) {
    const auto index = static_cast<std::size_t>(event.data.u64);
    ThriftChannel& channel = *channels_[index];
    if ((event.events & EPOLLOUT) != 0) {
      const base::Status sent = channel.send_rest();
      if (!sent.ok()) return lose(index, sent);
      if (!channel.has_unsent()) watch(index, EPOLL_CTL_MOD);
    }
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    const auto reply = channel.receive();
    if (!reply.ok()) return lose(index, reply.status());
    if (!*reply) return;
    callers_[index]->on_reply(**reply);
    go_on(index);
  }

  void lose(std::size_t index, const base::Status& why) {
    callers_[index]->on_lost(why);
    end(index);
  }

  void lose_all() {
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      if (channels_[i] != nullptr) lose(i, {base::StatusCode::kTimeout, "no answer"});
    }
  }

  /// Closes the connection, which ends the watch over it.
  void end(std::size_t index) {
    channels_[index].reset();
    --active_;
  }

  const int poll_;
  std::vector<std::unique_ptr<ThriftChannel>> channels_;  ///< Null: has ended.
  std::span<Caller* const> callers_;
  std::size_t active_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<Engine>> open_thrift_engine(const Workload& workload) {
  std::vector<std::unique_ptr<ThriftChannel>> channels;
  for (std::uint32_t i = 0; i < workload.connections; ++i) {
    SYNOD_ASSIGN_OR_RETURN(auto channel,
                           ThriftChannel::open(workload.endpoints[i % workload.endpoints.size()]));
    channels.push_back(std::move(channel));
  }
  return std::unique_ptr<Engine>(std::make_unique<ThriftEngine>(std::move(channels)));
}

}  // namespace synod::client
