// SPDX-License-Identifier: Apache-2.0
#include "consensus/protocol/snapshot_pull.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "base/crc32c.h"
#include "base/plant.h"
#include "base/random.h"

namespace synod::consensus {
namespace {

using State = SnapshotPull::State;
using Contents = std::vector<std::string>;

const ReplicaId kSource{2};
const ReplicaId kOther{3};

SnapshotManifest manifest_of(SnapshotId id, Slot slot, const Contents& contents) {
  SnapshotManifest manifest;
  manifest.id = id;
  manifest.slot = slot;
  for (const std::string& text : contents) {
    const std::string name = "file" + std::to_string(manifest.files.size());
    manifest.files.push_back(SnapshotFile{name, text.size(), base::crc32c(text)});
  }
  return manifest;
}

SnapshotPullOptions small_options() {
  SnapshotPullOptions options;
  options.chunk_bytes = 10;
  options.window = 3;
  return options;
}

/// The files of a receiver; they outlive its process. Says what a pull did that it must not do.
class Staging {
 public:
  [[nodiscard]] std::string perform(SnapshotPull& pull, Instant now) {
    for (const SnapshotTask& task : pull.take_tasks()) {
      std::string fault = std::visit([&](const auto& each) { return on(pull, each, now); }, task);
      if (!fault.empty()) return fault;
    }
    return {};
  }
  /// A crash may take the end of what was written last.
  void lose_ends(base::Random& random) {
    for (auto& [id, files] : areas_) {
      for (std::string& file : files) {
        if (random.chance(0.5)) file.resize(random.below(file.size() + 1));
      }
    }
    is_open_ = false;
    finished_ = 0;
  }
  [[nodiscard]] const Contents& files(SnapshotId id) { return areas_[id]; }
  [[nodiscard]] int finished() const { return finished_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  std::string on(SnapshotPull& pull, const BeginStaging& task, Instant now) {
    manifest_ = task.manifest;
    is_open_ = true;
    finished_ = 0;
    Contents& files = areas_[manifest_.id];
    files.resize(manifest_.files.size());
    std::vector<StagedFile> staged;
    for (const std::string& file : files) {
      staged.push_back(StagedFile{file.size(), base::crc32c(file)});
    }
    pull.begun(manifest_.id, staged, now);
    return perform(pull, now);
  }
  std::string on(SnapshotPull&, const StageBytes& task, Instant) {
    if (!is_open_ || task.snapshot != manifest_.id) return "S2: bytes of no staging area";
    std::string& file = areas_[manifest_.id].at(task.file);
    if (task.offset != file.size()) return "S1: a write that does not continue the file";
    file += task.bytes;
    written_ += task.bytes.size();
    if (file.size() > manifest_.files[task.file].bytes) return "S1: a write past the end";
    return {};
  }
  std::string on(SnapshotPull&, const RestartFile& task, Instant) {
    areas_[task.snapshot].at(task.file).clear();
    return {};
  }
  std::string on(SnapshotPull&, const FinishStaging& task, Instant) {
    if (task.manifest.id != manifest_.id) return "S3: another snapshot is finished";
    if (++finished_ > 1) return "S3: finished twice";
    for (std::size_t i = 0; i < manifest_.files.size(); ++i) {
      const std::string& file = areas_[manifest_.id][i];
      if (file.size() != manifest_.files[i].bytes) return "S3: a file without its size";
      if (base::crc32c(file) != manifest_.files[i].crc) return "S3: a file without its checksum";
    }
    return {};
  }
  std::string on(SnapshotPull&, const KeepSnapshot&, Instant) { return "a receiver keeps nothing"; }
  std::string on(SnapshotPull&, const ReadSnapshot&, Instant) { return "a receiver reads nothing"; }
  std::string on(SnapshotPull&, const ReleaseSnapshot&, Instant) {
    return "a receiver releases nothing";
  }

  std::map<SnapshotId, Contents> areas_;
  SnapshotManifest manifest_;
  bool is_open_ = false;
  int finished_ = 0;
  std::uint64_t written_ = 0;
};

SnapshotData answer_to(const SnapshotFetch& fetch, const Contents& contents) {
  return SnapshotData{fetch.id,   fetch.snapshot,
                      fetch.file, fetch.offset,
                      false,      contents.at(fetch.file).substr(fetch.offset, fetch.bytes)};
}

/// One receiver, two sources that hold the same snapshot, and a network that does as it likes.
class Transfer {
 public:
  explicit Transfer(std::uint64_t seed) : random_(seed) {
    const std::size_t files = random_.below(5);
    for (std::size_t i = 0; i < files; ++i) {
      std::string text(random_.below(120), ' ');
      for (char& c : text) c = static_cast<char>(random_.below(256));
      contents_.push_back(std::move(text));
    }
    manifest_ = manifest_of(SnapshotId(7), Slot(100), contents_);
  }

  /// Empty, or what went wrong.
  std::string run() {
    constexpr int kFaulty = 300;
    for (int step = 0; step < kFaulty + 400; ++step) {
      is_faulty_ = step < kFaulty;
      now_ += base::Millis(random_.between(1, 1500));
      std::string fault = advance();
      if (!fault.empty()) return fault;
      if (pull_.state() == State::kFinishing && staging_.finished() == 1) return check_end();
    }
    return "S5: with a sound network the snapshot never arrives";
  }

 private:
  std::string advance() {
    if (is_faulty_ && random_.chance(0.02)) {
      pull_ = SnapshotPull(small_options(), RequestId(random_.next()));
      staging_.lose_ends(random_);
    }
    if (is_faulty_ && random_.chance(0.01)) pull_.abandon();
    if (random_.chance(0.2)) {
      pull_.offer(random_.chance(0.5) ? kSource : kOther, manifest_, now_);
    }
    pull_.tick(now_);
    answer();
    deliver();
    return staging_.perform(pull_, now_);
  }
  void answer() {
    std::size_t asked = 0;
    for (const SnapshotPull::Outgoing& out : pull_.take_messages()) {
      const auto* fetch = std::get_if<SnapshotFetch>(&out.message);
      if (fetch == nullptr || (is_faulty_ && random_.chance(0.2))) continue;
      ++asked;
      SnapshotData data = answer_to(*fetch, contents_);
      if (is_faulty_ && random_.chance(0.02) && !data.bytes.empty()) data.bytes[0] ^= 1;
      if (is_faulty_ && random_.chance(0.02)) data.bytes += "x";
      if (is_faulty_ && random_.chance(0.02)) data.offset += 10;
      if (is_faulty_ && random_.chance(0.005)) data.is_gone = true;
      wire_.emplace_back(out.to, data);
      if (is_faulty_ && random_.chance(0.2)) wire_.emplace_back(out.to, std::move(data));
    }
  }
  void deliver() {
    for (std::size_t i = random_.below(6); i > 0 && !wire_.empty(); --i) {
      const std::size_t at = random_.below(is_faulty_ ? wire_.size() : 1);
      auto [from, data] = std::move(wire_[at]);
      wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(at));
      if (is_faulty_ && random_.chance(0.05)) from = ReplicaId(9);
      pull_.data(from, std::move(data), now_);
    }
  }
  std::string check_end() {
    if (staging_.files(SnapshotId(7)) != contents_) return "the image is not the one of the source";
    pull_.installed(SnapshotId(7));
    return pull_.state() == State::kIdle ? "" : "installed, and still not idle";
  }

  base::Random random_;
  Contents contents_;
  SnapshotManifest manifest_;
  Staging staging_;
  Instant now_{};
  bool is_faulty_ = true;
  SnapshotPull pull_{small_options(), RequestId(random_.next())};
  std::vector<std::pair<ReplicaId, SnapshotData>> wire_;
};

#ifdef SYNOD_PLANTS

class PlantedSnapshotBug : public testing::TestWithParam<const char*> {};

[[noreturn]] void pull_with(const char* plant) {
  base::set_plant(plant);
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const std::string fault = Transfer(seed).run();
    if (fault.empty()) continue;
    std::cerr << "seed " << seed << " " << fault << std::endl;
    std::_Exit(1);
  }
  std::_Exit(0);
}

TEST_P(PlantedSnapshotBug, IsNoticedWithinTwoHundredSeeds) {
  testing::FLAGS_gtest_death_test_style = "fast";
  EXPECT_EXIT(
      pull_with(GetParam()), [](int status) { return status != 0; }, "");
}

INSTANTIATE_TEST_SUITE_P(All, PlantedSnapshotBug,
                         testing::Values("snapshot_unchecked", "snapshot_resume_wrong_offset"));

#else

class SnapshotPullTest : public testing::Test {
 protected:
  void offer(ReplicaId from = kSource) {
    pull.offer(from, manifest_of(SnapshotId(7), Slot(100), contents), now);
    perform();
  }
  void perform() { EXPECT_EQ(staging.perform(pull, now), ""); }
  /// Everything that was asked for, and who was asked.
  std::vector<SnapshotFetch> fetches() {
    std::vector<SnapshotFetch> all;
    for (const SnapshotPull::Outgoing& out : pull.take_messages()) {
      if (const auto* fetch = std::get_if<SnapshotFetch>(&out.message)) {
        EXPECT_EQ(out.to, pull.source());
        all.push_back(*fetch);
      } else {
        done.emplace_back(out.to, std::get<SnapshotDone>(out.message));
      }
    }
    return all;
  }
  void answer(const SnapshotFetch& fetch) {
    pull.data(pull.source(), answer_to(fetch, contents), now);
    perform();
  }
  /// Answers until nothing is asked any more.
  void answer_all() {
    for (auto asked = fetches(); !asked.empty(); asked = fetches()) {
      for (const SnapshotFetch& fetch : asked) answer(fetch);
    }
  }
  void pass(std::int64_t milliseconds) {
    now += base::Millis(milliseconds);
    pull.tick(now);
    perform();
  }

  Contents contents{std::string(55, 'a'), "", std::string(20, 'b')};
  Instant now{};
  SnapshotPull pull{small_options(), RequestId(1000)};
  Staging staging;
  std::vector<std::pair<ReplicaId, SnapshotDone>> done;
};

TEST_F(SnapshotPullTest, PullsEveryFileAndTellsTheSourceWhenItIsInstalled) {
  offer();
  answer_all();
  EXPECT_EQ(pull.state(), State::kFinishing);
  EXPECT_EQ(staging.finished(), 1);
  EXPECT_EQ(staging.files(SnapshotId(7)), contents);
  EXPECT_TRUE(done.empty());
  pull.installed(SnapshotId(7));
  EXPECT_TRUE(fetches().empty());
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0].second.is_installed);
  EXPECT_EQ(pull.state(), State::kIdle);
  offer();
  EXPECT_EQ(pull.state(), State::kIdle) << "it is installed already";
}

TEST_F(SnapshotPullTest, ASnapshotWithoutFilesIsFinishedAtOnce) {
  for (const Contents& few : {Contents{}, Contents{""}, Contents{"", ""}}) {
    contents = few;
    pull = SnapshotPull(small_options(), RequestId(1));
    staging = Staging();
    offer();
    EXPECT_EQ(pull.state(), State::kFinishing);
    EXPECT_EQ(staging.finished(), 1);
    EXPECT_TRUE(fetches().empty());
  }
}

TEST_F(SnapshotPullTest, AsksForNoMoreThanTheWindow) {
  offer();
  const auto asked = fetches();
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[2].offset, 20U);
  answer(asked[1]);
  EXPECT_TRUE(fetches().empty()) << "what waits for its turn takes room";
  EXPECT_EQ(staging.written(), 0U);
  answer(asked[0]);
  EXPECT_EQ(staging.written(), 20U);
  EXPECT_EQ(fetches().size(), 2U);
}

TEST_F(SnapshotPullTest, StagesNothingThatWasNotAskedFor) {
  offer();
  const SnapshotFetch asked = fetches().at(0);
  const SnapshotData right = answer_to(asked, contents);
  std::vector<SnapshotData> wrong(7, right);
  wrong[0].id = RequestId(1);
  wrong[1].offset = 10;
  wrong[2].bytes += 'a';
  wrong[3].bytes.pop_back();
  wrong[4].file = 2;
  wrong[5].snapshot = SnapshotId(8);
  wrong[6].bytes.clear();
  for (const SnapshotData& each : wrong) pull.data(kSource, each, now);
  pull.data(kOther, right, now);
  perform();
  EXPECT_EQ(staging.written(), 0U);
  EXPECT_EQ(pull.take_complaints().size(), 5U) << "an unknown id or snapshot may just be late";
  pull.data(kSource, right, now);
  pull.data(kSource, right, now);
  perform();
  EXPECT_EQ(staging.written(), 10U);
}

TEST_F(SnapshotPullTest, AsksAgainForWhatDoesNotCome) {
  offer();
  const auto asked = fetches();
  answer(asked[1]);
  pass(999);
  EXPECT_TRUE(fetches().empty());
  pass(1);
  const auto again = fetches();
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0].id, asked[0].id);
  EXPECT_EQ(again[1].offset, 20U);
}

TEST_F(SnapshotPullTest, ResumesWhereTheLastProcessStopped) {
  offer();
  const auto asked = fetches();
  answer(asked[0]);
  answer(asked[1]);
  pull = SnapshotPull(small_options(), RequestId(9000));
  offer();
  EXPECT_EQ(fetches().at(0).offset, 20U);
  pass(1000);
  answer_all();
  EXPECT_EQ(staging.files(SnapshotId(7)), contents);
  EXPECT_EQ(staging.written(), 75U) << "nothing was pulled twice";
}

TEST_F(SnapshotPullTest, AStagedFileThatIsTooLongBeginsAnew) {
  pull.offer(kSource, manifest_of(SnapshotId(7), Slot(100), contents), now);
  ASSERT_EQ(pull.take_tasks().size(), 1U);
  pull.begun(SnapshotId(7), {StagedFile{56, 1}}, now);
  const auto tasks = pull.take_tasks();
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(std::get<RestartFile>(tasks[0]).file, 0U);
  EXPECT_EQ(fetches().at(0).offset, 0U);
}

TEST_F(SnapshotPullTest, AFileThatNeverMatchesEndsThePullAtTheThirdTime) {
  offer();
  std::size_t pulls = 0;
  for (auto asked = fetches(); !asked.empty(); asked = fetches()) {
    for (const SnapshotFetch& fetch : asked) {
      if (fetch.offset == 0) ++pulls;
      SnapshotData data = answer_to(fetch, contents);
      data.bytes[0] = 'z';
      pull.data(kSource, data, now);
      perform();
    }
  }
  EXPECT_EQ(pulls, 3U);
  EXPECT_EQ(pull.state(), State::kGivenUp);
  EXPECT_EQ(staging.finished(), 0);
  EXPECT_EQ(pull.take_complaints().size(), 3U);
  EXPECT_FALSE(done.at(0).second.is_installed);
  EXPECT_EQ(staging.files(SnapshotId(7)).at(0), "") << "the next pull does not resume damage";
}

TEST_F(SnapshotPullTest, EndsWithoutProgressAndResumesWithALaterOffer) {
  offer();
  answer(fetches().at(0));
  for (int i = 0; i < 59; ++i) pass(1000);
  EXPECT_EQ(pull.state(), State::kPulling);
  pass(1000);
  EXPECT_EQ(pull.state(), State::kGivenUp);
  EXPECT_FALSE(pull.take_complaints().empty());
  static_cast<void>(fetches());
  EXPECT_FALSE(done.at(0).second.is_installed);
  pass(100000);
  EXPECT_TRUE(fetches().empty());
  offer();
  EXPECT_EQ(fetches().at(0).offset, 10U);
}

TEST_F(SnapshotPullTest, NoOfferInterruptsProgress) {
  offer();
  static_cast<void>(fetches());
  pull.offer(kOther, manifest_of(SnapshotId(8), Slot(900), contents), now + base::Millis(4999));
  EXPECT_EQ(pull.manifest().id, SnapshotId(7));
  pull.offer(kOther, manifest_of(SnapshotId(8), Slot(900), contents), now + base::Millis(5000));
  EXPECT_EQ(pull.manifest().id, SnapshotId(8));
  EXPECT_EQ(pull.source(), kOther);
  static_cast<void>(fetches());
  EXPECT_EQ(done.at(0).first, kSource);
}

TEST_F(SnapshotPullTest, AnotherSourceOfTheSameSnapshotGoesOnWithAStuckPull) {
  offer();
  const auto asked = fetches();
  answer(asked[0]);
  answer(asked[2]);
  static_cast<void>(fetches());
  offer(kOther);
  EXPECT_EQ(pull.source(), kSource) << "it is not stuck";
  pass(5000);
  static_cast<void>(fetches());
  SnapshotManifest forged = manifest_of(SnapshotId(7), Slot(100), contents);
  forged.files[0].crc ^= 1;
  pull.offer(kOther, forged, now);
  EXPECT_EQ(pull.source(), kSource) << "not the same files";
  offer(kOther);
  EXPECT_EQ(pull.source(), kOther);
  const auto again = fetches();
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0].offset, 10U);
  EXPECT_NE(again[0].id, asked[1].id);
  pull.data(kSource, answer_to(asked[1], contents), now);
  perform();
  EXPECT_EQ(staging.written(), 10U) << "the old source is not listened to";
  for (const SnapshotFetch& fetch : again) answer(fetch);
  answer_all();
  EXPECT_EQ(staging.files(SnapshotId(7)), contents);
}

TEST_F(SnapshotPullTest, EndsWhenTheSourceHasItNoLonger) {
  offer();
  SnapshotData gone = answer_to(fetches().at(1), contents);
  gone.is_gone = true;
  gone.bytes.clear();
  pull.data(kOther, gone, now);
  EXPECT_EQ(pull.state(), State::kPulling);
  pull.data(kSource, gone, now);
  EXPECT_EQ(pull.state(), State::kGivenUp);
}

TEST_F(SnapshotPullTest, AbandonedOrFailedIsNotFinished) {
  contents = {"abc"};
  pull.offer(kSource, manifest_of(SnapshotId(7), Slot(100), contents), now);
  static_cast<void>(pull.take_tasks());
  pull.begun(SnapshotId(7), {StagedFile{3, base::crc32c("abc")}}, now);
  EXPECT_EQ(pull.state(), State::kFinishing);
  pull.abandon();
  EXPECT_TRUE(pull.take_tasks().empty());
  EXPECT_EQ(pull.state(), State::kIdle);
  pull.installed(SnapshotId(7));
  EXPECT_TRUE(fetches().empty());
  ASSERT_EQ(done.size(), 1U);
  EXPECT_FALSE(done[0].second.is_installed);
  offer();
  pull.failed(SnapshotId(8));
  EXPECT_EQ(pull.state(), State::kPulling);
  pull.failed(SnapshotId(7));
  EXPECT_EQ(pull.state(), State::kGivenUp);
}

TEST_F(SnapshotPullTest, RefusesManifestsNobodyShouldPull) {
  const SnapshotManifest sound = manifest_of(SnapshotId(7), Slot(100), contents);
  std::vector<SnapshotManifest> bad(9, sound);
  bad[0].files[0].name = "";
  bad[1].files[0].name = "..";
  bad[2].files[0].name = "a/b";
  bad[3].files[0].name = std::string("a\0b", 3);
  bad[4].files[0].name = std::string(256, 'a');
  bad[5].files[0].name = bad[5].files[1].name;
  bad[6].files[0].bytes = std::numeric_limits<std::uint64_t>::max();
  bad[6].files[1].bytes = 2;
  bad[7].files.resize(100'001);
  bad[8].id = SnapshotId();
  for (const SnapshotManifest& each : bad) {
    pull.offer(kSource, each, now);
    EXPECT_EQ(pull.state(), State::kIdle);
    EXPECT_EQ(pull.take_complaints().size(), 1U);
  }
  EXPECT_TRUE(pull.take_tasks().empty());
  pull.offer(kSource, sound, now);
  EXPECT_EQ(pull.state(), State::kStaging);
}

TEST(SnapshotPull, ArrivesWholeOverANetworkThatDoesAsItLikes) {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    ASSERT_EQ(Transfer(seed).run(), "") << "seed " << seed;
  }
}

#endif

}  // namespace
}  // namespace synod::consensus
