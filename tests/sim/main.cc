// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/logging.h"
#include "base/plant.h"
#include "base/text.h"
#include "tests/sim/life.h"
#include "tests/sim/plants.h"

// synod-sim: lives of simulated groups, one for each seed.
namespace synod::sim {
namespace {

constexpr const char* kUsage = R"(usage: synod-sim MODE [OPTIONS]

modes
  --seed N           one life; exit code 1 if it fails
  --seeds COUNT      lives from --first on
  --file PATH        the seeds of a file, one a line, perhaps with faults that were not known when
                     the seed failed; # begins a comment
  --ci               at least 2,000 lives and 100 million events
  --list-plants      the planted bugs, and how each is noticed

options
  --first N          the first seed (default 1)
  --jobs N           processes (default 2)
  --plant NAME       with this planted bug
  --with A,B         these faults in any case
  --without A,B      never these faults
  --events           what happens, one line each (with --seed)
  --trace            the same with every message (with --seed)
  --failures N       stop after so many (default 10)
)";

constexpr unsigned kSecondsMax = 120;  ///< Of one life; a longer one hangs.
constexpr std::uint64_t kCiSeeds = 2000;
constexpr std::uint64_t kCiEvents = 100'000'000;

struct ListedSeed {
  std::uint64_t seed = 0;
  std::string without;  ///< Faults that came later, and would make another life of it.
};

struct Arguments {
  std::optional<std::uint64_t> seed;
  std::vector<ListedSeed> listed;
  std::uint64_t first = 1;
  std::uint64_t seeds = 0;
  std::uint64_t jobs = 2;
  std::uint64_t failures = 10;
  bool is_ci = false;
  bool lists_plants = false;
  bool events = false;
  bool trace = false;
  std::string plant;
  std::string extra;  ///< What a reproduction must repeat.
  Wishes wishes;
};

/// What the workers share.
struct Board {
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> events{0};
  struct Worker {
    std::uint64_t seed = 0;
    std::uint64_t lives = 0;
    Tally tally;
  };
  Worker workers[64];
};

// For the handlers of signals, which may do little.
char g_reproduction[512];

void say(const char* text) {
  const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
  static_cast<void>(written);
}

extern "C" void on_fatal_signal(int signal) {
  say("FAILED ");
  say(g_reproduction);
  say(signal == SIGALRM ? "  # hangs\n" : "  # aborted, see the line above\n");
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::string reproduction(const Arguments& arguments, std::uint64_t seed) {
  return base::concat("./dev sim --seed ", seed, arguments.extra);
}

LifeResult run_life(const Arguments& arguments, std::uint64_t seed) {
  const std::string line = reproduction(arguments, seed);
  std::strncpy(g_reproduction, line.c_str(), sizeof g_reproduction - 1);
  alarm(kSecondsMax);
  Life life(seed, arguments.wishes, arguments.events || arguments.trace, arguments.trace);
  LifeResult result = life.live();
  alarm(0);
  return result;
}

void print_totals(const Tally& tally, std::uint64_t lives, double seconds) {
  const auto events = static_cast<double>(tally.events());
  std::printf("%llu lives, %.0f events, %.1f s, %.0f events/s, %.2f virtual hours\n",
              static_cast<unsigned long long>(lives), events, seconds, events / seconds,
              static_cast<double>(tally.virtual_nanos) / 3.6e12);
  for (std::size_t i = 0; i < static_cast<std::size_t>(Count::kEnd); ++i) {
    const auto count = static_cast<Count>(i);
    std::printf("  %-24s %12llu\n", std::string(count_name(count)).c_str(),
                static_cast<unsigned long long>(tally[count]));
  }
}

int run_one(const Arguments& arguments) {
  const base::SystemClock clock;
  const base::Nanos begun = clock.boot_time();
  const LifeResult result = run_life(arguments, *arguments.seed);
  const double took = std::chrono::duration<double>(clock.boot_time() - begun).count();
  print_totals(result.tally, 1, took);
  std::printf("trace %016llx\n", static_cast<unsigned long long>(result.trace_hash));
  if (result.failure.empty()) return 0;
  std::fprintf(stderr, "FAILED %s  # %s\n", g_reproduction, result.failure.c_str());
  return 1;
}

Arguments arguments_of(Arguments arguments, const ListedSeed& listed) {
  if (listed.without.empty()) return arguments;
  arguments.extra += " --without " + listed.without;
  // read_seeds() has refused what is no fault.
  static_cast<void>(add_faults(listed.without, arguments.wishes.without));
  return arguments;
}

bool is_enough(const Arguments& arguments, const Board& board, std::uint64_t index) {
  if (board.failures >= arguments.failures) return true;
  if (!arguments.is_ci) return index >= arguments.seeds;
  return index >= kCiSeeds && board.events >= kCiEvents;
}

[[noreturn]] void work(const Arguments& arguments, Board& board, std::size_t number) {
  Board::Worker& own = board.workers[number];
  while (true) {
    const std::uint64_t index = board.next++;
    if (is_enough(arguments, board, index)) break;
    own.seed = arguments.first + index;
    const bool is_listed = !arguments.listed.empty();
    if (is_listed) own.seed = arguments.listed[index].seed;
    const LifeResult result =
        is_listed ? run_life(arguments_of(arguments, arguments.listed[index]), own.seed)
                  : run_life(arguments, own.seed);
    own.tally.add_all(result.tally);
    ++own.lives;
    board.events += result.tally.events();
    if (result.failure.empty()) continue;
    ++board.failures;
    std::fprintf(stderr, "FAILED %s  # %s\n", g_reproduction, result.failure.c_str());
  }
  std::fflush(nullptr);
  _exit(0);
}

pid_t spawn(const Arguments& arguments, Board& board, std::size_t number) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) work(arguments, board, number);
  return child;
}

int run_many(const Arguments& arguments) {
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  Board& board = *new (memory) Board();
  const base::SystemClock clock;
  const base::Nanos begun = clock.boot_time();
  std::vector<pid_t> children;
  for (std::size_t i = 0; i < arguments.jobs; ++i) children.push_back(spawn(arguments, board, i));
  std::uint64_t aborted = 0;
  for (std::size_t alive = children.size(); alive > 0;) {
    int status = 0;
    const pid_t child = wait(&status);
    if (child <= 0) break;
    --alive;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    const auto place = std::find(children.begin(), children.end(), child);
    const auto number = static_cast<std::size_t>(place - children.begin());
    if (WIFEXITED(status)) {
      std::fprintf(stderr, "FAILED %s  # the process ended with %d\n",
                   reproduction(arguments, board.workers[number].seed).c_str(),
                   WEXITSTATUS(status));
    }
    ++aborted;
    ++board.failures;
    *place = spawn(arguments, board, number);
    ++alive;
  }
  const double took = std::chrono::duration<double>(clock.boot_time() - begun).count();
  Tally total;
  std::uint64_t lives = aborted;
  for (const Board::Worker& each : board.workers) {
    total.add_all(each.tally);
    lives += each.lives;
  }
  print_totals(total, lives, took);
  if (arguments.listed.empty()) {
    std::printf("seeds %llu to %llu, ", static_cast<unsigned long long>(arguments.first),
                static_cast<unsigned long long>(arguments.first + lives - 1));
  }
  std::printf("%llu failed\n", static_cast<unsigned long long>(board.failures.load()));
  return board.failures == 0 ? 0 : 1;
}

bool read_seeds(const std::string& path, std::vector<ListedSeed>& out) {
  std::ifstream in(path);
  if (!in) return false;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    ListedSeed each;
    if (!(words >> each.seed)) return false;
    words >> each.without;
    std::set<Fault> known;
    if (!add_faults(each.without, known)) return false;
    out.push_back(std::move(each));
  }
  return true;
}

bool parse_value(const std::string& name, const std::string& value, Arguments& out) {
  const std::uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
  if (name == "--seed") {
    out.seed = number;
  } else if (name == "--seeds") {
    out.seeds = number;
  } else if (name == "--first") {
    out.first = number;
  } else if (name == "--jobs") {
    out.jobs = std::clamp<std::uint64_t>(number, 1, 64);
  } else if (name == "--failures") {
    out.failures = number;
  } else if (name == "--file") {
    if (!read_seeds(value, out.listed)) return false;
    out.seeds = out.listed.size();
  } else if (name == "--plant") {
    if (!is_plant(value)) return false;
    out.plant = value;
    out.extra += " --plant " + value;
  } else if (name == "--with" || name == "--without") {
    out.extra += " " + name + " " + value;
    return add_faults(value, name == "--with" ? out.wishes.with : out.wishes.without);
  } else {
    return false;
  }
  return true;
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--ci") {
      out.is_ci = true;
    } else if (name == "--list-plants") {
      out.lists_plants = true;
    } else if (name == "--events") {
      out.events = true;
    } else if (name == "--trace") {
      out.trace = true;
    } else if (i + 1 >= argc || !parse_value(name, argv[++i], out)) {
      return false;
    }
  }
  return out.seed || out.seeds > 0 || out.is_ci || out.lists_plants || !out.listed.empty();
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  std::signal(SIGABRT, on_fatal_signal);
  std::signal(SIGSEGV, on_fatal_signal);
  std::signal(SIGALRM, on_fatal_signal);
  if (arguments.events || arguments.trace) std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
  // What a simulated disk does to a log is no news.
  base::configure_logging({base::LogLevel::kError, false, ""});
  base::set_plant(arguments.plant);
  if (arguments.lists_plants) {
    std::fputs(describe_plants().c_str(), stdout);
    return 0;
  }
  if (arguments.seed) return run_one(arguments);
  return run_many(arguments);
}

}  // namespace
}  // namespace synod::sim

int main(int argc, char** argv) { return synod::sim::run(argc, argv); }
