// SPDX-License-Identifier: Apache-2.0
#include "tests/history/workloads.h"

#include <algorithm>
#include <map>
#include <thread>

#include "base/text.h"
#include "tests/history/session.h"

namespace synod::history {
namespace {

constexpr int kSetupAttempts = 50;
constexpr std::int64_t kFirstBalance = 100;

/// Keys sort as their numbers do.
std::string digits(std::uint64_t number) {
  const std::string text = std::to_string(number);
  return std::string(text.size() < 6 ? 6 - text.size() : 0, '0') + text;
}

std::string key_of(const WorkloadOptions& options, std::uint64_t number) {
  return base::concat(options.prefix, digits(number));
}

MicroOp range_of_all(const WorkloadOptions& options) {
  return range_step(options.prefix, base::prefix_successor(options.prefix));
}

/// What stands before the '/': values are made unique by what follows it.
std::int64_t number_in(const std::optional<base::Bytes>& value) {
  return std::atoll(value.value_or("0").c_str());
}

base::Bytes unique_value(RunState& run, std::int64_t number) {
  return base::concat(number, "/", run.unique());
}

void read_in_transaction(Session& session, const MicroOp& step) {
  session.transact({step}, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
    std::vector<MicroOp> done{step};
    SYNOD_RETURN_IF_ERROR(perform_read(txn, done[0]));
    return done;
  });
}

/// Writes the same rows for everybody before the run begins.
base::Status write_first(Session& session, const std::vector<MicroOp>& rows) {
  for (int i = 0; i < kSetupAttempts; ++i) {
    session.transact(rows, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
      for (const MicroOp& row : rows) txn.set(row.key, *row.value);
      return rows;
    });
    if (session.last() == Outcome::kApplied) return {};
    if (session.last() == Outcome::kUnknown) break;
  }
  return {base::StatusCode::kClosed, "the store could not be prepared"};
}

// ------------------------------------------------------------------------------------ register

class RegisterSteps {
 public:
  void one(Session& session) {
    const base::Bytes key = key_of(session.run().options, session.random_key());
    const std::uint64_t dice = session.random().below(100);
    if (dice < 40) {
      read(session, key);
    } else if (dice < 70) {
      const MicroOp step = write_step(OpKind::kWrite, key, session.run().unique());
      write(session, step, [&] { return session.client().set(key, *step.value); });
      last_[key] = step.value;
    } else if (dice < 78) {
      write(session, write_step(OpKind::kDelete, key),
            [&] { return session.client().remove(key); });
      last_[key] = std::nullopt;
    } else {
      compare_and_swap(session, key);
    }
  }

 private:
  void read(Session& session, const base::Bytes& key) {
    const MicroOp intended = read_step(key);
    session.perform({intended}, [&] {
      Attempt made;
      auto value = session.client().get(key);
      if (!value.ok()) {
        made.error = value.status().to_string();
        return made;
      }
      made.outcome = Outcome::kApplied;
      made.ops = {intended};
      made.ops[0].seen = true;
      made.ops[0].value = *value;
      last_[key] = *value;
      return made;
    });
  }

  static void write(Session& session, const MicroOp& step,
                    const std::function<WriteResult()>& call) {
    session.perform({step}, [&] {
      Attempt made;
      WriteResult result = call();
      made.outcome = result.outcome;
      made.error = std::move(result.error);
      if (made.outcome == Outcome::kApplied) made.commit_version = result.version;
      return made;
    });
  }

  void compare_and_swap(Session& session, const base::Bytes& key) {
    MicroOp step = write_step(OpKind::kCas, key, session.run().unique());
    step.expected = last_[key];
    session.transact({step}, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
      SYNOD_ASSIGN_OR_RETURN(const auto held, txn.get(key));
      step.seen = true;
      step.swapped = held == step.expected;
      if (step.swapped) txn.set(key, *step.value);
      last_[key] = held;
      return std::vector<MicroOp>{step};
    });
  }

  std::map<base::Bytes, std::optional<base::Bytes>> last_;  // seen or written by this session
};

// ------------------------------------------------------------------------------------ lists

/// The live list of a place; after enough appends another takes over, so that reads stay short.
base::Bytes list_key(RunState& run, std::uint32_t place, std::uint64_t generations_on = 0) {
  const std::uint64_t generation =
      run.list_appends[place].load() / run.options.appends_per_list + generations_on;
  return base::concat(key_of(run.options, place), "-", digits(generation));
}

std::vector<MicroOp> list_steps(Session& session) {
  RunState& run = session.run();
  base::Random& random = session.random();
  std::vector<MicroOp> steps;
  const std::uint64_t count = 1 + random.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    // Low places are much more often used than high ones.
    const auto place = static_cast<std::uint32_t>(random.below(random.below(run.options.keys) + 1));
    const base::Bytes key = list_key(run, place);
    const std::uint64_t dice = random.below(100);
    if (dice < 45) {
      steps.push_back(read_step(key, true));
    } else if (dice < 90) {
      steps.push_back(write_step(OpKind::kAppend, key, run.unique()));
      run.list_appends[place].fetch_add(1);
    } else {
      // The next generation is not there yet, and may appear meanwhile.
      const auto limit = static_cast<std::uint32_t>(random.below(3));
      steps.push_back(range_step(key, list_key(run, place, 2), limit));
    }
  }
  return steps;
}

void one_list_transaction(Session& session) {
  const std::vector<MicroOp> intended = list_steps(session);
  session.transact(intended, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
    std::vector<MicroOp> done = intended;
    for (MicroOp& step : done) {
      if (!step.writes()) {
        SYNOD_RETURN_IF_ERROR(perform_read(txn, step));
        continue;
      }
      SYNOD_ASSIGN_OR_RETURN(const auto held, txn.get(step.key));
      txn.set(step.key, list_with(held, *step.value));
    }
    return done;
  });
}

// ------------------------------------------------------------------------------------ bank

void transfer(Session& session) {
  RunState& run = session.run();
  MicroOp from = read_step(key_of(run.options, session.random_key()));
  MicroOp to = read_step(key_of(run.options, session.random_key()));
  if (from.key == to.key) return;
  const std::int64_t amount = session.random().between(1, 10);
  session.transact({from, to}, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
    SYNOD_RETURN_IF_ERROR(perform_read(txn, from));
    SYNOD_RETURN_IF_ERROR(perform_read(txn, to));
    std::vector<MicroOp> done{from, to};
    if (number_in(from.value) < amount) return done;
    done.push_back(
        write_step(OpKind::kWrite, from.key, unique_value(run, number_in(from.value) - amount)));
    done.push_back(
        write_step(OpKind::kWrite, to.key, unique_value(run, number_in(to.value) + amount)));
    for (std::size_t i = 2; i < done.size(); ++i) txn.set(done[i].key, *done[i].value);
    return done;
  });
}

/// Everything at a version some while old.
void read_old(Session& session, std::int64_t version) {
  const MicroOp intended = range_of_all(session.run().options);
  session.perform(
      {intended},
      [&] {
        Attempt made;
        auto rows = session.client().range_at(intended.key, intended.end, version);
        if (!rows.ok()) {
          made.error = rows.status().to_string();
          return made;
        }
        made.outcome = Outcome::kApplied;
        made.read_version = version;
        made.ops = {intended};
        made.ops[0].seen = true;
        made.ops[0].rows = std::move(rows).value();
        return made;
      },
      true);
}

class BankSteps {
 public:
  void one(Session& session) {
    const std::uint64_t dice = session.random().below(100);
    if (dice < 70) {
      transfer(session);
    } else if (dice < 90 || !old_.has_value()) {
      read_in_transaction(session, range_of_all(session.run().options));
      if (!old_.has_value() || session.random().chance(0.3)) old_ = session.last_read_version();
    } else {
      read_old(session, *old_);
      old_ = session.last_read_version();
    }
  }

 private:
  std::optional<std::int64_t> old_;
};

// ------------------------------------------------------------------------------------ ring

/// a -> b -> c -> d becomes a -> c -> b -> d.
void rotate(Session& session) {
  RunState& run = session.run();
  MicroOp a = read_step(key_of(run.options, session.random_key()));
  session.transact({a}, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
    const auto next = [&](const MicroOp& step) {
      return read_step(key_of(run.options, static_cast<std::uint64_t>(number_in(step.value))));
    };
    SYNOD_RETURN_IF_ERROR(perform_read(txn, a));
    MicroOp b = next(a);
    SYNOD_RETURN_IF_ERROR(perform_read(txn, b));
    MicroOp c = next(b);
    SYNOD_RETURN_IF_ERROR(perform_read(txn, c));
    std::vector<MicroOp> done{a, b, c};
    const auto point = [&](const MicroOp& from, const MicroOp& to) {
      done.push_back(write_step(OpKind::kWrite, from.key, unique_value(run, number_in(to.value))));
      txn.set(from.key, *done.back().value);
    };
    point(a, b);
    point(b, c);
    point(c, a);
    return done;
  });
}

// ------------------------------------------------------------------------------------ all

/// The steps of one thread, chosen by the workload's name.
class Steps {
 public:
  void one(Session& session) {
    RunState& run = session.run();
    const std::string& name = run.options.workload;
    const bool looks = session.random().chance(0.1);
    if (name == "register") {
      register_.one(session);
    } else if (name == "list-append") {
      one_list_transaction(session);
    } else if (name == "bank") {
      bank_.one(session);
    } else if (name == "ring") {
      looks ? read_in_transaction(session, range_of_all(run.options)) : rotate(session);
    } else if (name == "set") {
      looks&& session.random().chance(0.2) ? read_in_transaction(session, range_of_all(run.options))
                                           : add_element(session);
    } else {
      session.random().chance(0.3)
          ? read_in_transaction(session, read_step(key_of(run.options, session.random_key())))
          : count(session);
    }
  }

 private:
  static void add_element(Session& session) {
    const std::string element = session.run().unique();
    const MicroOp step =
        write_step(OpKind::kWrite, base::concat(session.run().options.prefix, element), element);
    session.transact({step}, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
      txn.set(step.key, *step.value);
      return std::vector<MicroOp>{step};
    });
  }

  static void count(Session& session) {
    const std::int64_t delta = session.random().between(1, 5);
    const MicroOp step =
        write_step(OpKind::kIncrement, key_of(session.run().options, session.random_key()),
                   std::to_string(delta));
    session.transact({step}, [&](ClientTransaction& txn) -> base::Result<std::vector<MicroOp>> {
      txn.increment(step.key, delta);
      return std::vector<MicroOp>{step};
    });
  }

  RegisterSteps register_;
  BankSteps bank_;
};

/// At version 0 a store has no past: reads there are reads of the current state. One write, of a
/// key outside of all that is looked at and so not recorded, ends that.
base::Status leave_version_zero(Client& client, const std::string& prefix) {
  std::string why;
  for (int i = 0; i < kSetupAttempts; ++i) {
    const WriteResult result = client.set(base::prefix_successor(prefix) + "prepared", "yes");
    if (result.outcome == Outcome::kApplied) return {};
    why = result.error;
  }
  return {base::StatusCode::kClosed, base::concat("the store does not take writes: ", why)};
}

base::Status prepare(Session& session) {
  const WorkloadOptions& options = session.run().options;
  SYNOD_RETURN_IF_ERROR(leave_version_zero(session.client(), options.prefix));
  std::vector<MicroOp> rows;
  for (std::uint64_t i = 0; i < options.keys; ++i) {
    const std::int64_t number = options.workload == "bank"
                                    ? kFirstBalance
                                    : static_cast<std::int64_t>((i + 1) % options.keys);
    rows.push_back(
        write_step(OpKind::kWrite, key_of(options, i), unique_value(session.run(), number)));
  }
  if (options.workload != "bank" && options.workload != "ring") return {};
  return write_first(session, rows);
}

/// Looks at all that was written, one key at a time where the checker wants that.
base::Status read_finally(Session& session) {
  RunState& run = session.run();
  const auto read = [&](const MicroOp& step) -> base::Status {
    for (int i = 0; i < kSetupAttempts; ++i) {
      read_in_transaction(session, step);
      if (session.last() == Outcome::kApplied) return {};
    }
    return {base::StatusCode::kClosed, "the store cannot be read at the end"};
  };
  if (run.options.workload == "list-append") {
    for (std::uint32_t place = 0; place < run.options.keys; ++place) {
      SYNOD_RETURN_IF_ERROR(
          read(range_step(key_of(run.options, place), key_of(run.options, place) + "~")));
    }
    return {};
  }
  if (run.options.workload == "bank" || run.options.workload == "ring" ||
      run.options.workload == "set") {
    return read(range_of_all(run.options));
  }
  for (std::uint64_t i = 0; i < run.options.keys; ++i) {
    SYNOD_RETURN_IF_ERROR(read(read_step(key_of(run.options, i))));
  }
  return {};
}

void run_thread(RunState& run, const ClientFactory& connect, std::size_t number,
                base::Random random) {
  auto client = connect(number);
  // Whoever cannot connect does not take part; the others' operations show what is wrong.
  if (!client.ok()) return;
  Session session(run, **client, random);
  Steps steps;
  while (run.take_operation()) steps.one(session);
}

}  // namespace

base::Status run_workload(const WorkloadOptions& options, const ClientFactory& connect,
                          const base::Clock& clock, Recorder& recorder) {
  if (std::find(kWorkloads.begin(), kWorkloads.end(), options.workload) == kWorkloads.end()) {
    return {base::StatusCode::kInvalidArgument,
            base::concat("there is no workload ", options.workload)};
  }
  SYNOD_ASSERT(options.keys >= 4, "a ring that can be rotated needs four keys");
  RunState run(options, clock, recorder);
  base::Random random(options.seed);
  SYNOD_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, connect(std::nullopt));
  Session session(run, *client, random.fork());
  SYNOD_RETURN_IF_ERROR(prepare(session));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < static_cast<std::size_t>(options.threads); ++i) {
    threads.emplace_back(
        [&run, &connect, i, mine = random.fork()] { run_thread(run, connect, i, mine); });
  }
  for (std::thread& thread : threads) thread.join();
  return read_finally(session);
}

}  // namespace synod::history
