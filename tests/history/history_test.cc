// SPDX-License-Identifier: Apache-2.0
#include "tests/history/history.h"

#include <gtest/gtest.h>

#include <array>
#include <sstream>
#include <thread>

#include "tests/history/generator.h"
#include "tests/history/session.h"

namespace synod::history {
namespace {

Event sample() {
  Event event;
  event.index = 0;
  event.time = 17;
  event.process = 3;
  event.type = EventType::kOk;
  event.workload = "list-append";
  event.ops = {read_step("k\xff\n\"\\\x01"),
               read_step("list", true),
               write_step(OpKind::kWrite, "w", "v"),
               write_step(OpKind::kDelete, "d"),
               write_step(OpKind::kCas, "c", "new"),
               write_step(OpKind::kAppend, "a", "7"),
               write_step(OpKind::kIncrement, "n", "-5"),
               range_step("a", "", 3)};
  event.ops[0].seen = true;
  event.ops[1].seen = true;
  event.ops[1].value = "1,2,3";
  event.ops[4].expected = "old";
  event.ops[4].seen = true;
  event.ops[4].swapped = true;
  event.ops[7].seen = true;
  event.ops[7].rows = {{"b", "1"}, {"c", ""}};
  event.read_version = 5;
  event.commit_version = 9;
  event.pinned = true;
  event.token = "t";
  event.node = "n1";
  event.error = "nothing";
  return event;
}

TEST(History, EveryFieldSurvivesTheJourneyThroughJson) {
  const auto back = event_of_json(to_json(sample()));
  ASSERT_TRUE(back.ok()) << back.status().to_string();
  EXPECT_EQ(*back, sample());
  Event fault;
  fault.process = kNemesis;
  fault.type = EventType::kInfo;
  fault.error = "node 2 killed";
  const auto fault_back = event_of_json(to_json(fault));
  ASSERT_TRUE(fault_back.ok()) << fault_back.status().to_string();
  EXPECT_EQ(*fault_back, fault);
}

TEST(History, GeneratedHistoriesSurviveTheJourneyThroughAFile) {
  for (const auto& events :
       {generate_registers({.seed = 3}), generate_lists({.seed = 3}), generate_rows({.seed = 3})}) {
    std::stringstream file;
    ASSERT_TRUE(write_history(file, events).ok());
    const auto back = read_history(file);
    ASSERT_TRUE(back.ok()) << back.status().to_string();
    std::stringstream again;
    ASSERT_TRUE(write_history(again, *back).ok());
    EXPECT_TRUE(again.str() == file.str());
  }
}

TEST(History, NoTruncationOfALineIsTakenForALine) {
  const std::string line = to_json(sample());
  for (std::size_t length = 0; length < line.size(); ++length) {
    EXPECT_FALSE(event_of_json(line.substr(0, length)).ok()) << line.substr(0, length);
  }
}

TEST(History, RejectsWhatIsNotInTheFormat) {
  const std::string start = R"({"index":0,"time":0,"process":1,"type":"ok",)";
  for (const char* rest :
       {R"("value":[["q","k"]]})", R"("value":[["w","k"]]})", R"("value":[["r","k",1]]})",
        R"("value":[["r","k",["a,b"]]]})", R"("value":[["rp",["a","b"]]]})",
        R"("value":[["inc","n","1"]]})", R"("value":[["cas","k",null]]})",
        R"("value":[],"extra":1})", R"("value":[],"value":[]})", R"("value":7})",
        R"("value":[]} )"
        "x"}) {
    EXPECT_FALSE(event_of_json(start + rest).ok()) << rest;
  }
  EXPECT_FALSE(event_of_json("[1]").ok());
  EXPECT_FALSE(event_of_json(R"({"index":0,"time":0,"process":1})").ok());
  EXPECT_FALSE(event_of_json(R"({"index":0,"time":0,"process":-1,"type":"ok"})").ok());
  EXPECT_FALSE(event_of_json(std::string(100'000, '[')).ok());
}

TEST(History, RejectsHolesInIndexAndTimeThatGoesBack) {
  const auto read = [](std::int64_t second_index, std::int64_t second_time) {
    Event first = sample();
    Event second = sample();
    second.index = second_index;
    second.time = second_time;
    std::stringstream file(to_json(first) + "\n" + to_json(second) + "\n");
    return read_history(file);
  };
  EXPECT_TRUE(read(1, 17).ok());
  EXPECT_FALSE(read(2, 17).ok());
  EXPECT_FALSE(read(0, 17).ok());
  EXPECT_FALSE(read(1, 16).ok());
  std::stringstream two(to_json(sample()) + "\n");
  EXPECT_FALSE(read_history(two, 0).ok());
}

Event event(std::int64_t index, std::int64_t process, EventType type) {
  Event made;
  made.index = index;
  made.process = process;
  made.type = type;
  return made;
}

TEST(Operations, RejectsHistoriesThatBreakTheirOwnRules) {
  using enum EventType;
  EXPECT_FALSE(operations_of({event(0, 1, kOk)}).ok());
  EXPECT_FALSE(operations_of({event(0, 1, kInvoke), event(1, 1, kInvoke)}).ok());
  EXPECT_FALSE(
      operations_of({event(0, 1, kInvoke), event(1, 1, kInfo), event(2, 1, kInvoke)}).ok());
  auto other = event(1, 1, kOk);
  other.workload = "another";
  EXPECT_FALSE(operations_of({event(0, 1, kInvoke), other}).ok());
}

TEST(Operations, WhatIsOpenAtTheEndIsUnknown) {
  using enum EventType;
  const auto operations = operations_of(
      {event(0, 1, kInvoke), event(1, kNemesis, kInfo), event(2, 2, kInvoke), event(3, 2, kFail)});
  ASSERT_TRUE(operations.ok());
  ASSERT_EQ(operations->size(), 2U);
  EXPECT_EQ((*operations)[0].outcome, Outcome::kUnknown);
  EXPECT_EQ((*operations)[0].completed, Operation::kNever);
  EXPECT_EQ((*operations)[1].outcome, Outcome::kNotApplied);
}

TEST(Recorder, GivesDenseIndicesAndOrderedTimesToManyThreads) {
  const base::SystemClock clock;
  std::stringstream file;
  Recorder recorder(clock, &file);
  std::array<std::thread, 4> threads;
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (int i = 0; i < 500; ++i) {
        Event made = event(0, recorder.new_process(), EventType::kInvoke);
        recorder.record(made);
        made.type = EventType::kInfo;
        recorder.record(made);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto events = recorder.finish();
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->size(), 4'000U);
  const auto back = read_history(file);
  ASSERT_TRUE(back.ok()) << back.status().to_string();
  EXPECT_EQ(*back, *events);
  EXPECT_TRUE(operations_of(*events).ok());
}

}  // namespace
}  // namespace synod::history
