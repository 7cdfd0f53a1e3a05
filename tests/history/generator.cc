// SPDX-License-Identifier: Apache-2.0
#include "tests/history/generator.h"

#include <deque>
#include <functional>
#include <map>

#include "base/random.h"
#include "base/text.h"

namespace synod::history {
namespace {

/// An operation under way: `stage` counts what has happened to it.
struct Slot {
  std::int64_t process = 0;
  int stage = 0;  // 0: idle, 1: invoked, 2: has its read version, 3: has its outcome
  bool unknown = false;
  bool fails = false;
  Event event;
  MemoryStore::Commit commit;
};

/// Advances operations one stage at a time, chosen at random. A derived class knows what they are.
class Generator {
 public:
  explicit Generator(const GeneratorOptions& options)
      : options_(options), random_(options.seed), store_(options.seed + 1) {}
  virtual ~Generator() = default;

  std::vector<Event> run() {
    std::vector<Slot> slots(options_.processes);
    for (Slot& slot : slots) slot.process = next_process_++;
    std::size_t busy = 0;
    while (started_ < options_.operations || busy > 0) {
      Slot& slot = slots[random_.below(slots.size())];
      if (slot.stage == 0) {
        if (started_ == options_.operations) continue;
        ++started_;
        ++busy;
        invoke(slot);
      } else if (slot.stage < 3) {
        advance(slot);
      } else {
        complete(slot);
        --busy;
      }
      if (!late_.empty() && random_.chance(0.05)) happen_late();
    }
    return std::move(events_);
  }

 protected:
  virtual std::vector<MicroOp> choose() = 0;
  virtual const char* workload() const = 0;
  /// Performs the steps at the read version, or at once; fills in what was seen.
  virtual void begin(Slot& slot) = 0;
  /// Takes effect.
  virtual bool apply(Slot& slot) = 0;

  std::string unique() { return std::to_string(next_value_++); }
  base::Bytes key(std::uint64_t number) { return base::concat("k", number); }
  base::Bytes random_key() { return key(random_.below(options_.keys)); }

  const GeneratorOptions& options_;
  base::Random random_;
  MemoryStore store_;
  bool tell_unknown_ = false;

 private:
  void record(Event event) {
    event.index = static_cast<std::int64_t>(events_.size());
    event.time = event.index * 1'000;
    events_.push_back(std::move(event));
  }

  void invoke(Slot& slot) {
    const std::int64_t process = slot.process;
    slot = Slot();
    slot.process = process;
    slot.event.process = slot.process;
    slot.event.workload = workload();
    slot.event.ops = choose();
    slot.unknown = random_.chance(options_.unknown);
    slot.fails = !slot.unknown && random_.chance(options_.fail);
    record(slot.event);
    slot.stage = 1;
  }

  void advance(Slot& slot) {
    if (slot.stage == 1) begin(slot);
    if (slot.stage == 2 && !slot.fails) {
      if (slot.unknown && random_.chance(0.5)) {
        late_.push_back(slot);  // after the answer, or never
      } else {
        slot.fails = !apply(slot);
      }
    }
    ++slot.stage;
  }

  void complete(Slot& slot) {
    slot.event.type = slot.unknown ? EventType::kInfo
                      : slot.fails ? EventType::kFail
                                   : EventType::kOk;
    if (slot.event.type != EventType::kOk && !tell_unknown_) slot.event.commit_version.reset();
    record(slot.event);
    slot.stage = 0;
    if (slot.unknown) slot.process = next_process_++;
  }

  void happen_late() {
    const auto at = static_cast<std::ptrdiff_t>(random_.below(late_.size()));
    if (random_.chance(0.7)) apply(late_[static_cast<std::size_t>(at)]);
    late_.erase(late_.begin() + at);
  }

  std::vector<Event> events_;
  std::deque<Slot> late_;
  std::uint64_t started_ = 0;
  std::uint64_t next_value_ = 1;
  std::int64_t next_process_ = 0;
};

class RegisterGenerator final : public Generator {
 public:
  using Generator::Generator;

 private:
  const char* workload() const override { return "register"; }

  std::vector<MicroOp> choose() override {
    MicroOp step;
    step.key = random_key();
    const std::uint64_t dice = random_.below(100);
    if (dice < 45) return {step};
    step.kind = dice < 75 ? OpKind::kWrite : dice < 80 ? OpKind::kDelete : OpKind::kCas;
    if (step.kind != OpKind::kDelete) step.value = unique();
    // Half of the time it expects what is there now.
    if (step.kind == OpKind::kCas) step.expected = store_.get(step.key, store_.version());
    if (step.kind == OpKind::kCas && random_.chance(0.5)) step.expected = last_;
    last_ = step.value;
    return {step};
  }

  void begin(Slot&) override {}

  bool apply(Slot& slot) override {
    MicroOp& step = slot.event.ops[0];
    const auto held = store_.get(step.key, store_.version());
    step.seen = step.kind == OpKind::kRead || step.kind == OpKind::kCas;
    if (step.kind == OpKind::kRead) step.value = held;
    step.swapped = step.kind == OpKind::kCas && held == step.expected;
    if (slot.unknown) step.seen = false;
    if (step.kind == OpKind::kRead || (step.kind == OpKind::kCas && !step.swapped)) return true;
    const OpKind kind = step.kind == OpKind::kDelete ? OpKind::kDelete : OpKind::kWrite;
    store_.commit({std::nullopt, {}, {}, {{kind, step.key, step.value.value_or("")}}});
    if (slot.unknown) step.swapped = false;
    return true;
  }

  std::optional<base::Bytes> last_;
};

/// What list and row transactions share: reads at a version, then a commit.
class TransactionGenerator : public Generator {
 public:
  using Generator::Generator;

 protected:
  void begin(Slot& slot) override {
    const std::int64_t version = store_.version();
    slot.event.read_version = version;
    slot.commit.read_version = version;
    // Own writes on top: a small map suffices, keys without an entry are those of the store.
    std::map<base::Bytes, std::optional<base::Bytes>> own;
    for (MicroOp& step : slot.event.ops) {
      if (step.kind == OpKind::kRange) {
        see_range(slot, step, own);
        continue;
      }
      const auto mine = own.find(step.key);
      auto held = mine != own.end() ? mine->second : store_.get(step.key, version);
      if (step.kind == OpKind::kRead) {
        step.seen = true;
        step.value = held;
        // Its own append, too, lies on top of what it found.
        slot.commit.keys_read.push_back(step.key);
        continue;
      }
      slot.commit.writes.push_back({step.kind, step.key, step.value.value_or("")});
      own[step.key] = step.kind == OpKind::kDelete   ? std::nullopt
                      : step.kind == OpKind::kAppend ? list_with(held, *step.value)
                                                     : step.value;
      // blindly.
    }
  }

  bool apply(Slot& slot) override {
    if (slot.commit.writes.empty()) return true;
    const auto version = store_.commit(slot.commit);
    slot.event.commit_version = version;
    return version.has_value();
  }

 private:
  void see_range(Slot& slot, MicroOp& step,
                 const std::map<base::Bytes, std::optional<base::Bytes>>& own) {
    std::map<base::Bytes, base::Bytes> merged;
    for (Row& row : store_.range(step.key, step.end, 0, *slot.event.read_version)) {
      merged.emplace(std::move(row.key), std::move(row.value));
    }
    for (const auto& [name, value] : own) {
      if (name < step.key || (!step.end.empty() && name >= step.end)) continue;
      if (value.has_value()) {
        merged[name] = *value;
      } else {
        merged.erase(name);
      }
    }
    for (auto& [name, value] : merged) {
      if (step.limit != 0 && step.rows.size() >= step.limit) break;
      step.rows.push_back({name, std::move(value)});
    }
    step.seen = true;
    const bool cut = step.limit != 0 && step.rows.size() >= step.limit;
    slot.commit.ranges_read.emplace_back(step.key, cut ? step.rows.back().key + '\0' : step.end);
  }
};

class ListGenerator final : public TransactionGenerator {
 public:
  ListGenerator(const GeneratorOptions& options, bool tell_unknown)
      : TransactionGenerator(options), appends_(options.keys) {
    tell_unknown_ = tell_unknown;
  }

 private:
  const char* workload() const override { return "list-append"; }

  base::Bytes list(std::uint64_t place, std::uint64_t on = 0) {
    const std::string generation =
        std::to_string(1'000'000 + appends_[place] / options_.appends_per_list + on);
    return base::concat(key(place), "-", generation.substr(1));
  }

  std::vector<MicroOp> choose() override {
    std::vector<MicroOp> steps(1 + random_.below(4));
    for (MicroOp& step : steps) {
      const std::uint64_t place = random_.below(random_.below(options_.keys) + 1);
      step.key = list(place);
      const std::uint64_t dice = random_.below(100);
      if (dice < 45) {
        step.is_list = true;
      } else if (dice < 90) {
        step.kind = OpKind::kAppend;
        step.value = unique();
        ++appends_[place];
      } else {
        step.kind = OpKind::kRange;
        step.end = list(place, 2);
        step.limit = static_cast<std::uint32_t>(random_.below(3));
      }
    }
    return steps;
  }

  std::vector<std::uint64_t> appends_;
};

class RowGenerator final : public TransactionGenerator {
 public:
  using TransactionGenerator::TransactionGenerator;

 private:
  const char* workload() const override { return "rows"; }

  std::vector<MicroOp> choose() override {
    std::vector<MicroOp> steps(1 + random_.below(4));
    for (MicroOp& step : steps) {
      step.key = random_key();
      const std::uint64_t dice = random_.below(100);
      if (dice < 40) continue;
      if (dice < 60) {
        step.kind = OpKind::kRange;
        step.end = random_.chance(0.3) ? "" : random_key();
        if (!step.end.empty() && step.end < step.key) std::swap(step.key, step.end);
        step.limit = static_cast<std::uint32_t>(random_.below(4));
      } else if (dice < 85) {
        step.kind = OpKind::kWrite;
        step.value = unique();
      } else {
        step.kind = OpKind::kDelete;
      }
    }
    return steps;
  }
};

}  // namespace

std::vector<Event> generate_registers(const GeneratorOptions& options) {
  return RegisterGenerator(options).run();
}

std::vector<Event> generate_lists(const GeneratorOptions& options, bool tell_unknown) {
  return ListGenerator(options, tell_unknown).run();
}

std::vector<Event> generate_rows(const GeneratorOptions& options) {
  return RowGenerator(options).run();
}

}  // namespace synod::history
