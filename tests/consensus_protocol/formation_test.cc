// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/formation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <utility>

#include "base/plant.h"

namespace synod::consensus {
namespace {

using State = Formation::State;

/// A place for a replica: its disk, the process that runs on it, and a write that is under way.
struct Place {
  FormationMemory disk;
  std::optional<Formation> process;
  std::optional<FormationMemory> writing;
  bool was_wiped = false;
};

/// Members that form a group while processes crash, disks are lost and messages come late, twice or
/// not at all; checked after every step. See docs/decisions/0011-formation-answers-are-bound.md.
class Town {
 public:
  explicit Town(std::uint64_t seed) : random_(seed) {
    static constexpr std::uint32_t kSizes[] = {1, 2, 3, 3, 3, 4, 5};
    const std::uint32_t members = kSizes[random_.below(std::size(kSizes))];
    loses_disks_ = random_.chance(0.7);
    loss_ = 0.4 * random_.unit();
    stops_ = random_.chance(0.5) ? 0.002 : 0.03;
    records_are_slow_ = random_.chance(0.4);
    haste_ = 1 + random_.below(2 * members);
    for (std::uint32_t id = 1; id <= members; ++id) {
      ids_.push_back(ReplicaId(id));
      places_.emplace_back();
      places_.back().disk.incarnation = Incarnation(random_.next() | 1U);
    }
  }

  /// Empty, or what went wrong.
  std::string run() {
    const int faulty = static_cast<int>(random_.below(400));
    for (int step = 0; step < faulty + 300; ++step) {
      is_faulty_ = step < faulty;
      now_ += base::Millis(random_.between(1, 250));
      for (Place& place : places_) live(place);
      deliver();
      std::string fault = check();
      if (!fault.empty()) return fault;
    }
    return check_end();
  }

 private:
  [[nodiscard]] ReplicaId id_of(const Place& place) const {
    return ids_[static_cast<std::size_t>(&place - places_.data())];
  }
  [[nodiscard]] Member pair_of(const Place& place) const {
    return Member{id_of(place), place.disk.incarnation};
  }
  static bool names(const ClusterRecord& record, const Member& member) {
    return record.chain.configurations.front().is_voter(member);
  }

  void live(Place& place) {
    if (is_faulty_ && random_.chance(stops_)) stop(place);
    if (is_faulty_ && loses_disks_ && random_.chance(stops_ / 2)) wipe(place);
    if (!place.process) {
      if (is_faulty_ && random_.chance(0.9)) return;
      start(place);
    }
    const bool had_record = place.disk.record.has_value();
    if (place.writing && random_.chance(0.5)) {
      place.disk = *std::exchange(place.writing, std::nullopt);
      place.process->persisted();
    }
    place.process->tick(now_);
    collect(place);
    // The worst moment: its record is under way to everybody, and nobody has it.
    const bool has_just_written = !had_record && place.disk.record && &place == &places_.front();
    if (has_just_written && is_faulty_ && loses_disks_ && random_.chance(0.5)) wipe(place);
  }
  void start(Place& place) {
    FormationOptions options;
    options.self = id_of(place);
    options.members = ids_;
    place.process.emplace(options, place.disk, random_.fork());
  }
  /// What is being written may have got there or not.
  void stop(Place& place) {
    if (place.writing && random_.chance(0.5)) place.disk = *place.writing;
    place.writing.reset();
    place.process.reset();
  }
  void wipe(Place& place) {
    stop(place);
    place.disk = FormationMemory{Incarnation(random_.next() | 1U), {}, {}};
    place.was_wiped = true;
  }
  void collect(Place& place) {
    if (auto memory = place.process->take_persist()) place.writing = std::move(memory);
    for (Envelope& out : place.process->take_messages()) {
      const auto& shown = std::get<Introduction>(out.message).record;
      if (shown && (!place.disk.record || place.disk.record->cluster != shown->cluster)) {
        fault_ = "F3: a record leaves before it is durable";
      }
      if (is_faulty_ && random_.chance(loss_)) continue;
      if (is_faulty_ && random_.chance(0.1)) network_.push_back(out);
      if (network_.size() > 300) continue;
      network_.push_back(std::move(out));
    }
  }
  void deliver() {
    // Some messages stay behind for long; when all is well they come in order.
    std::size_t count = is_faulty_ ? random_.below(1 + haste_) : network_.size();
    for (; count > 0 && !network_.empty(); --count) {
      const std::size_t at = is_faulty_ ? random_.below(network_.size()) : 0;
      const bool is_record = std::get<Introduction>(network_[at].message).record.has_value();
      if (is_record && is_faulty_ && records_are_slow_ && random_.chance(0.95)) continue;
      Envelope envelope = std::move(network_[at]);
      network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(at));
      Place& to = places_[envelope.to.value() - 1];
      if (!to.process) continue;
      to.process->step(envelope, now_);
      collect(to);
    }
  }

  [[nodiscard]] std::string check() const {
    if (!fault_.empty()) return fault_;
    std::set<ClusterId> clusters;
    for (const Place& place : places_) {
      if (place.process && place.process->state() == State::kFormed && !place.disk.record) {
        return "F5: formed without a record";
      }
      if (!place.disk.record) continue;
      if (!names(*place.disk.record, pair_of(place))) return "F4: a disk has another's record";
      clusters.insert(place.disk.record->cluster);
    }
    return clusters.size() > 1 ? "two groups" : "";
  }
  [[nodiscard]] std::string check_end() const {
    std::size_t formed = 0;
    bool was_wiped = false;
    for (const Place& place : places_) was_wiped = was_wiped || place.was_wiped;
    for (const Place& place : places_) {
      const State state = place.process->state();
      if (state == State::kFormed) {
        ++formed;
      } else if (state != State::kMustJoin || !was_wiped) {
        return "in the end, a member is neither formed nor outside of a group";
      } else if (names(*place.process->record(), place.process->self())) {
        return "a member that is named stays outside";
      }
    }
    return formed == 0 ? "in the end nobody is formed" : "";
  }

  base::Random random_;
  std::vector<ReplicaId> ids_;
  std::vector<Place> places_;
  std::vector<Envelope> network_;
  std::string fault_;
  Instant now_{};
  bool is_faulty_ = true;
  bool loses_disks_ = false;
  bool records_are_slow_ = false;
  double loss_ = 0;
  double stops_ = 0;       ///< How often a process stops.
  std::size_t haste_ = 1;  ///< How many messages a step delivers at most; the others are late.
};

#ifdef SYNOD_PLANTS

class PlantedFormationBug : public testing::TestWithParam<const char*> {};

[[noreturn]] void form_with(const char* plant) {
  base::set_plant(plant);
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    const std::string fault = Town(seed).run();
    if (fault.empty()) continue;
    std::cerr << "seed " << seed << " " << fault << std::endl;
    std::_Exit(1);
  }
  std::_Exit(0);
}

TEST_P(PlantedFormationBug, IsNoticedWithinTwoThousandSeeds) {
  testing::FLAGS_gtest_death_test_style = "fast";
  EXPECT_EXIT(
      form_with(GetParam()), [](int status) { return status != 0; }, "");
}

INSTANTIATE_TEST_SUITE_P(All, PlantedFormationBug,
                         testing::Values("form_by_majority", "record_sent_before_durable",
                                         "blank_takes_any_record", "answer_to_any_disk",
                                         "answers_unbound"));

#else

/// The member under test, among 1, 2 and 3.
class FormationTest : public testing::Test {
 protected:
  static Member member(std::uint32_t id, std::uint64_t disk = 0) {
    return Member{ReplicaId(id), Incarnation(100 * disk + id)};
  }
  static Formation blank(std::uint32_t id, std::uint32_t members = 3) {
    FormationOptions options;
    options.self = ReplicaId(id);
    for (std::uint32_t each = members; each > 0; --each) options.members.emplace_back(each);
    return Formation(options, FormationMemory{member(id).incarnation, {}, {}}, base::Random(id));
  }
  static ClusterRecord record_of(std::vector<Member> voters, std::uint64_t cluster = 77) {
    Configuration first{ConfigId(1), std::move(voters), {}, Slot(1), base::Millis(1000), {}};
    return ClusterRecord{ClusterId(cluster), Chain{{std::move(first)}, Slot(0)}};
  }
  void say(Formation& to, const Member& from, std::optional<ClusterRecord> record,
           Incarnation asked_by = {}) {
    to.step(Envelope{from, {}, to.self().id, {}, Introduction{std::move(record), asked_by}}, now);
  }
  void blank_answer(Formation& to, const Member& from) {
    say(to, from, std::nullopt, to.self().incarnation);
  }
  /// Writes what there is to write.
  static std::optional<FormationMemory> sync(Formation& formation) {
    auto memory = formation.take_persist();
    if (memory) formation.persisted();
    return memory;
  }
  static std::vector<Envelope> shown(Formation& formation) {
    std::vector<Envelope> all = formation.take_messages();
    std::erase_if(all, [](const Envelope& each) {
      return !std::get<Introduction>(each.message).record.has_value();
    });
    return all;
  }
  /// Replica 2, which has told its incarnation to disk 0 of the writer.
  Formation bound() {
    Formation second = blank(2);
    say(second, member(1), std::nullopt);
    static_cast<void>(sync(second));
    static_cast<void>(second.take_messages());
    return second;
  }

  Instant now{};
};

TEST_F(FormationTest, TheWriterWaitsForAllAndShowsTheRecordWhenItIsDurable) {
  Formation first = blank(1);
  first.tick(now);
  EXPECT_EQ(first.take_messages().size(), 2U);
  blank_answer(first, member(2));
  EXPECT_FALSE(first.take_persist());
  blank_answer(first, member(3));
  const auto memory = first.take_persist();
  ASSERT_TRUE(memory);
  const Configuration& voters = memory->record->chain.current();
  EXPECT_EQ(voters.voters, (std::vector<Member>{member(1), member(2), member(3)}));
  EXPECT_EQ(voters.first, Slot(1));
  EXPECT_EQ(first.state(), State::kWaiting);
  say(first, member(2), std::nullopt);
  EXPECT_TRUE(first.take_messages().empty()) << "nothing is said while it is being written";
  first.persisted();
  EXPECT_EQ(first.state(), State::kFormed);
  EXPECT_EQ(shown(first).size(), 2U);
}

TEST_F(FormationTest, OneMemberFormsAlone) {
  Formation only = blank(1, 1);
  only.tick(now);
  EXPECT_TRUE(sync(only));
  EXPECT_EQ(only.state(), State::kFormed);
}

TEST_F(FormationTest, AMemberThatCannotBeReachedIsWaitedFor) {
  Formation first = blank(1);
  blank_answer(first, member(3));
  now += base::Millis(3000);
  for (int i = 0; i < 1000; ++i) {
    now += base::Millis(1000);
    first.tick(now);
    blank_answer(first, member(2));
  }
  EXPECT_FALSE(first.take_persist()) << "the answer of 3 is long ago";
  EXPECT_EQ(first.state(), State::kWaiting);
}

TEST_F(FormationTest, ANewDiskReplacesTheAnswerOfTheOld) {
  Formation first = blank(1);
  blank_answer(first, member(2));
  blank_answer(first, member(2, 1));
  blank_answer(first, member(3));
  EXPECT_TRUE(first.take_persist()->record->chain.current().is_voter(member(2, 1)));
}

TEST_F(FormationTest, QuestionsAndAnswersToEarlierDisksDoNotCount) {
  Formation first = blank(1);
  blank_answer(first, member(2));
  say(first, member(3), std::nullopt);
  say(first, member(3), std::nullopt, Incarnation(12345));
  blank_answer(first, member(4));
  EXPECT_FALSE(first.take_persist());
}

TEST_F(FormationTest, AnswersTheWriterOnlyWhenItIsDurableToWhom) {
  Formation second = blank(2);
  say(second, member(1), std::nullopt);
  EXPECT_TRUE(second.take_messages().empty());
  const auto memory = second.take_persist();
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->answered, member(1).incarnation);
  EXPECT_FALSE(memory->record);
  second.persisted();
  const auto answers = second.take_messages();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(std::get<Introduction>(answers[0].message).asked_by, member(1).incarnation);
  say(second, member(1), std::nullopt);
  EXPECT_EQ(second.take_messages().size(), 1U) << "it is known already";
}

TEST_F(FormationTest, AnotherDiskOfTheWriterGetsANewIncarnationOnceAllAreBlank) {
  Formation second = bound();
  say(second, member(1, 1), std::nullopt);
  EXPECT_FALSE(second.take_persist()) << "3 may know the group of the first disk";
  blank_answer(second, member(1, 1));
  blank_answer(second, member(3));
  say(second, member(1, 1), std::nullopt);
  EXPECT_TRUE(sync(second));
  EXPECT_NE(second.self(), member(2));
  say(second, member(1), record_of({member(1), member(2), member(3)}));
  EXPECT_FALSE(second.take_persist()) << "the first disk wrote this before it was lost";
}

TEST_F(FormationTest, TakesOnlyTheRecordThatNamesItAndItsWriter) {
  Formation second = bound();
  const auto refuses = [&](ClusterRecord record) {
    const Member from = record.chain.configurations.empty()
                            ? member(1)
                            : record.chain.configurations.front().voters.front();
    say(second, from, std::move(record));
    return !second.take_persist().has_value();
  };
  EXPECT_TRUE(refuses(record_of({member(1), member(2, 1), member(3)})));
  EXPECT_TRUE(refuses(record_of({member(1, 1), member(2), member(3)})));
  EXPECT_TRUE(refuses(record_of({member(1), member(2)})));
  EXPECT_TRUE(refuses(record_of({member(1), member(2), member(4)})));
  EXPECT_TRUE(refuses(record_of({member(1), member(2), member(3), member(4)})));
  EXPECT_TRUE(refuses(record_of({member(1), member(2), member(3)}, 0)));
  EXPECT_TRUE(refuses(ClusterRecord{ClusterId(1), {}}));
  say(second, member(9), record_of({member(1), member(2), member(3)}));
  EXPECT_FALSE(second.take_persist()) << "shown by somebody who is not in it";
  EXPECT_EQ(second.state(), State::kWaiting);
  EXPECT_FALSE(refuses(record_of({member(1), member(2), member(3)})));
  second.persisted();
  EXPECT_EQ(second.state(), State::kFormed);
}

TEST_F(FormationTest, ABlankDiskWithoutAnAnswerIsNamedByNobody) {
  Formation second = blank(2);
  say(second, member(1), record_of({member(1), member(2), member(3)}));
  EXPECT_FALSE(second.take_persist());
}

TEST_F(FormationTest, TakesTheFirstConfigurationOfAGroupThatHasGoneOn) {
  Formation second = bound();
  ClusterRecord record = record_of({member(1), member(2), member(3)});
  record.chain.configurations[0].learners = {member(7)};
  record.chain.configurations.push_back(
      Configuration{ConfigId(2), {member(1)}, {}, Slot(50), base::Millis(1), {}});
  record.chain.as_of = Slot(60);
  say(second, member(1), record);
  const auto memory = sync(second);
  ASSERT_TRUE(memory && memory->record);
  EXPECT_EQ(memory->record->chain.configurations.size(), 1U);
  EXPECT_TRUE(memory->record->chain.current().learners.empty());
  EXPECT_EQ(memory->record->chain.as_of, kNoSlot);
}

TEST_F(FormationTest, ADiskThatAGroupDoesNotNameWaitsForBeingAdded) {
  Formation second = blank(2);
  ClusterRecord record = record_of({member(1), member(2, 1), member(3)});
  say(second, member(1), record, Incarnation(4444));
  EXPECT_EQ(second.state(), State::kWaiting) << "an answer to a disk that was here before";
  say(second, member(1), record, second.self().incarnation);
  EXPECT_EQ(second.state(), State::kMustJoin);
  EXPECT_FALSE(second.is_added());
  EXPECT_EQ(second.record()->cluster, ClusterId(77));
  EXPECT_EQ(second.take_complaints().size(), 1U);
  say(second, member(1), std::nullopt);
  EXPECT_FALSE(second.take_persist()) << "it is no longer for another group";
  record.chain.configurations[0].learners.push_back(second.self());
  record.chain.as_of = Slot(9);
  say(second, member(3), record, second.self().incarnation);
  EXPECT_EQ(second.state(), State::kMustJoin);
  EXPECT_TRUE(second.is_added());
  EXPECT_FALSE(second.take_persist());
}

TEST_F(FormationTest, AGroupThatNobodyShowsAnyMoreIsForgotten) {
  Formation second = blank(2);
  say(second, member(1), record_of({member(1), member(2, 1), member(3)}),
      second.self().incarnation);
  now += base::Millis(10000);
  second.tick(now);
  EXPECT_EQ(second.state(), State::kMustJoin);
  now += base::Millis(1);
  second.tick(now);
  EXPECT_EQ(second.state(), State::kWaiting);
  EXPECT_FALSE(second.record());
}

TEST_F(FormationTest, TwoGroupsAreAConflict) {
  Formation second = bound();
  const Incarnation asked_by = second.self().incarnation;
  say(second, member(1, 1), record_of({member(1, 1), member(2, 1), member(3)}, 78), asked_by);
  say(second, member(3), record_of({member(1), member(2), member(3)}), asked_by);
  EXPECT_EQ(second.state(), State::kConflict);
  EXPECT_FALSE(second.take_persist());
  EXPECT_EQ(second.take_complaints().size(), 2U);
  say(second, member(1, 1), record_of({member(1, 1), member(2, 1), member(3)}, 78), asked_by);
  EXPECT_EQ(second.state(), State::kConflict);
}

TEST_F(FormationTest, AWriterThatForgotItsOwnRecordDoesNotTakeItBack) {
  Formation first = blank(1);
  say(first, member(2), record_of({member(1), member(2), member(3)}), first.self().incarnation);
  EXPECT_FALSE(first.take_persist());
  EXPECT_EQ(first.state(), State::kConflict);
}

TEST_F(FormationTest, AFormedReplicaShowsItsRecordToWhoAsksAndKeepsIt) {
  const ClusterRecord record = record_of({member(1), member(2), member(3)});
  FormationOptions options;
  options.self = ReplicaId(2);
  options.members = {ReplicaId(1), ReplicaId(2), ReplicaId(3)};
  Formation second(options, FormationMemory{member(2).incarnation, member(1).incarnation, record},
                   base::Random(1));
  EXPECT_EQ(second.state(), State::kFormed);
  say(second, member(3, 1), std::nullopt);
  const auto messages = shown(second);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(std::get<Introduction>(messages[0].message).asked_by, member(3, 1).incarnation);
  EXPECT_EQ(messages[0].config, ConfigId(1));
  say(second, member(3), std::nullopt, Incarnation(5));
  say(second, member(1, 1), record_of({member(1, 1), member(2), member(3)}, 78));
  say(second, member(1, 1), record_of({member(1, 1), member(2), member(3)}, 78));
  EXPECT_TRUE(shown(second).empty());
  EXPECT_EQ(second.state(), State::kFormed);
  EXPECT_EQ(second.take_complaints().size(), 1U);
}

TEST(Formation, FormsOneGroupOrWaitsWhateverIsLost) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    ASSERT_EQ(Town(seed).run(), "") << "seed " << seed;
  }
}

#endif

}  // namespace
}  // namespace synod::consensus
