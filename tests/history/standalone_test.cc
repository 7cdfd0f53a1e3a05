// SPDX-License-Identifier: Apache-2.0
// Every workload against the real server, its history checked.
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include "tests/history/thrift_client.h"
#include "tests/history/workloads.h"
#include "tests/suite/server_process.h"

namespace synod::history {
namespace {

class StandaloneServer {
 public:
  StandaloneServer() : directory_(suite::fresh_directory("history")), port_(suite::free_port()) {}
  ~StandaloneServer() {
    process_.kill_and_wait();
    if (!testing::Test::HasFailure()) std::filesystem::remove_all(directory_);
  }

  base::Status start() {
    suite::ServerProcess::Command command;
    command.binary = SYNOD_SERVER_BINARY;
    command.arguments = {"--port",    std::to_string(port_), "--bind",
                         "127.0.0.1", "--data-dir",          (directory_ / "data").string()};
    command.directory = directory_;
    command.log = directory_ / "server.log";
    SYNOD_RETURN_IF_ERROR(process_.start(command));
    return process_.wait_for_port(port_);
  }
  void kill() { process_.kill_and_wait(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
  std::uint16_t port_;
  suite::ServerProcess process_;
};

class Standalone : public testing::TestWithParam<std::string_view> {};

TEST_P(Standalone, KeepsItsPromises) {
  StandaloneServer server;
  ASSERT_TRUE(server.start().ok());
  const base::SystemClock clock;
  std::ofstream file(server.directory() / "history.jsonl");
  Recorder recorder(clock, &file);
  WorkloadOptions options;
  options.workload = std::string(GetParam());
  options.threads = 6;
  options.keys = options.workload == "ring" ? 60 : 20;
  options.duration = std::chrono::seconds(1);
  options.operations_max = 5'000;
  const auto connect = thrift_clients({{"127.0.0.1", server.port()}}, client::ClientOptions{});
  const base::Status status = run_workload(options, connect, clock, recorder);
  EXPECT_TRUE(status.ok()) << status.to_string();
  const auto events = recorder.finish();
  ASSERT_TRUE(events.ok()) << events.status().to_string();
  const HistorySummary summary = summarize(*operations_of(*events));
  const auto report = check_history(*events, clock);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  EXPECT_EQ(report->verdict(), Verdict::kOk) << "see " << server.directory() / "history.jsonl\n"
                                             << report->to_string();
  EXPECT_EQ(summary.unknown, 0U) << summary.to_string();
  EXPECT_GE(summary.applied, 100U) << summary.to_string();
  EXPECT_GE(summary.applied * 2, summary.total()) << summary.to_string();
}

/// Hands on every call, and calls back before some begin() of all clients together.
class CountingClient final : public Client {
 public:
  CountingClient(std::unique_ptr<Client> client, std::function<void()> before_begin)
      : client_(std::move(client)), before_begin_(std::move(before_begin)) {}
  base::Result<std::unique_ptr<ClientTransaction>> begin() override {
    before_begin_();
    return client_->begin();
  }
  base::Result<std::optional<base::Bytes>> get(const base::Bytes& key) override {
    return client_->get(key);
  }
  WriteResult set(const base::Bytes& key, const base::Bytes& value) override {
    return client_->set(key, value);
  }
  WriteResult remove(const base::Bytes& key) override { return client_->remove(key); }
  base::Result<std::vector<Row>> range_at(const base::Bytes& begin, const base::Bytes& end,
                                          std::int64_t version) override {
    return client_->range_at(begin, end, version);
  }

 private:
  std::unique_ptr<Client> client_;
  std::function<void()> before_begin_;
};

/// Kills and restarts the server at the 300th and the 600th beginning, which waits for it while the
/// others run into a dead server. On a thread of its own: a server dies with the one that started
/// it.
class Operator {
 public:
  Operator(StandaloneServer& server, Recorder& recorder)
      : server_(server), recorder_(recorder), thread_([this] { work(); }) {}
  ~Operator() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void before_begin() {
    std::unique_lock lock(mutex_);
    if (++begun_ % 300 != 0 || begun_ > 600) return;
    wanted_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !wanted_; });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return wanted_ || over_; });
      if (over_) return;
      lock.unlock();
      Event fault;
      fault.process = kNemesis;
      fault.type = EventType::kInfo;
      fault.error = "kill -9 and restart";
      recorder_.record(fault);
      server_.kill();
      EXPECT_TRUE(server_.start().ok());
      lock.lock();
      wanted_ = false;
      changed_.notify_all();
    }
  }

  StandaloneServer& server_;
  Recorder& recorder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0;        // guarded by mutex_
  bool wanted_ = false;  // guarded by mutex_
  bool over_ = false;    // guarded by mutex_
  std::thread thread_;   // the last member: it uses the others
};

TEST(StandaloneKilled, CountsEveryTokenOnceAcrossTwoKills) {
  StandaloneServer server;
  ASSERT_TRUE(server.start().ok());
  const base::SystemClock clock;
  Recorder recorder(clock);
  Operator killer(server, recorder);
  WorkloadOptions options;
  options.workload = "counter";
  options.threads = 6;
  options.keys = 4;
  options.duration = std::chrono::seconds(60);
  options.operations_max = 900;
  options.settle_attempts = 4'000;
  const auto plain = thrift_clients({{"127.0.0.1", server.port()}}, client::ClientOptions{});
  const auto connect =
      [&](std::optional<std::size_t> thread) -> base::Result<std::unique_ptr<Client>> {
    SYNOD_ASSIGN_OR_RETURN(auto made, plain(thread));
    return std::unique_ptr<Client>(
        std::make_unique<CountingClient>(std::move(made), [&] { killer.before_begin(); }));
  };
  const base::Status status = run_workload(options, connect, clock, recorder);
  EXPECT_TRUE(status.ok()) << status.to_string();
  const auto events = recorder.finish();
  ASSERT_TRUE(events.ok());
  const auto report = check_history(*events, clock);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  EXPECT_EQ(report->verdict(), Verdict::kOk) << report->to_string();
  // With every outcome settled the bounds of the counter meet: it is exact.
  EXPECT_EQ(summarize(*operations_of(*events)).unknown, 0U);
}

INSTANTIATE_TEST_SUITE_P(Workloads, Standalone, testing::ValuesIn(kWorkloads),
                         [](const testing::TestParamInfo<std::string_view>& workload) {
                           std::string name(workload.param);
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace synod::history
