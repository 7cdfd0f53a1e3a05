// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/sim_peer_transport.h"

namespace synod::net {
namespace {

using namespace std::chrono_literals;

constexpr PeerId kA(1);
constexpr PeerId kB(2);

/// One simulated process that writes down what it sees.
struct Node {
  Node(base::SimLoop& sim_loop, SimNetwork& network, PeerId self)
      : loop(sim_loop),
        id(self),
        dispatcher(sim_loop.add_dispatcher()),
        transport(network.add(self, dispatcher)) {
    for (const auto in : {PeerClass::kConsensus, PeerClass::kForward, PeerClass::kBulk}) {
      transport->on_frame(in, [this, in](PeerId from, const base::Bytes& frame) {
        EXPECT_TRUE(dispatcher.is_current());
        frames[in].push_back(frame);
        senders.push_back(from);
        loop.trace(frame);
      });
      transport->on_connected(in, [this, in](PeerId) { ++connected[in]; });
    }
  }
  bool send(PeerId to, const std::string& frame, PeerClass in = PeerClass::kConsensus) {
    return transport->send(to, in, frame);
  }

  base::SimLoop& loop;
  const PeerId id;
  base::SimDispatcher& dispatcher;
  std::unique_ptr<PeerTransport> transport;
  std::map<PeerClass, std::vector<base::Bytes>> frames;
  std::map<PeerClass, int> connected;
  std::vector<PeerId> senders;
};

struct World {
  explicit World(std::uint64_t seed, const SimNetworkOptions& options = {})
      : loop(seed), network(loop, options), a(loop, network, kA), b(loop, network, kB) {
    loop.run_for(100ms);
  }

  base::SimLoop loop;
  SimNetwork network;
  Node a;
  Node b;
};

/// Sends numbers all the time while connections break; returns what arrived at b.
std::vector<base::Bytes> run_with_breaks(std::uint64_t seed, std::uint64_t& trace) {
  World world(seed);
  world.network.set_break_chance(0.05);
  for (int i = 1000; i < 2000; ++i) {
    world.a.send(kB, std::to_string(i));
    world.loop.run_for(500us);
  }
  world.loop.run_for(1s);
  trace = world.loop.trace_hash();
  EXPECT_GT(world.a.connected[PeerClass::kConsensus], 5);
  return world.b.frames[PeerClass::kConsensus];
}

TEST(SimNetwork, ConnectsEveryClassAndDeliversInOrder) {
  World world(1);
  EXPECT_EQ(world.a.connected[PeerClass::kConsensus], 1);
  EXPECT_EQ(world.a.connected[PeerClass::kBulk], 1);
  std::vector<base::Bytes> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back(std::to_string(i));
    EXPECT_TRUE(world.a.send(kB, sent.back()));
  }
  world.loop.run_for(100ms);
  EXPECT_EQ(world.b.frames[PeerClass::kConsensus], sent);
  EXPECT_EQ(world.b.senders.front(), kA);
  const PeerView view = world.a.transport->views().front();
  EXPECT_TRUE(view.is_connected);
  EXPECT_EQ(view.frames_out, 100U);
  EXPECT_EQ(view.queued_bytes, 0U);
}

TEST(SimNetwork, ClassesOvertakeEachOther) {
  bool overtaken = false;
  for (std::uint64_t seed = 1; seed <= 20 && !overtaken; ++seed) {
    World world(seed);
    world.a.send(kB, "first", PeerClass::kBulk);
    world.a.send(kB, "second", PeerClass::kConsensus);
    world.loop.run_until_done([&] { return !world.b.senders.empty(); });
    overtaken = world.b.frames[PeerClass::kBulk].empty();
  }
  EXPECT_TRUE(overtaken);
}

TEST(SimNetwork, BrokenConnectionsLoseFramesAndKeepOrder) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::uint64_t trace = 0;
    const auto arrived = run_with_breaks(seed, trace);
    EXPECT_GT(arrived.size(), 100U);
    EXPECT_LT(arrived.size(), 1000U);
    for (std::size_t i = 1; i < arrived.size(); ++i) {
      ASSERT_LT(arrived[i - 1], arrived[i]) << "seed " << seed;  // in order and at most once
    }
  }
}

TEST(SimNetwork, SameSeedGivesTheSameRun) {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint64_t other = 0;
  EXPECT_EQ(run_with_breaks(7, first), run_with_breaks(7, second));
  run_with_breaks(8, other);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
}

TEST(SimNetwork, CutIsOneWayAndHeals) {
  World world(3);
  world.network.cut(kA, kB);
  EXPECT_TRUE(world.a.send(kB, "held"));  // nobody knows yet
  EXPECT_TRUE(world.b.send(kA, "other way"));
  world.loop.run_for(10ms);
  EXPECT_TRUE(world.b.senders.empty());
  EXPECT_EQ(world.a.senders.size(), 1U);
  world.network.heal(kA, kB);
  world.loop.run_for(10ms);
  EXPECT_EQ(world.b.frames[PeerClass::kConsensus], std::vector<base::Bytes>{"held"});
}

TEST(SimNetwork, LongCutBreaksTheConnection) {
  World world(4);
  world.network.cut(kA, kB);
  EXPECT_TRUE(world.a.send(kB, "lost"));
  world.loop.run_for(4s);
  EXPECT_FALSE(world.a.send(kB, "refused"));
  EXPECT_EQ(world.a.connected[PeerClass::kConsensus], 1);
  world.network.heal_all();
  world.loop.run_for(100ms);
  EXPECT_EQ(world.a.connected[PeerClass::kConsensus], 2);
  EXPECT_TRUE(world.b.senders.empty());
  EXPECT_TRUE(world.a.send(kB, "new"));
  world.loop.run_for(10ms);
  EXPECT_EQ(world.b.frames[PeerClass::kConsensus], std::vector<base::Bytes>{"new"});
}

TEST(SimNetwork, CrashedProcessIsNeverCalledAndComesBack) {
  World world(5);
  EXPECT_TRUE(world.a.send(kB, "under way"));
  EXPECT_TRUE(world.b.send(kA, "from the dead"));
  world.network.drop_process(kB);
  world.loop.run_for(100ms);
  EXPECT_TRUE(world.b.senders.empty());
  EXPECT_TRUE(world.a.senders.empty());
  EXPECT_FALSE(world.a.send(kB, "nobody"));
  EXPECT_FALSE(world.b.send(kA, "a ghost"));
  Node again(world.loop, world.network, kB);
  world.b.transport.reset();  // the ghost's end does not touch its successor
  world.loop.run_for(100ms);
  EXPECT_EQ(world.a.connected[PeerClass::kConsensus], 2);
  EXPECT_TRUE(world.a.send(kB, "hello"));
  world.loop.run_for(100ms);
  EXPECT_EQ(again.frames[PeerClass::kConsensus], std::vector<base::Bytes>{"hello"});
}

TEST(SimNetwork, QueueOfAClassIsBounded) {
  SimNetworkOptions options;
  options.queue_bytes_max = {100, 100, 100};
  World world(6, options);
  const std::string frame(60, 'x');
  EXPECT_TRUE(world.a.send(kB, frame));
  EXPECT_FALSE(world.a.send(kB, frame));
  EXPECT_TRUE(world.a.send(kB, frame, PeerClass::kBulk));
  EXPECT_EQ(world.a.transport->views().front().frames_dropped, 1U);
  world.loop.run_for(10ms);
  EXPECT_TRUE(world.a.send(kB, frame));
}

}  // namespace
}  // namespace synod::net
