// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "base/logging.h"
#include "base/plant.h"
#include "tests/sim/life.h"
#include "tests/sim/plants.h"

// Measures the simulator: each bug that it is said to notice is switched on and has to be noticed,
// by an oracle or by an assert, within the stated seeds. The bug lives and dies in a child process.
namespace synod::sim {
namespace {

Wishes wishes_of(const NoticedPlant& plant) {
  Wishes wishes;
  EXPECT_TRUE(add_faults(plant.with, wishes.with)) << plant.with;
  EXPECT_TRUE(add_faults(plant.without, wishes.without)) << plant.without;
  return wishes;
}

LifeResult live(std::uint64_t seed, const Wishes& wishes) {
  // What a simulated disk does to a log is no news.
  base::configure_logging({base::LogLevel::kError, false, ""});
  return Life(seed, wishes).live();
}

[[noreturn]] void live_with(const NoticedPlant& plant) {
  const Wishes wishes = wishes_of(plant);
  base::set_plant(plant.name);
  for (std::uint64_t seed = 1; seed <= plant.seeds; ++seed) {
    // Asserts end the process without another word.
    std::cerr << "\rseed " << seed << " " << std::flush;
    const std::string failure = live(seed, wishes).failure;
    if (failure.empty()) continue;
    std::cerr << failure << std::endl;
    std::_Exit(1);
  }
  std::cerr << "nothing noticed" << std::endl;
  std::_Exit(0);
}

bool is_noticed(int status) { return status != 0; }

class SimPlant : public testing::TestWithParam<NoticedPlant> {};

TEST_P(SimPlant, IsNoticedWithinItsSeeds) {
  testing::FLAGS_gtest_death_test_style = "fast";
  EXPECT_EXIT(live_with(GetParam()), is_noticed, "");
}

INSTANTIATE_TEST_SUITE_P(All, SimPlant, testing::ValuesIn(noticed_plants()),
                         [](const testing::TestParamInfo<NoticedPlant>& plant) {
                           return std::string(plant.param.name);
                         });

// With nothing planted the same wishes find nothing: the switch is what is noticed.
TEST(SimPlants, NothingIsNoticedWithoutOne) {
  base::set_plant("");
  std::set<std::string_view> seen;
  for (const NoticedPlant& plant : noticed_plants()) {
    if (!seen.insert(plant.with).second) continue;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      EXPECT_EQ(live(seed, wishes_of(plant)).failure, "")
          << "./dev sim --seed " << seed << " --with " << plant.with;
    }
  }
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::set<std::string> plants_in_the_sources() {
  const std::filesystem::path root = SYNOD_SOURCE_DIR;
  const std::regex plant("SYNOD_PLANT\\(\"([a-z_]+)\"\\)");
  std::set<std::string> names;
  for (const char* folder : {"consensus", "storage"}) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (!file.is_regular_file()) continue;
      const std::string text = contents(file.path());
      for (std::sregex_iterator at(text.begin(), text.end(), plant), end; at != end; ++at) {
        names.insert((*at)[1]);
      }
    }
  }
  return names;
}

TEST(SimPlants, EveryPlantOfTheSourcesIsInExactlyOneTable) {
  std::multiset<std::string> listed;
  for (const NoticedPlant& plant : noticed_plants()) listed.emplace(plant.name);
  for (const OtherPlant& plant : other_plants()) listed.emplace(plant.name);
  const std::set<std::string> planted = plants_in_the_sources();
  EXPECT_GT(planted.size(), 40U);
  EXPECT_EQ(listed, std::multiset<std::string>(planted.begin(), planted.end()));
}

TEST(SimPlants, WhatIsNoticedElsewhereIsNamedThere) {
  for (const OtherPlant& plant : other_plants()) {
    const std::string text = contents(std::filesystem::path(SYNOD_SOURCE_DIR) / plant.test);
    const std::string name = "\"" + std::string(plant.name) + "\"";
    EXPECT_NE(text.find(name), std::string::npos) << name << " in " << plant.test;
  }
}

}  // namespace
}  // namespace synod::sim
