// SPDX-License-Identifier: Apache-2.0
// Random lives of a group under faults: a register must stay linearizable, a counter exact.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "tests/router/sim_group.h"

namespace synod::router {
namespace {

using core::OutcomeCode;

/// A register whose writes are numbered by the versions they took: the numbers give the order, so
/// that real time and values are all there is to check.
class RegisterHistory {
 public:
  void on_attempt(const std::string& value) { attempts_.insert(value); }
  /// What had been seen when an operation began.
  [[nodiscard]] std::int64_t floor() const { return floor_; }

  void on_written(const std::string& value, std::int64_t version, std::int64_t floor) {
    EXPECT_GT(version, floor) << value << " was written behind what had been seen";
    note(value, version);
  }
  void on_read(const std::string& value, std::int64_t version, std::int64_t floor) {
    EXPECT_GE(version, floor) << "a read went back to " << value;
    check_origin(value);
    note(value, version);
  }
  void check_origin(const std::string& value) const {
    EXPECT_TRUE(value.empty() || attempts_.contains(value)) << value << " was never written";
    EXPECT_FALSE(refused_.contains(value)) << value << " was refused and took effect";
  }
  void on_refused(const std::string& value) {
    refused_.insert(value);
    for (const auto& [version, known] : known_) EXPECT_NE(known, value);
  }

 private:
  void note(const std::string& value, std::int64_t version) {
    const auto [place, is_new] = known_.emplace(version, value);
    EXPECT_EQ(place->second, value) << "two values at version " << version;
    floor_ = std::max(floor_, version);
  }

  std::set<std::string> attempts_;
  std::set<std::string> refused_;
  std::map<std::int64_t, std::string> known_;
  std::int64_t floor_ = 0;
};

/// One life: clients in a closed loop, and harm.
class Life {
 public:
  explicit Life(std::uint64_t seed) : group_(seed), random_(seed), clients_(kClients) {
    strand_ = &group_.loop().add_dispatcher();
    for (std::size_t node = 0; node < 3; ++node) {
      ReplicatedOptions& options = group_.options(node);
      options.runtime.state.flush_every_slots = 10 + random_.below(100);
      options.runtime.state.snapshot_every_slots = 20 + random_.below(300);
      options.runtime.keep_slots = random_.below(60);
      if (seed % 2 == 1) {
        options.backlog_bytes_max = 500;
        options.runtime.backlog_bytes = 500 + random_.below(5'000);
      }
      options.read_mode = seed % 4 == 3 ? ReadMode::kLease : ReadMode::kReadIndex;
    }
  }

  void live() {
    ASSERT_TRUE(group_.form());
    group_.network().set_break_chance(random_.chance(0.5) ? 0.002 : 0);
    for (std::size_t i = 0; i < kClients; ++i) begin(i);
    for (int i = 0; i < 12; ++i) {
      group_.run_for(base::Millis(random_.between(20, 700)));
      harm();
    }
    recover();
    if (::testing::Test::HasFatalFailure()) return;
    is_over_ = true;
    group_.run_for(std::chrono::seconds(6));
    compare();
  }

 private:
  static constexpr std::size_t kClients = 5;
  static constexpr base::Nanos kPatience = std::chrono::seconds(5);

  struct Client {
    std::uint64_t turn = 0;
    std::uint64_t count = 0;
  };

  void harm() {
    const std::size_t node = random_.below(3);
    switch (random_.below(8)) {
      case 0:
        if (group_.is_up(node)) group_.crash(node);
        break;
      case 1:
        if (group_.is_up(node)) {
          group_.power_cut(node, static_cast<storage::CrashPolicy>(random_.below(3)));
        }
        break;
      case 2:
        group_.isolate(node);
        break;
      case 3:
        group_.heal();
        break;
      case 4:
      case 5:
        group_.refuse_rows(node, random_.chance(0.7));
        break;
      default:
        break;
    }
    for (std::size_t i = 0; i < 3; ++i) {
      if (group_.is_up(i) || random_.chance(0.3)) continue;
      const base::Status started = group_.start(i);
      ASSERT_TRUE(started.ok()) << started.to_string();
    }
  }

  void recover() {
    group_.heal();
    group_.network().set_break_chance(0);
    for (std::size_t i = 0; i < 3; ++i) {
      group_.refuse_rows(i, false);
      if (group_.is_up(i)) continue;
      const base::Status started = group_.start(i);
      ASSERT_TRUE(started.ok()) << started.to_string();
    }
    ASSERT_TRUE(group_.wait_for_leader());
    // A backend that stood still is tried again after a while.
    for (int i = 0; i < 20 && !group_.execute(0, write("last", "x")).ok(); ++i) {
      group_.run_for(base::Millis(100));
    }
    ASSERT_EQ(group_.get(2, "last"), "x");
  }

  void compare() {
    ASSERT_TRUE(group_.converge());
    const auto counter = group_.get(1, "n");
    const std::size_t counted = counter ? std::stoul(*counter) : 0;
    EXPECT_GE(counted, counted_);
    EXPECT_LE(counted, counted_ + unknown_);
    for (std::size_t i = 0; i < marks_.size(); ++i) {
      const std::string mark =
          group_.get(1, "mark." + std::to_string(i), ReadLevel::kLocal).value_or("");
      const bool is_unknown = marks_[i] == "unanswered" || marks_[i] == "OUTCOME_UNKNOWN";
      EXPECT_LE(mark.size(), 1U) << "increment " << i << " counts twice; told " << marks_[i];
      if (!is_unknown) {
        EXPECT_EQ(mark.size(), marks_[i] == "OK" ? 1U : 0U)
            << "increment " << i << " was told " << marks_[i] << ": " << details_[i];
      }
    }
    const auto report = group_.verify(0, true);
    ASSERT_TRUE(report.has_value());
    EXPECT_TRUE(report->status.ok()) << report->status.to_string();
  }

  void begin(std::size_t index) {
    if (is_over_) return;
    Client& client = clients_[index];
    const std::uint64_t turn = ++client.turn;
    const std::size_t node = random_.below(3);
    if (!group_.is_up(node)) return think(index);
    strand_->run_after(kPatience, [this, index, turn] {
      if (clients_[index].turn == turn) begin(index);
    });
    switch (random_.below(3)) {
      case 0:
        return write_register(index, node);
      case 1:
        return read_register(index, node);
      default:
        return count(index, node);
    }
  }

  void think(std::size_t index) {
    strand_->run_after(base::Micros(random_.between(1, 20'000)), [this, index] { begin(index); });
  }
  void finish(std::size_t index, std::uint64_t turn) {
    if (clients_[index].turn == turn) think(index);
  }

  void write_register(std::size_t index, std::size_t node) {
    Client& client = clients_[index];
    const std::string value = std::to_string(index) + "." + std::to_string(++client.count);
    history_.on_attempt(value);
    group_.store(node).router().submit(
        write("r", value), {},
        [this, index, value, turn = client.turn, floor = history_.floor()](core::Outcome outcome) {
          if (outcome.ok()) {
            history_.on_written(value, outcome.version.value(), floor);
          } else if (outcome.code != OutcomeCode::kOutcomeUnknown) {
            history_.on_refused(value);
          }
          finish(index, turn);
        });
  }

  void read_register(std::size_t index, std::size_t node) {
    core::PointReadRequest request;
    request.key = "r";
    RequestContext context;
    const bool is_local = random_.chance(0.2);
    if (is_local) context.read_level = ReadLevel::kLocal;
    group_.store(node).router().read(std::move(request), context,
                                     [this, index, is_local, turn = clients_[index].turn,
                                      floor = history_.floor()](const core::PointReadReply& reply) {
                                       if (reply.code == OutcomeCode::kOk && is_local)
                                         history_.check_origin(reply.value);
                                       if (reply.code == OutcomeCode::kOk && !is_local) {
                                         history_.on_read(reply.value, reply.version.value(),
                                                          floor);
                                       }
                                       finish(index, turn);
                                     });
  }

  void count(std::size_t index, std::size_t node) {
    ++unknown_;
    // Each leaves a mark of its own, so that a wrong sum can be told apart.
    const std::string mark = "mark." + std::to_string(marks_.size());
    marks_.emplace_back("unanswered");
    core::KvOperation operation = increment("n");
    core::Step append;
    append.kind = core::StepKind::kAppend;
    append.key = mark;
    append.value = "x";
    operation.steps.push_back(std::move(append));
    group_.store(node).router().submit(
        std::move(operation), {},
        [this, index, place = marks_.size() - 1,
         turn = clients_[index].turn](core::Outcome outcome) {
          if (outcome.code != OutcomeCode::kOutcomeUnknown) --unknown_;
          marks_[place] = outcome.ok() ? "OK" : std::string(outcome_code_name(outcome.code));
          details_[place] = outcome.message;
          if (outcome.ok()) {
            ++counted_;
            EXPECT_TRUE(numbers_.insert(outcome.results.at(0).number).second);
          }
          finish(index, turn);
        });
  }

  SimGroup group_;
  base::Random random_;
  std::vector<Client> clients_;
  base::SimDispatcher* strand_ = nullptr;
  RegisterHistory history_;
  std::set<std::int64_t> numbers_;
  std::vector<std::string> marks_;  ///< What was told of each increment.
  std::map<std::size_t, std::string> details_;
  std::size_t counted_ = 0;
  std::size_t unknown_ = 0;  ///< Begun, and nobody knows.
  bool is_over_ = false;
};

/// SYNOD_SOAK_SEEDS lives more, for a night.
std::uint64_t seeds() {
  const char* wanted = std::getenv("SYNOD_SOAK_SEEDS");
  return wanted == nullptr ? 8 : std::strtoull(wanted, nullptr, 10);
}
std::uint64_t first_seed() {
  const char* wanted = std::getenv("SYNOD_SOAK_FIRST");
  return wanted == nullptr ? 1000 : std::strtoull(wanted, nullptr, 10);
}

TEST(ReplicatedSoak, ARegisterStaysLinearizableAndACounterExact) {
  for (std::uint64_t seed = first_seed(); seed < first_seed() + seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Life life(seed);
    life.live();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace synod::router
