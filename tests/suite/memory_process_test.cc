// SPDX-License-Identifier: Apache-2.0
// More data than memory: the real server with database.memory_limit.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <thread>

#include "base/random.h"
#include "base/text.h"
#include "tests/suite/peer.h"
#include "tests/suite/server_process.h"

namespace synod::suite {
namespace {

using base::concat;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint64_t kMiB = 1U << 20;
constexpr int kValueBytes = 2048;
constexpr int kRowsPerCommit = 250;

std::string key_of(int i) {
  const std::string digits = std::to_string(i);
  return "key:" + std::string(12 - digits.size(), '0') + digits;
}

/// Different for each key and round, and not to be compressed.
std::string value_of(int i, int round) {
  base::Random random(static_cast<std::uint64_t>(i) * 31 + static_cast<std::uint64_t>(round));
  std::string value;
  while (value.size() < kValueBytes) base::append_be64(value, random.next());
  return value;
}

/// The largest resident set seen of a process.
class ResidentWatch {
 public:
  explicit ResidentWatch(pid_t pid) : thread_([this, pid] { watch(pid); }) {}
  ~ResidentWatch() {
    stopped_.store(true);
    thread_.join();
  }
  [[nodiscard]] std::uint64_t largest() const { return largest_.load(); }

 private:
  void watch(pid_t pid) {
    while (!stopped_.load()) {
      largest_.store(std::max(largest_.load(), resident_bytes_of(pid)));
      ::poll(nullptr, 0, 20);
    }
  }

  std::atomic<bool> stopped_{false};
  std::atomic<std::uint64_t> largest_{0};
  std::thread thread_;
};

struct Latencies {
  std::vector<std::chrono::microseconds> all;
  [[nodiscard]] long percentile(double share) {
    std::sort(all.begin(), all.end());
    return all[static_cast<std::size_t>(static_cast<double>(all.size() - 1) * share)].count();
  }
};

class MemoryProcess : public ::testing::Test {
 protected:
  ~MemoryProcess() override {
    process_.kill_and_wait();
    if (!HasFailure()) std::filesystem::remove_all(directory_);
  }

  void start(std::uint64_t limit, const std::vector<std::string>& flags) {
    port_ = free_ports(8);
    limit_ = limit;
    command_.binary = SYNOD_SERVER_BINARY;
    command_.directory = directory_;
    command_.log = directory_ / "server.log";
    command_.arguments = {"--port",     std::to_string(port_),
                          "--data-dir", "data",
                          "--set",      concat("database.memory_limit=", limit),
                          "--set",      "server.workers=1",
                          "--set",      "admin.http_port=0",
                          "--set",      concat("cluster.base_port=", port_ + 1)};
    command_.arguments.insert(command_.arguments.end(), flags.begin(), flags.end());
    launch();
  }
  void launch() {
    ASSERT_TRUE(process_.start(command_).ok());
    const base::Status ready = process_.wait_for_port(port_);
    ASSERT_TRUE(ready.ok()) << ready.to_string();
  }
  [[nodiscard]] Peer peer() const { return Peer({"127.0.0.1", port_}); }

  /// Again while the server is busy, as a client does.
  void commit(Peer& peer, const std::vector<api::Operation>& operations) {
    api::AtomicCommitRequest request;
    request.__set_read_version(0);
    request.__set_operations(operations);
    api::AtomicCommitResponse reply;
    const auto end = SteadyClock::now() + std::chrono::seconds(30);
    do {
      reply = {};
      peer->atomicCommit(reply, request);
      if (reply.success) return;
      ::poll(nullptr, 0, 10);
    } while ((reply.error_code == "BUSY" || reply.error_code == "NO_QUORUM") &&
             SteadyClock::now() < end);
    FAIL() << reply.error_code << ": " << reply.error;
  }

  static api::Operation operation(const std::string& type, const std::string& key,
                                  const std::string& value) {
    api::Operation operation;
    operation.type = type;
    operation.key = key;
    operation.__set_value(value);
    return operation;
  }

  void load(int from, int to, int round) {
    Peer client = peer();
    std::vector<api::Operation> operations;
    for (int i = from; i < to; ++i) {
      operations.push_back(operation("set", key_of(i), value_of(i, round)));
      if (operations.size() < kRowsPerCommit && i + 1 < to) continue;
      ASSERT_NO_FATAL_FAILURE(commit(client, operations));
      operations.clear();
    }
  }

  /// Every row of [0, count), in pages.
  void verify(int count, const std::function<std::string(int)>& expected) {
    Peer client = peer();
    api::GetRangeRequest request;
    request.__set_begin_key("key:");
    request.__set_end_key("key;");
    request.__set_limit(2'000);
    int seen = 0;
    api::GetRangeResponse reply;
    do {
      reply = {};
      client->getRange(reply, request);
      ASSERT_TRUE(reply.success) << reply.error;
      for (const auto& row : reply.key_values) {
        ASSERT_EQ(row.key, key_of(seen));
        ASSERT_TRUE(row.value == expected(seen)) << row.key << " has another value";
        ++seen;
      }
      if (!reply.key_values.empty()) request.__set_begin_key(reply.key_values.back().key);
      request.__set_begin_or_equal(false);
    } while (reply.has_more);
    ASSERT_EQ(seen, count);
  }

  void expect_value(Peer& client, int i, const std::string& expected) {
    api::GetRequest request;
    request.__set_key(key_of(i));
    api::GetResponse reply;
    client->get(reply, request);
    ASSERT_FALSE(reply.__isset.error) << reply.error;
    ASSERT_TRUE(reply.found && reply.value == expected) << key_of(i);
  }

  /// One key again and again on its own connection, while `readers` others read all over `count`
  /// keys: what the first sees.
  Latencies read_hot_beside_cold(int count, int readers, std::chrono::milliseconds span) {
    std::atomic<bool> stopped{false};
    std::vector<std::thread> threads;
    for (int r = 0; r < readers; ++r) {
      threads.emplace_back([this, r, count, &stopped] {
        base::Random random(static_cast<std::uint64_t>(r) + 1);
        Peer client = peer();
        while (!stopped.load() && !HasFatalFailure()) {
          const auto i = static_cast<int>(random.below(static_cast<std::uint64_t>(count)));
          expect_value(client, i, value_of(i, 0));
        }
      });
    }
    Latencies latencies;
    Peer client = peer();
    const std::string expected = value_of(1, 0);
    const auto end = SteadyClock::now() + span;
    while (SteadyClock::now() < end && !HasFatalFailure()) {
      const auto begun = SteadyClock::now();
      expect_value(client, 1, expected);
      latencies.all.push_back(
          std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begun));
    }
    stopped.store(true);
    for (auto& thread : threads) thread.join();
    return latencies;
  }

  void expect_resident_within_limit(const char* when, std::uint64_t bytes) const {
    std::cout << when << ": resident " << bytes / kMiB << " MiB, limit " << limit_ / kMiB
              << " MiB\n";
    EXPECT_LE(bytes, limit_ / 5 * 6) << when;
  }

  /// One field of `synodctl status`.
  [[nodiscard]] std::uint64_t status(const std::string& field, const std::string& folder = "data") {
    ServerProcess::Command command;
    command.binary = SYNODCTL_BINARY;
    command.arguments = {"--data-dir", (directory_ / folder).string(), "status"};
    command.directory = directory_;
    command.log = directory_ / "ctl.log";
    const auto finished = run_to_end(command, 60);
    if (!finished.ok()) return 0;
    const std::string text = "\n" + finished->output;
    const std::size_t at = text.find("\n" + field + " ");
    EXPECT_NE(at, std::string::npos) << field << " is not in:" << text;
    if (at == std::string::npos) return 0;
    return std::stoull(text.substr(text.find_first_not_of(' ', at + 1 + field.size())));
  }

  const std::filesystem::path directory_ = fresh_directory("memory");
  ServerProcess::Command command_;
  ServerProcess process_;
  std::uint16_t port_ = 0;
  std::uint64_t limit_ = 0;
};

TEST_F(MemoryProcess, FourTimesTheLimitIsServedWithinIt) {
  const std::uint64_t limit = 64 * kMiB;
  const auto count = static_cast<int>(4 * limit / kValueBytes);
  ASSERT_NO_FATAL_FAILURE(start(limit, {}));
  ASSERT_NO_FATAL_FAILURE(load(0, count / 2, 0));
  // In the middle of further writes.
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    try {
      Peer client = peer();
      for (int i = count / 2; !is_over.load(); ++i) {
        api::SetRequest request;
        request.__set_key(key_of(i));
        request.__set_value(value_of(i, 0));
        api::SetResponse reply;
        client->setKey(reply, request);
      }
    } catch (const apache::thrift::TException&) {
      is_over.store(true);  // The server is gone, as it should.
    }
  });
  ::poll(nullptr, 0, 100);
  process_.kill_and_wait();
  is_over.store(true);
  writer.join();
  ASSERT_NO_FATAL_FAILURE(launch());
  {
    const ResidentWatch watch(process_.pid());
    ASSERT_NO_FATAL_FAILURE(load(count / 2, count, 0));
    expect_resident_within_limit("most while it was loaded", watch.largest());
    ASSERT_NO_FATAL_FAILURE(verify(count, [](int i) { return value_of(i, 0); }));
    expect_resident_within_limit("most while it was loaded and read", watch.largest());
  }
  EXPECT_GT(status("memory_spilled_bytes"), 2 * limit);
  EXPECT_EQ(status("keys"), static_cast<std::uint64_t>(count));

  Latencies hot = read_hot_beside_cold(count, 3, std::chrono::seconds(2));
  ASSERT_FALSE(HasFatalFailure());
  std::cout << "hot reads beside cold ones: " << hot.all.size() << ", p50 " << hot.percentile(0.5)
            << " us, p99 " << hot.percentile(0.99) << " us, longest " << hot.percentile(1)
            << " us\n";
  EXPECT_LT(hot.percentile(0.99), 50'000);
  EXPECT_GT(status("memory_misses"), 1'000U);
  expect_resident_within_limit("at the end", resident_bytes_of(process_.pid()));

  // What was changed by operations that need the old value, also after another kill.
  Peer client = peer();
  for (int i = 0; i < count; i += count / 200) {
    ASSERT_NO_FATAL_FAILURE(commit(client, {operation("APPEND", key_of(i), "tail")}));
  }
  EXPECT_GT(status("memory_warmed_operations"), 50U);
  process_.kill_and_wait();
  ASSERT_NO_FATAL_FAILURE(launch());
  ASSERT_NO_FATAL_FAILURE(verify(
      count, [count](int i) { return value_of(i, 0) + (i % (count / 200) == 0 ? "tail" : ""); }));
  expect_resident_within_limit("after a restart", resident_bytes_of(process_.pid()));
}

TEST_F(MemoryProcess, KeysThatFillTheLimitRefuseGrowthOnly) {
  ASSERT_NO_FATAL_FAILURE(start(32 * kMiB, {"--set", "server.workers=1"}));
  Peer client = peer();
  api::AtomicCommitRequest request;
  api::AtomicCommitResponse reply;
  int next = 0;
  do {
    request.operations.clear();
    for (int i = 0; i < 1'000; ++i) {
      request.operations.push_back(operation("set", key_of(next++) + std::string(400, 'k'), "v"));
    }
    reply = {};
    client->atomicCommit(reply, request);
  } while ((reply.success || reply.error_code == "BUSY") && next < 1'000'000);
  EXPECT_EQ(reply.error_code, "MEMORY_FULL");
  EXPECT_NE(reply.error.find("database.memory_limit"), std::string::npos) << reply.error;
  EXPECT_GT(next, 10'000);
  api::GetRequest get;
  get.__set_key(key_of(0) + std::string(400, 'k'));
  api::GetResponse got;
  client->get(got, get);
  EXPECT_TRUE(got.found);
  api::DeleteRequest remove;
  remove.__set_key(get.key);
  api::DeleteResponse removed;
  client->deleteKey(removed, remove);
  EXPECT_TRUE(removed.success) << removed.error;
}

TEST_F(MemoryProcess, ReplicasOfOneProcessShareTheLimit) {
  const std::uint64_t limit = 192 * kMiB;
  constexpr int kCount = 30'000;
  ASSERT_NO_FATAL_FAILURE(start(limit, {"--replicated", "--set", "database.cold_read_threads=2"}));
  const ResidentWatch watch(process_.pid());
  ASSERT_NO_FATAL_FAILURE(load(0, kCount, 0));
  ASSERT_NO_FATAL_FAILURE(verify(kCount, [](int i) { return value_of(i, 0); }));
  Latencies hot = read_hot_beside_cold(kCount, 2, std::chrono::seconds(1));
  ASSERT_FALSE(HasFatalFailure());
  std::cout << "hot reads beside cold ones: " << hot.all.size() << ", p99 " << hot.percentile(0.99)
            << " us, longest " << hot.percentile(1) << " us\n";
  EXPECT_LT(hot.percentile(0.99), 50'000);
  for (const char* replica : {"data/replica_1", "data/replica_2", "data/replica_3"}) {
    EXPECT_GT(status("memory_spilled_bytes", replica), 20 * kMiB) << replica;
  }
  expect_resident_within_limit("most while it was loaded and read", watch.largest());
}

}  // namespace
}  // namespace synod::suite
