// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/scenario_consensus/scripted_group.h"

// A script is a list of blocks: commands, a line "----", what they must tell, an empty line. Lines
// that begin with '#' say what is claimed. The commands are at the head of scripted_group.h.
// With SYNOD_SCENARIO_OUT set, what was told is written there under the script's name.
namespace synod::consensus {
namespace {

std::vector<std::string> scripts() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(SYNOD_SCENARIOS)) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The script with every expectation replaced by what really happens.
std::string replay(const std::string& script) {
  ScriptedGroup group;
  std::istringstream in(script);
  std::string out;
  std::string told;
  bool skips = false;
  for (std::string line; std::getline(in, line);) {
    if (skips && !line.empty()) continue;
    skips = line == "----";
    out += line + "\n";
    if (skips) {
      out += std::exchange(told, "");
    } else if (!line.empty() && line.front() != '#') {
      told += group.run(line);
    }
  }
  EXPECT_EQ(told, "") << "the last block has no ---- line";
  return out;
}

class Scenario : public testing::TestWithParam<std::string> {};

TEST_P(Scenario, TellsWhatTheScriptSays) {
  const std::filesystem::path file = std::filesystem::path(SYNOD_SCENARIOS) / (GetParam() + ".txt");
  std::ifstream in(file);
  std::stringstream script;
  script << in.rdbuf();
  ASSERT_FALSE(script.str().empty()) << file;
  const std::string told = replay(script.str());
  if (const char* out = std::getenv("SYNOD_SCENARIO_OUT")) {
    std::ofstream(std::filesystem::path(out) / (GetParam() + ".txt")) << told;
  }
  EXPECT_EQ(told, script.str());
}

INSTANTIATE_TEST_SUITE_P(All, Scenario, testing::ValuesIn(scripts()),
                         [](const auto& script) { return script.param; });

}  // namespace
}  // namespace synod::consensus
