// SPDX-License-Identifier: Apache-2.0
// Three real servers, stopped with SIGSTOP under load and continued: who slept through the election
// of another leader must not answer a read with what was true before.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/group/counter_clients.h"
#include "tests/group/figures.h"
#include "tests/group/process_group.h"
#include "tests/suite/peer.h"

namespace synod::group {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Millis = std::chrono::milliseconds;

constexpr std::size_t kReaders = 2;  ///< Of each node, all the time.
constexpr std::size_t kProbes = 4;   ///< Reads of each kind at a node that is stopped.
constexpr int kPollMs = 2;
constexpr Seconds kPatience{30};  ///< Longer than any limit that is asserted.
constexpr Millis kPauseMin{50};
constexpr Millis kPauseMax{3'000};

enum class Fault : std::uint8_t { kLeader, kFollower, kLeaderAndFollower, kFollowers };

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::kLeader:
      return "leader";
    case Fault::kFollower:
      return "follower";
    case Fault::kLeaderAndFollower:
      return "leader and follower";
    case Fault::kFollowers:
      return "both followers";
  }
  return "?";
}

/// A read on a connection of its own that is sent at one moment and answered at another.
class Probe {
 public:
  Probe(const client::Endpoint& endpoint, std::size_t node, std::string level)
      : node_(node), level_(std::move(level)), peer_({endpoint.host, endpoint.port}) {}

  void send(std::int64_t floor) {
    api::GetRequest request;
    request.__set_key(CounterClients::kKey);
    api::RequestOptions options;
    if (!level_.empty()) options.__set_read_level(level_);
    request.__set_options(options);
    floor_ = floor;
    peer_->send_get(request);
  }
  [[nodiscard]] api::GetResponse receive() {
    api::GetResponse reply;
    peer_->recv_get(reply);
    return reply;
  }
  [[nodiscard]] std::size_t node() const { return node_; }
  [[nodiscard]] std::int64_t floor() const { return floor_; }

 private:
  const std::size_t node_;
  const std::string level_;
  std::int64_t floor_ = 0;
  suite::Peer peer_;
};
using Probes = std::vector<std::unique_ptr<Probe>>;

class GroupPause : public ::testing::TestWithParam<const char*> {
 protected:
  // GoogleTest: ASSERT in a helper ends the helper alone.
#define STEP(call) \
  call;            \
  if (HasFatalFailure()) return

  void begin() {
    std::printf("[  PAUSE   ] %s, seed %d\n", GetParam(), seed_);
    GroupOptions options;
    options.name = "group-pause";
    options.settings = small_logs();
    options.settings.push_back(base::concat("consensus.read_mode=", GetParam()));
    group_.emplace(std::move(options));
    const base::Status started = group_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
    clients_.start(group_->endpoints(), kReaders);
  }

  std::vector<std::size_t> choose(Fault fault) {
    const auto found = group_->leader();
    const std::size_t leader = found ? *found : random_.below(kNodes);
    const std::size_t one = (leader + 1 + random_.below(2)) % kNodes;
    const std::size_t other = kNodes - leader - one;
    switch (fault) {
      case Fault::kLeader:
        return {leader};
      case Fault::kFollower:
        return {one};
      case Fault::kLeaderAndFollower:
        return {leader, one};
      case Fault::kFollowers:
        return {one, other};
    }
    return {};
  }

  static std::size_t survivor_of(const std::vector<std::size_t>& stopped) {
    std::size_t node = 0;
    while (std::find(stopped.begin(), stopped.end(), node) != stopped.end()) ++node;
    return node;
  }

  /// Waits for more additions acknowledged to clients of `node`.
  void wait_for(std::size_t node, std::uint64_t additions) {
    const std::uint64_t target = clients_.acknowledged(node) + additions;
    const auto end = SteadyClock::now() + kPatience;
    while (clients_.acknowledged(node) < target) {
      ASSERT_LT(SteadyClock::now(), end) << "node " << node + 1 << " does not serve";
      ::poll(nullptr, 0, kPollMs);
    }
  }

  Probes probes_at(const std::vector<std::size_t>& nodes, const char* level) {
    Probes probes;
    for (const std::size_t node : nodes) {
      for (std::size_t i = 0; i < kProbes; ++i) {
        probes.push_back(std::make_unique<Probe>(group_->endpoint(node), node, level));
      }
    }
    return probes;
  }

  void send(Probes& probes) {
    for (auto& probe : probes) probe->send(clients_.floor());
  }

  void judge(Probes& probes) {
    for (auto& probe : probes) {
      const api::GetResponse reply = probe->receive();
      if (reply.__isset.error) {
        refused_.push_back(reply.error_code + " " + reply.error);
      } else {
        clients_.note_read(probe->node(), probe->floor(), reply.value);
      }
    }
  }

  /// The same question, where out-of-date answers are allowed: shows that the floor finds them.
  static std::size_t stale_of(Probes& probes) {
    std::size_t stale = 0;
    for (auto& probe : probes) {
      const api::GetResponse reply = probe->receive();
      if (reply.__isset.error || reply.value.empty()) continue;
      if (std::stoll(reply.value) < probe->floor()) ++stale;
    }
    return stale;
  }

  /// Who lives and reaches a majority tells its clients everything. Who slept may come back by an
  /// image: then its client has to ask again, and is told.
  void note_settled(const std::vector<std::size_t>& stopped) {
    for (std::size_t node = 0; node < kNodes; ++node) {
      const std::uint64_t settled = clients_.settled(node);
      const bool has_slept = std::find(stopped.begin(), stopped.end(), node) != stopped.end();
      if (!has_slept) {
        EXPECT_EQ(settled, settled_[node]) << "at node " << node + 1 << ", awake";
      }
      settled_[node] = settled;
    }
  }

  /// From 50 ms to 3 s, short ones as often as long ones.
  Millis draw_pause() {
    const double span = std::log(static_cast<double>(kPauseMax / kPauseMin));
    const double factor = std::exp(random_.unit() * span);
    return Millis(static_cast<std::int64_t>(static_cast<double>(kPauseMin.count()) * factor));
  }

  void signal(const std::vector<std::size_t>& nodes, int number) {
    for (const std::size_t node : nodes) group_->signal(node, number);
  }

  /// Until another node leads and has told others of it, or for a time.
  void sleep_through(const std::vector<std::size_t>& stopped, bool until_another_leads) {
    const std::size_t survivor = survivor_of(stopped);
    const std::uint64_t before = clients_.acknowledged(survivor);
    if (until_another_leads) {
      const auto written = group_->time_to_write(survivor, kPatience);
      ASSERT_TRUE(written.ok()) << written.status().to_string();
      took_over_.add(*written);
      wait_for(survivor, 1 + random_.below(20));
      return;
    }
    const Millis pause = draw_pause();
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
    if (pause > Seconds(2) && stopped.size() == 1) {
      EXPECT_GT(clients_.acknowledged(survivor), before) << "nobody took over";
    }
  }

  void round(Fault fault, bool until_another_leads) {
    wait_for(random_.below(kNodes), 1 + random_.below(60));
    const auto stopped = choose(fault);
    SCOPED_TRACE(base::concat("stopped: ", name_of(fault), ", node ", stopped.front() + 1));
    // All connections stand before the stop.
    Probes before = probes_at(stopped, "");
    Probes during = probes_at(stopped, "");
    Probes after = probes_at(stopped, "");
    Probes local = probes_at(stopped, "local");
    Probes trusting = probes_at(stopped, "leader");
    send(before);
    signal(stopped, SIGSTOP);
    STEP(sleep_through(stopped, until_another_leads));
    send(local);
    send(trusting);
    send(during);
    signal(stopped, SIGCONT);
    send(after);
    const auto begun = SteadyClock::now();
    judge(during);
    judge(after);
    judge(before);
    stale_local_ += stale_of(local);
    stale_trusting_ += stale_of(trusting);
    for (const std::size_t node : stopped) {
      STEP(wait_for(node, 1));
    }
    back_.add(std::chrono::duration_cast<Millis>(SteadyClock::now() - begun));
    note_settled(stopped);
  }

  void rounds(Fault fault, int count) {
    for (int number = 0; number < count; ++number) {
      SCOPED_TRACE(base::concat("round ", number + 1));
      STEP(round(fault, fault == Fault::kLeader && number % 2 == 0));
    }
  }

  /// The counter has every addition that was acknowledged, once, and no other.
  void check_total() {
    clients_.stop();
    auto client = client::Client::connect({group_->endpoint(random_.below(kNodes))});
    ASSERT_TRUE(client.ok());
    const auto total = client->get(CounterClients::kKey);
    ASSERT_TRUE(total.ok() && total->has_value());
    EXPECT_EQ(std::stoull(**total), clients_.acknowledged());
    const base::Status equal = group_->wait_for_equal_replicas(kPatience);
    EXPECT_TRUE(equal.ok()) << equal.to_string();
  }

  void report() {
    std::printf("[  PAUSE   ] %s: another leads and acknowledges: %s\n", GetParam(),
                took_over_.text().c_str());
    std::printf("[  PAUSE   ] %s: continued, serves again: %s\n", GetParam(), back_.text().c_str());
    std::printf(
        "[  PAUSE   ] %s: %llu additions, %llu reads, %zu wrong; settled by asking again: %llu; "
        "stale at level local: %zu, leader: %zu\n",
        GetParam(), static_cast<unsigned long long>(clients_.acknowledged()),
        static_cast<unsigned long long>(clients_.reads()), clients_.violations().size(),
        static_cast<unsigned long long>(clients_.settled()), stale_local_, stale_trusting_);
    for (const std::string& text : refused_) ADD_FAILURE() << "a read was refused: " << text;
    for (const std::string& text : clients_.violations()) ADD_FAILURE() << text;
    for (std::size_t node = 0; node < kNodes; ++node) {
      for (const std::string& text : clients_.failures(node)) {
        ADD_FAILURE() << "client of node " << node + 1 << ": " << text;
      }
    }
  }

  const int seed_ = number_from("SYNOD_GROUP_SEED", 20'261'121);
  base::Random random_{static_cast<std::uint64_t>(seed_)};
  std::optional<ProcessGroup> group_;
  CounterClients clients_;
  Figures took_over_;  ///< From the stop of a leader to a write elsewhere.
  Figures back_;       ///< From the end of a stop to a write at the node that was stopped.
  std::vector<std::string> refused_;
  std::array<std::uint64_t, kNodes> settled_{};
  std::size_t stale_local_ = 0;
  std::size_t stale_trusting_ = 0;  ///< At level "leader", by one that was replaced.
};

TEST_P(GroupPause, WhoSleptThroughAnElectionGivesNoStaleRead) {
  const int leaders = number_from("SYNOD_GROUP_PAUSES", 30);
  STEP(begin());
  STEP(rounds(Fault::kLeader, leaders));
  STEP(rounds(Fault::kFollower, leaders / 10));
  STEP(rounds(Fault::kLeaderAndFollower, leaders / 10));
  STEP(rounds(Fault::kFollowers, leaders / 10));
  STEP(check_total());
  report();
  EXPECT_LE(back_.max(), Seconds(5));
  EXPECT_GT(stale_local_, 0U) << "no read was in a position to be stale";
  EXPECT_GT(stale_trusting_, 0U) << "no read met a leader that had not noticed";
}

#undef STEP

INSTANTIATE_TEST_SUITE_P(ReadMode, GroupPause, ::testing::Values("read_index", "lease"),
                         [](const auto& each) {
                           return std::string(each.param) == "lease" ? "Lease" : "ReadIndex";
                         });

}  // namespace
}  // namespace synod::group
