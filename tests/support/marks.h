// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace synod::tests {

/// What a figure is meant to reach. Benchmarks `NAME/ours` and `NAME/rival` make the figure: how
/// many times as fast ours is.
struct Mark {
  std::string name;
  double aim = 1.0;
};

/// One line for people and scripts: `mark: NAME aim >=A measured MEDIAN (LEAST-GREATEST)`.
/// REQUIRES: !figures.empty().
inline void print_mark(const std::string& name, const std::string& aim,
                       std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  std::printf("mark: %s aim %s measured %.2f (%.2f-%.2f)\n", name.c_str(), aim.c_str(),
              figures[figures.size() / 2], figures.front(), figures.back());
  std::fflush(stdout);
}

/// A figure without an aim, for what a mark consists of.
inline void print_figure(const std::string& name, std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  std::printf("%s: %.2f (%.2f-%.2f)\n", name.c_str(), figures[figures.size() / 2], figures.front(),
              figures.back());
}

/// Google Benchmark's console, and at the end a line for each mark. Benchmarks tell their time
/// themselves (UseManualTime): that of the thread, so that other processes count less. Repetition i
/// of ours is compared with repetition i of the rival; run them interleaved, so that they are
/// neighbours in time.
class MarkReporter final : public benchmark::ConsoleReporter {
 public:
  explicit MarkReporter(std::vector<Mark> marks)
      : ConsoleReporter(OO_Tabular), marks_(std::move(marks)) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      times_[run.run_name.function_name][run.repetition_index] = run.GetAdjustedRealTime();
    }
  }

  void Finalize() override {
    ConsoleReporter::Finalize();
    for (const Mark& mark : marks_) {
      std::vector<double> ratios;
      for (const auto& [repetition, ours] : times_[mark.name + "/ours"]) {
        const auto& rivals = times_[mark.name + "/rival"];
        const auto rival = rivals.find(repetition);
        if (rival != rivals.end() && ours > 0) ratios.push_back(rival->second / ours);
      }
      if (ratios.empty()) continue;  // Filtered out on the command line.
      char aim[32];
      std::snprintf(aim, sizeof aim, ">=%.1f", mark.aim);
      print_mark(mark.name, aim, std::move(ratios));
    }
  }

 private:
  const std::vector<Mark> marks_;
  std::map<std::string, std::map<std::int64_t, double>> times_;
};

/// Runs what is registered, seven interleaved repetitions unless the command line says otherwise.
inline int run_marks(int argc, char** argv, std::vector<Mark> marks) {
  static char repetitions[] = "--benchmark_repetitions=7";
  static char interleaved[] = "--benchmark_enable_random_interleaving=true";
  static char time[] = "--benchmark_min_time=0.2";
  std::vector<char*> arguments{argv[0], repetitions, interleaved, time};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  MarkReporter reporter(std::move(marks));
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}

}  // namespace synod::tests
