// SPDX-License-Identifier: Apache-2.0
// What one small call costs in calls of operator new, which this binary counts. Those of the
// store behind the router are not among them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <utility>

#include "tests/server_thrift/session_fixture.h"

namespace {

thread_local std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace synod::server {
namespace {

constexpr std::size_t kValueBytes = 100;

/// Answers everything at once, with no memory of its own but the value it hands out.
class ReadyRouter final : public router::RequestRouter {
 public:
  void submit(core::KvOperation operation, const router::RequestContext& /*context*/,
              base::Function<void(core::Outcome)> done) override {
    EXPECT_EQ(operation.steps.size(), 1U);
    core::Outcome outcome;
    outcome.version = core::Version(1);
    done(std::move(outcome));
  }
  void read(core::PointReadRequest /*request*/, const router::RequestContext& /*context*/,
            base::Function<void(core::PointReadReply)> done) override {
    core::PointReadReply reply;
    reply.found = true;
    reply.value.assign(kValueBytes, 'v');
    done(std::move(reply));
  }
  void read_range(core::RangeReadRequest /*request*/, const router::RequestContext& /*context*/,
                  base::Function<void(core::RangeReadReply)> done) override {
    done({});
  }
  void read_version(const router::RequestContext& /*context*/,
                    base::Function<void(core::VersionReply)> done) override {
    done({});
  }
  [[nodiscard]] std::vector<router::NodeView> nodes() const override { return {}; }
  [[nodiscard]] router::DatabaseCounters counters() const override { return {}; }
};

/// Counts replies and forgets them.
class SinkConnection final : public net::Connection {
 public:
  explicit SinkConnection(base::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  void send(base::Bytes bytes) override {
    const base::Bytes sent = std::move(bytes);
    ++replies;
  }
  void pause_reading() override {}
  void resume_reading() override {}
  [[nodiscard]] bool reading_paused() const override { return false; }
  void close_after_flush() override {}
  void close() override {}
  [[nodiscard]] base::Dispatcher& dispatcher() override { return dispatcher_; }
  [[nodiscard]] net::ConnectionId id() const override { return net::ConnectionId(1); }
  [[nodiscard]] const std::string& peer() const override { return peer_; }

  std::size_t replies = 0;

 private:
  base::Dispatcher& dispatcher_;
  const std::string peer_ = "test";
};

class Allocations : public testing::TestWithParam<WireFormat> {
 protected:
  /// Of the second of two equal calls: the first one makes what the connection keeps.
  std::size_t of(const std::string& message) {
    EXPECT_EQ(session_.on_bytes(message), message.size());
    const std::size_t before = allocations;
    EXPECT_EQ(session_.on_bytes(message), message.size());
    const std::size_t after = allocations;
    EXPECT_EQ(connection_.replies, 2U);
    return after - before;
  }

  const net::ServerLimits limits_;
  ReadyRouter router_;
  FakeDispatcher dispatcher_;
  SinkConnection connection_{dispatcher_};
  SessionCounters counters_;
  std::shared_ptr<const ThriftService> service_ = make_kv_service({}, router_, dispatcher_);
  ThriftSession session_{connection_, *service_, limits_, counters_};
  WireClient client_{GetParam()};
  const std::string key_ = std::string(40, 'k');
};

TEST_P(Allocations, OfAGetAreItsArgumentsItsKeyItsValueAndItsReply) {
  const auto get = client_.bytes([&](auto& client) { client.send_get(get_request(key_)); });
  EXPECT_LE(of(get), 4U);
}

TEST_P(Allocations, OfASetAreItsArgumentsKeyValueStepAndReply) {
  const std::string value(kValueBytes, 'v');
  const auto set =
      client_.bytes([&](auto& client) { client.send_setKey(set_request(key_, value)); });
  EXPECT_LE(of(set), 5U);
}

INSTANTIATE_TEST_SUITE_P(Formats, Allocations,
                         testing::Values(WireFormat{WireFormat::Protocol::kBinary, false},
                                         WireFormat{WireFormat::Protocol::kBinary, true},
                                         WireFormat{WireFormat::Protocol::kCompact, true}));

}  // namespace
}  // namespace synod::server
