// SPDX-License-Identifier: Apache-2.0
// Histories as large as those of a real run: the checkers must finish, and say ok. Durations are
// printed for docs; only a wild excess fails.
#include <gtest/gtest.h>

#include <iostream>

#include "base/clock.h"
#include "tests/history/generator.h"
#include "tests/history/linearizability.h"
#include "tests/history/serializability.h"
#include "tests/history/version_certificate.h"

namespace synod::history {
namespace {

constexpr std::chrono::seconds kAtMost{60};

std::vector<Operation> operations(const std::vector<Event>& events) {
  auto paired = operations_of(events);
  EXPECT_TRUE(paired.ok()) << paired.status().to_string();
  return std::move(paired).value();
}

void expect_ok_in_time(const char* what, const std::function<Report()>& check) {
  const base::SystemClock clock;
  const base::Nanos start = clock.boot_time();
  const Report report = check();
  const base::Nanos took = clock.boot_time() - start;
  EXPECT_EQ(report.verdict(), Verdict::kOk) << what << "\n" << report.to_string();
  EXPECT_LT(took, kAtMost) << what;
  std::cout << what << ": " << report.checked << " operations in "
            << std::chrono::duration_cast<base::Millis>(took).count() << " ms\n";
}

TEST(Linearizability, CopesWithManyOperationsOnManyKeysAndOnOne) {
  const auto many = operations(generate_registers(
      {.seed = 1, .operations = 100'000, .processes = 10, .keys = 100, .unknown = 0.005}));
  expect_ok_in_time("100 keys, 10 clients", [&] { return check_linearizability(many); });
  const auto wide = operations(generate_registers(
      {.seed = 2, .operations = 100'000, .processes = 32, .keys = 100, .unknown = 0.001}));
  expect_ok_in_time("100 keys, 32 clients", [&] { return check_linearizability(wide); });
  const auto one = operations(generate_registers(
      {.seed = 3, .operations = 10'000, .processes = 10, .keys = 1, .unknown = 0.0}));
  expect_ok_in_time("1 key, 10 clients", [&] { return check_linearizability(one); });
}

TEST(Serializability, CopesWithManyTransactions) {
  const auto lists = operations(generate_lists({.seed = 1, .operations = 50'000, .processes = 20}));
  expect_ok_in_time("lists", [&] {
    auto report = check_serializability(lists);
    EXPECT_TRUE(report.ok()) << report.status().to_string();
    return std::move(report).value();
  });
}

TEST(VersionCertificate, CopesWithManyTransactions) {
  const auto rows = operations(generate_rows(
      {.seed = 1, .operations = 50'000, .processes = 20, .keys = 50, .unknown = 0.0}));
  expect_ok_in_time("rows", [&] { return check_version_certificate(rows); });
}

}  // namespace
}  // namespace synod::history
