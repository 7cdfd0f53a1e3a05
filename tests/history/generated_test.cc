// SPDX-License-Identifier: Apache-2.0
// Random histories of a correct store pass; the same ones, falsified, do not.
#include <gtest/gtest.h>

#include <functional>

#include "base/random.h"
#include "tests/history/generator.h"
#include "tests/history/linearizability.h"
#include "tests/history/serializability.h"
#include "tests/history/version_certificate.h"

namespace synod::history {
namespace {

constexpr std::uint64_t kSeeds = 40;

std::vector<Operation> operations(const std::vector<Event>& events) {
  auto paired = operations_of(events);
  EXPECT_TRUE(paired.ok()) << paired.status().to_string();
  return std::move(paired).value();
}

Report check_lists(const std::vector<Operation>& history) {
  auto report = check_serializability(history);
  EXPECT_TRUE(report.ok()) << report.status().to_string();
  return std::move(report).value();
}

/// Small histories with much overlap and trouble, and larger ones.
GeneratorOptions options(std::uint64_t seed) {
  GeneratorOptions made;
  made.seed = seed;
  made.operations = 100 + 20 * (seed % 50);
  made.processes = static_cast<std::uint32_t>(2 + seed % 12);
  made.keys = static_cast<std::uint32_t>(1 + seed % 7);
  made.appends_per_list = 20;
  made.unknown = seed % 3 == 0 ? 0.0 : 0.03;
  return made;
}

TEST(Linearizability, PassesWhatACorrectRegisterDid) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Report report = check_linearizability(operations(generate_registers(options(seed))));
    EXPECT_EQ(report.verdict(), Verdict::kOk) << "seed " << seed << "\n" << report.to_string();
  }
}

TEST(Serializability, PassesWhatACorrectStoreDid) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Report report = check_lists(operations(generate_lists(options(seed))));
    EXPECT_EQ(report.verdict(), Verdict::kOk) << "seed " << seed << "\n" << report.to_string();
  }
}

TEST(VersionCertificate, PassesWhatACorrectStoreDid) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    GeneratorOptions certain = options(seed);
    certain.unknown = 0;
    for (const auto& events : {generate_rows(certain), generate_lists(certain)}) {
      const Report report = check_version_certificate(operations(events));
      EXPECT_EQ(report.verdict(), Verdict::kOk) << "seed " << seed << "\n" << report.to_string();
    }
    for (const auto& events : {generate_rows(options(seed)), generate_lists(options(seed))}) {
      const Report report = check_version_certificate(operations(events));
      EXPECT_NE(report.verdict(), Verdict::kBad) << "seed " << seed << "\n" << report.to_string();
    }
  }
}

// ------------------------------------------------------------------------------------ falsified

/// Falsifies one operation; false if this history has none that fits.
using Mutation = std::function<bool(std::vector<Operation>&, base::Random&)>;

/// The operations for which `fits` holds.
std::vector<std::size_t> those(const std::vector<Operation>& history,
                               const std::function<bool(const Operation&)>& fits) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (fits(history[i])) found.push_back(i);
  }
  return found;
}

bool one_of(const std::vector<std::size_t>& places, base::Random& random, std::size_t& chosen) {
  if (places.empty()) return false;
  chosen = places[random.below(places.size())];
  return true;
}

bool is_read(const Operation& op) {
  return op.outcome == Outcome::kApplied && op.ops[0].kind == OpKind::kRead && op.ops[0].seen;
}

struct Tally {
  int applied = 0;
  int caught = 0;
};

Tally mutate(const std::function<std::vector<Event>(const GeneratorOptions&)>& generate,
             const std::function<Report(const std::vector<Operation>&)>& check,
             const Mutation& mutation) {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    auto history = operations(generate(options(seed)));
    base::Random random(seed);
    if (!mutation(history, random)) continue;
    ++tally.applied;
    if (check(history).verdict() == Verdict::kBad) ++tally.caught;
  }
  return tally;
}

/// Every falsification of this kind must be found, and there must be some.
void expect_always(const Tally& tally, const char* what) {
  EXPECT_GE(tally.applied, 20) << what;
  EXPECT_EQ(tally.caught, tally.applied) << what;
}

Report check_registers(const std::vector<Operation>& history) {
  return check_linearizability(history);
}

TEST(Linearizability, AlwaysFindsAReadOfWhatNobodyWrote) {
  expect_always(mutate(generate_registers, check_registers,
                       [](std::vector<Operation>& history, base::Random& random) {
                         std::size_t at = 0;
                         if (!one_of(those(history, is_read), random, at)) return false;
                         history[at].ops[0].value = "from nowhere";
                         return true;
                       }),
                "unwritten value");
}

TEST(Linearizability, AlwaysFindsAReadOfWhatWasOverwrittenBefore) {
  const auto write_before = [](const std::vector<Operation>& history, const base::Bytes& key,
                               std::int64_t end) -> const Operation* {
    const Operation* latest = nullptr;
    for (const Operation& op : history) {
      const bool plain = op.outcome == Outcome::kApplied && op.ops[0].kind == OpKind::kWrite;
      if (plain && op.ops[0].key == key && op.completed < end) latest = &op;
    }
    return latest;
  };
  expect_always(
      mutate(generate_registers, check_registers,
             [&](std::vector<Operation>& history, base::Random& random) {
               std::size_t at = 0;
               const auto places = those(history, [&](const Operation& op) {
                 if (!is_read(op)) return false;
                 const Operation* hider = write_before(history, op.ops[0].key, op.invoked);
                 return hider != nullptr &&
                        write_before(history, op.ops[0].key, hider->invoked) != nullptr;
               });
               if (!one_of(places, random, at)) return false;
               const base::Bytes key = history[at].ops[0].key;
               const Operation* hider = write_before(history, key, history[at].invoked);
               history[at].ops[0].value = write_before(history, key, hider->invoked)->ops[0].value;
               return true;
             }),
      "stale value");
}

TEST(Linearizability, AlwaysFindsThatAnObservedWriteFailed) {
  expect_always(mutate(generate_registers, check_registers,
                       [](std::vector<Operation>& history, base::Random& random) {
                         const auto places = those(history, [&](const Operation& op) {
                           if (op.ops[0].kind != OpKind::kWrite) return false;
                           return !those(history, [&](const Operation& reader) {
                                     return is_read(reader) &&
                                            reader.ops[0].value == op.ops[0].value;
                                   }).empty();
                         });
                         std::size_t at = 0;
                         if (!one_of(places, random, at)) return false;
                         history[at].outcome = Outcome::kNotApplied;
                         return true;
                       }),
                "failed write");
}

TEST(Linearizability, MostlyFindsAnExchangeOfTwoReads) {
  const Tally tally = mutate(generate_registers, check_registers,
                             [](std::vector<Operation>& history, base::Random& random) {
                               const auto places = those(history, is_read);
                               std::size_t a = 0;
                               std::size_t b = 0;
                               if (!one_of(places, random, a)) return false;
                               const base::Bytes key = history[a].ops[0].key;
                               const auto same = those(history, [&](const Operation& op) {
                                 return is_read(op) && op.ops[0].key == key &&
                                        op.ops[0].value != history[a].ops[0].value;
                               });
                               if (!one_of(same, random, b)) return false;
                               std::swap(history[a].ops[0].value, history[b].ops[0].value);
                               return true;
                             });
  EXPECT_GE(tally.applied, 20);
  EXPECT_GE(tally.caught * 10, tally.applied * 8) << tally.caught << " of " << tally.applied;
}

// Lists. A mutation changes the elements of one list read of at least this many.

Mutation change_list(std::size_t at_least,
                     const std::function<void(std::vector<std::string>&)>& change) {
  return [=](std::vector<Operation>& history, base::Random& random) {
    std::vector<MicroOp*> reads;
    for (Operation& op : history) {
      if (op.outcome != Outcome::kApplied || op.writes()) continue;
      for (MicroOp& step : op.ops) {
        const bool list = step.kind == OpKind::kRead && step.is_list;
        if (list && list_of(step.value).size() >= at_least) reads.push_back(&step);
      }
    }
    if (reads.empty()) return false;
    MicroOp& step = *reads[random.below(reads.size())];
    std::vector<std::string> elements;
    for (const std::string_view element : list_of(step.value)) elements.emplace_back(element);
    change(elements);
    std::optional<base::Bytes> joined;
    for (const std::string& element : elements) joined = list_with(joined, element);
    step.value = joined;
    return true;
  };
}

std::vector<Event> lists(const GeneratorOptions& options) { return generate_lists(options); }

TEST(Serializability, AlwaysFindsADoubledElement) {
  expect_always(mutate(lists, check_lists,
                       change_list(1,
                                   [](std::vector<std::string>& elements) {
                                     elements.push_back(elements.front());
                                   })),
                "doubled element");
}

TEST(Serializability, AlwaysFindsAnElementNobodyAppended) {
  expect_always(
      mutate(
          lists, check_lists,
          change_list(1, [](std::vector<std::string>& elements) { elements.back() = "nowhere"; })),
      "unwritten element");
}

TEST(Serializability, AlwaysFindsThatAnObservedAppendFailed) {
  expect_always(mutate(lists, check_lists,
                       [](std::vector<Operation>& history, base::Random& random) {
                         std::vector<base::Bytes> seen;
                         for (const Operation& op : history) {
                           if (op.outcome != Outcome::kApplied || op.writes()) continue;
                           for (const MicroOp& step : op.ops) {
                             for (const auto element : list_of(step.value))
                               seen.emplace_back(element);
                           }
                         }
                         if (seen.empty()) return false;
                         const base::Bytes element = seen[random.below(seen.size())];
                         for (Operation& op : history) {
                           for (const MicroOp& step : op.ops) {
                             const bool it = step.kind == OpKind::kAppend && step.value == element;
                             if (it) op.outcome = Outcome::kNotApplied;
                           }
                         }
                         return true;
                       }),
                "failed append");
}

TEST(Serializability, MostlyFindsADroppedElementAndAnExchange) {
  for (const int kind : {0, 1, 2}) {
    const Tally tally =
        mutate(lists, check_lists, change_list(3, [&](std::vector<std::string>& elements) {
                 if (kind == 0) elements.erase(elements.begin() + 1);
                 if (kind == 1) std::swap(elements[0], elements[1]);
                 if (kind == 2) elements.resize(elements.size() - 2);
               }));
    EXPECT_GE(tally.applied, 20);
    EXPECT_GE(tally.caught * 10, tally.applied * 7)
        << kind << ": " << tally.caught << " of " << tally.applied;
  }
}

// Versions.

std::vector<Event> certain_rows(const GeneratorOptions& options) {
  GeneratorOptions certain = options;
  certain.unknown = 0;
  return generate_rows(certain);
}

bool has_point_read(const Operation& op) { return is_read(op) && op.read_version.has_value(); }
bool commits(const Operation& op) {
  return op.outcome == Outcome::kApplied && op.commit_version.has_value();
}

TEST(VersionCertificate, AlwaysFindsAChangedRead) {
  expect_always(mutate(certain_rows, check_version_certificate,
                       [](std::vector<Operation>& history, base::Random& random) {
                         std::size_t at = 0;
                         if (!one_of(those(history, has_point_read), random, at)) return false;
                         history[at].ops[0].value = "changed";
                         return true;
                       }),
                "changed read");
}

TEST(VersionCertificate, AlwaysFindsADroppedRangeRow) {
  expect_always(
      mutate(certain_rows, check_version_certificate,
             [](std::vector<Operation>& history, base::Random& random) {
               std::size_t at = 0;
               const auto places = those(history, [](const Operation& op) {
                 return op.outcome == Outcome::kApplied && !op.ops[0].rows.empty();
               });
               if (!one_of(places, random, at)) return false;
               auto& rows = history[at].ops[0].rows;
               rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(random.below(rows.size())));
               return true;
             }),
      "dropped row");
}

TEST(VersionCertificate, AlwaysFindsExchangedVersionsOfCommitsInSequence) {
  expect_always(mutate(certain_rows, check_version_certificate,
                       [](std::vector<Operation>& history, base::Random& random) {
                         std::size_t a = 0;
                         std::size_t b = 0;
                         if (!one_of(those(history, commits), random, a)) return false;
                         const auto later = those(history, [&](const Operation& op) {
                           return commits(op) && op.invoked > history[a].completed;
                         });
                         if (!one_of(later, random, b)) return false;
                         std::swap(history[a].commit_version, history[b].commit_version);
                         return true;
                       }),
                "exchanged versions");
}

TEST(VersionCertificate, AlwaysFindsOneVersionGivenTwice) {
  expect_always(mutate(certain_rows, check_version_certificate,
                       [](std::vector<Operation>& history, base::Random& random) {
                         const auto places = those(history, commits);
                         std::size_t a = 0;
                         std::size_t b = 0;
                         if (!one_of(places, random, a) || !one_of(places, random, b)) return false;
                         if (a == b) return false;
                         history[a].commit_version = history[b].commit_version;
                         return true;
                       }),
                "version twice");
}

TEST(VersionCertificate, OftenFindsADroppedCommit) {
  const Tally tally = mutate(certain_rows, check_version_certificate,
                             [](std::vector<Operation>& history, base::Random& random) {
                               std::size_t at = 0;
                               if (!one_of(those(history, commits), random, at)) return false;
                               history[at].outcome = Outcome::kNotApplied;
                               return true;
                             });
  EXPECT_GE(tally.applied, 20);
  EXPECT_GE(tally.caught * 10, tally.applied * 4) << tally.caught << " of " << tally.applied;
}

}  // namespace
}  // namespace synod::history
