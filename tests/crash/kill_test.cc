// SPDX-License-Identifier: Apache-2.0
// The real server, killed with SIGKILL at random moments under load, with a ledger of what it
// acknowledged kept in this process.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "client/cpp/client.h"
#include "tests/suite/server_process.h"

namespace synod::crash {
namespace {

constexpr int kWriters = 4;

int rounds() {
  const char* text = std::getenv("SYNOD_KILL_ROUNDS");
  return text != nullptr ? std::atoi(text) : 150;
}

/// One writer's half of the ledger: transaction n writes left-n and right-n with one value.
struct Ledger {
  std::int64_t acknowledged = 0;  ///< Every n up to here was acknowledged.
  std::int64_t attempted = 0;     ///< No n above was ever sent.
};

std::string key(const char* side, int writer, std::int64_t n) {
  std::string digits = std::to_string(n);
  return base::concat(side, writer, "-", std::string(12 - digits.size(), '0'), digits);
}

std::string value_of(int writer, std::int64_t n) {
  return base::concat("value ", writer, ":", n,
                      std::string(static_cast<std::size_t>(n % 300), '.'));
}

class KilledServer {
 public:
  KilledServer() : directory_(suite::fresh_directory("kill")), port_(suite::free_port()) {}
  ~KilledServer() {
    process_.kill_and_wait();
    if (!testing::Test::HasFailure()) std::filesystem::remove_all(directory_);
  }

  base::Status start() {
    suite::ServerProcess::Command command;
    command.binary = SYNOD_SERVER_BINARY;
    command.arguments = {"--port",     std::to_string(port_),
                         "--data-dir", (directory_ / "data").string(),
                         "--set",      "database.log_segment_bytes=1048576",
                         "--set",      "limits.commit_bytes_max=524288",
                         "--set",      "limits.value_bytes_max=262144"};
    command.directory = directory_;
    command.log = directory_ / "server.log";
    SYNOD_RETURN_IF_ERROR(process_.start(command));
    return process_.wait_for_port(port_);
  }
  void kill() { process_.kill_and_wait(); }
  base::Result<client::Client> connect() { return client::Client::connect("127.0.0.1", port_); }

 private:
  std::filesystem::path directory_;
  std::uint16_t port_;
  suite::ServerProcess process_;
};

/// Commits one transaction after the other until the server is gone.
void write_until_dead(KilledServer& server, int writer, Ledger& ledger,
                      std::atomic<int>& acknowledged) {
  auto client = server.connect();
  if (!client.ok()) return;
  for (;;) {
    const std::int64_t n = ledger.attempted + 1;
    auto transaction = client->begin();
    if (!transaction.ok()) return;
    transaction->set(key("left", writer, n), value_of(writer, n));
    transaction->set(key("right", writer, n), value_of(writer, n));
    ledger.attempted = n;
    const auto outcome = transaction->commit();
    if (outcome.state != client::CommitState::kCommitted) return;
    ledger.acknowledged = n;
    acknowledged.fetch_add(1);
  }
}

/// Every acknowledged transaction from `from` on is there, whole; an unacknowledged one is there
/// whole or not at all.
void check_writer(client::Client& client, int writer, std::int64_t from, const Ledger& ledger) {
  for (const char* side : {"left", "right"}) {
    client::RangeQuery query;
    query.begin = key(side, writer, from);
    query.end = key(side, writer, ledger.attempted + 1);
    const auto rows = client.range(query);
    ASSERT_TRUE(rows.ok()) << rows.status().to_string();
    const auto found = static_cast<std::int64_t>(rows->size());
    ASSERT_GE(found, ledger.acknowledged - from + 1) << side << writer << ": writes were lost";
    for (std::int64_t i = 0; i < found; ++i) {
      const auto& row = (*rows)[static_cast<std::size_t>(i)];
      ASSERT_EQ(row.key, key(side, writer, from + i));
      ASSERT_EQ(row.value, value_of(writer, from + i));
    }
  }
  const auto left = client.get(key("left", writer, ledger.attempted));
  const auto right = client.get(key("right", writer, ledger.attempted));
  ASSERT_TRUE(left.ok() && right.ok());
  ASSERT_EQ(*left, *right) << "a transaction is half there";
}

TEST(KillNine, LosesNothingAcknowledgedAndTearsNothing) {
  KilledServer server;
  base::Random random(20'261'121);
  std::vector<Ledger> ledgers(kWriters);
  for (int round = 0; round < rounds(); ++round) {
    const base::Status started = server.start();
    ASSERT_TRUE(started.ok()) << "round " << round << ": " << started.to_string();
    {
      auto client = server.connect();
      ASSERT_TRUE(client.ok());
      for (int writer = 0; writer < kWriters; ++writer) {
        // A long tail is checked each time, everything at the end.
        const Ledger& ledger = ledgers[static_cast<std::size_t>(writer)];
        const std::int64_t from =
            round + 1 == rounds() ? 1 : std::max<std::int64_t>(1, ledger.acknowledged - 400);
        if (ledger.attempted > 0) check_writer(*client, writer, from, ledger);
        if (HasFatalFailure()) return;
      }
    }
    for (auto& ledger : ledgers) {
      // What was in flight at the kill is settled now; numbering goes on behind it.
      if (ledger.attempted > ledger.acknowledged) {
        auto client = server.connect();
        ASSERT_TRUE(client.ok());
        const int writer = static_cast<int>(&ledger - ledgers.data());
        const auto there = client->get(key("left", writer, ledger.attempted));
        ASSERT_TRUE(there.ok());
        if (!*there) --ledger.attempted;
        ledger.acknowledged = ledger.attempted;
      }
    }
    std::atomic<int> acknowledged{0};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        write_until_dead(server, writer, ledgers[static_cast<std::size_t>(writer)], acknowledged);
      });
    }
    // The moment is drawn in acknowledged writes, so that every round has some.
    const int target = 1 + static_cast<int>(random.below(120));
    const base::SystemClock clock;
    const base::Nanos deadline = clock.boot_time() + std::chrono::seconds(20);
    while (acknowledged.load() < target && clock.boot_time() < deadline) {
      std::this_thread::yield();
    }
    server.kill();
    for (auto& writer : writers) writer.join();
    ASSERT_GE(acknowledged.load(), 1) << "round " << round;
  }
  std::int64_t total = 0;
  for (const auto& ledger : ledgers) total += ledger.acknowledged;
  std::printf("[   KILL   ] %d rounds, %lld acknowledged transactions, none lost\n", rounds(),
              static_cast<long long>(total));
}

}  // namespace
}  // namespace synod::crash
