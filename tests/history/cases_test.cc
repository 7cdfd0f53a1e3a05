// SPDX-License-Identifier: Apache-2.0
// Histories made by hand, each named for what is wrong with it: what checks the checkers.
#include <gtest/gtest.h>

#include <functional>

#include "tests/history/case_file.h"
#include "tests/history/linearizability.h"
#include "tests/history/serializability.h"
#include "tests/history/version_certificate.h"

namespace synod::history {
namespace {

constexpr std::size_t kBadMin = 20;
constexpr std::size_t kGoodMin = 10;

using Checker = std::function<base::Result<Report>(const std::vector<Operation>&)>;

void judge(const Case& one, const Checker& check) {
  SCOPED_TRACE(one.name);
  const auto operations = operations_of(one.events);
  ASSERT_TRUE(operations.ok()) << operations.status().to_string();
  const auto report = check(*operations);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  if (one.expect == "ok" || one.expect == "undecided") {
    EXPECT_EQ(report->verdict(), one.expect == "ok" ? Verdict::kOk : Verdict::kUnknown)
        << report->to_string();
    return;
  }
  EXPECT_EQ(report->verdict(), Verdict::kBad) << report->to_string();
  EXPECT_TRUE(report->has(one.expect)) << "expected " << one.expect << "\n" << report->to_string();
  for (const Finding& finding : report->findings) EXPECT_NE(finding.explanation, "");
}

void judge_all(const std::string& file, const Checker& check) {
  const auto cases = read_cases(SYNOD_HISTORY_CASES + file);
  ASSERT_TRUE(cases.ok()) << cases.status().to_string();
  std::size_t bad = 0;
  for (const Case& one : *cases) {
    judge(one, check);
    bad += one.expect != "ok" && one.expect != "undecided" ? 1 : 0;
  }
  EXPECT_GE(bad, kBadMin);
  EXPECT_GE(cases->size() - bad, kGoodMin);
}

TEST(Linearizability, NamesEveryHandMadeAnomalyAndPassesTheTrickyGoodOnes) {
  judge_all("linearizability.txt", [](const std::vector<Operation>& operations) {
    return base::Result<Report>(check_linearizability(operations));
  });
}

TEST(Serializability, NamesEveryHandMadeAnomalyAndPassesTheTrickyGoodOnes) {
  judge_all("serializability.txt", check_serializability);
}

TEST(VersionCertificate, NamesEveryHandMadeAnomalyAndPassesTheTrickyGoodOnes) {
  judge_all("version_certificate.txt", [](const std::vector<Operation>& operations) {
    return base::Result<Report>(check_version_certificate(operations));
  });
}

TEST(Linearizability, SaysUnknownAndNotOkWhenALimitIsReached) {
  std::vector<Event> events;
  const auto add = [&](std::int64_t process, EventType type, const MicroOp& step) {
    Event event;
    event.index = static_cast<std::int64_t>(events.size());
    event.process = process;
    event.type = type;
    event.ops = {step};
    events.push_back(event);
  };
  MicroOp write;
  write.kind = OpKind::kWrite;
  write.key = "x";
  for (int i = 0; i < 20; ++i) {
    write.value = std::to_string(i);
    add(i, EventType::kInvoke, write);
  }
  for (int i = 0; i < 20; ++i) {
    write.value = std::to_string(i);
    add(i, EventType::kOk, write);
  }
  MicroOp read;
  read.key = "x";
  read.seen = true;
  // Two readings after all writes that differ, which no pattern shows.
  for (const char* value : {"1", "2"}) {
    read.value = value;
    add(30, EventType::kInvoke, read);
    add(30, EventType::kOk, read);
  }
  const auto operations = operations_of(events);
  ASSERT_TRUE(operations.ok());
  LinearizabilityLimits limits;
  limits.steps_max = 10'000;
  const Report by_steps = check_linearizability(*operations, limits);
  EXPECT_EQ(by_steps.verdict(), Verdict::kUnknown) << by_steps.to_string();
  limits.steps_max = UINT64_MAX;
  limits.memo_bytes_max = 100'000;
  const Report by_memory = check_linearizability(*operations, limits);
  EXPECT_EQ(by_memory.verdict(), Verdict::kUnknown) << by_memory.to_string();
}

}  // namespace
}  // namespace synod::history
