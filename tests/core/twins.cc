// SPDX-License-Identifier: Apache-2.0
#include "tests/core/twins.h"

#include "base/text.h"

namespace synod::core {
namespace {

std::string describe(const Outcome& outcome) {
  return base::concat(static_cast<int>(outcome.code), "/", static_cast<int>(outcome.detail), " v",
                      outcome.version.value(), " '", outcome.message, "' ", outcome.results.size(),
                      " results");
}

constexpr std::uint64_t kCrampedBytes = 30'000;

Policy small_policy() {
  Policy policy;
  policy.conflict_window_ms = 120;
  policy.sweep_per_operation = 3;
  policy.sweep_per_tick = 20;
  policy.tokens_per_client = 4;
  policy.clients_max = 8;
  policy.client_idle_ms = 400;
  policy.marks_max = 30;
  policy.hash_seed = {'s', 'e', 'e', 'd'};
  return policy;
}

DatabaseOptions tight_options() {
  DatabaseOptions options;
  options.snapshot_window = base::Nanos(0);
  options.old_bytes_max = 0;
  return options;
}

/// A bound of so much above what an empty store takes.
DatabaseOptions bounded_options(std::uint64_t bytes) {
  DatabaseOptions options;
  options.memory_bytes_max = TransactionalKvDatabase(options).memory_status().used_bytes + bytes;
  options.spill_bytes_min = 1;
  return options;
}

}  // namespace

struct Twins::Twin {
  explicit Twin(std::string twin_name, const DatabaseOptions& its_options = {})
      : name(std::move(twin_name)), options(its_options), backend(storage::make_memory_backend()) {
    reopen();
  }

  void reopen() {
    core.reset();
    database = std::make_unique<TransactionalKvDatabase>(options);
    core = std::make_unique<KvServiceCore>(*database);
    executor = std::make_unique<KvStoreExecutor>(*core, *database);
  }

  [[nodiscard]] base::Status persist() {
    database->seal();
    WriteBehind::Batch batch = database->write_behind().take();
    if (batch.last == LogIndex(0)) return {};
    written = batch.version;
    return backend->write(batch.rows);
  }

  void take_snapshot() {
    ColdValues& cold = database->cold_values();
    if (written > cold.covered()) cold.add(written, *backend->snapshot());
  }

  [[nodiscard]] bool drops_values() const { return options.memory_bytes_max != 0; }
  [[nodiscard]] bool is_tight() const { return options.old_bytes_max == 0; }

  std::string name;
  DatabaseOptions options;
  Version written{0};
  std::unique_ptr<storage::StorageBackend> backend;
  std::unique_ptr<TransactionalKvDatabase> database;
  std::unique_ptr<KvServiceCore> core;
  std::unique_ptr<KvStoreExecutor> executor;
};

Twins::Twins(std::uint64_t seed) : stream_(seed), random_(seed ^ 0x7477696eULL) {
  twins_.push_back(std::make_unique<Twin>("steady"));
  twins_.push_back(std::make_unique<Twin>("crashing"));
  twins_.push_back(std::make_unique<Twin>("restored"));
  twins_.push_back(std::make_unique<Twin>("tight", tight_options()));
  twins_.push_back(std::make_unique<Twin>("spilled", bounded_options(0)));
  twins_.push_back(std::make_unique<Twin>("cramped", bounded_options(kCrampedBytes)));
}

Twins::~Twins() = default;

std::optional<std::string> Twins::run(std::uint64_t operations) {
  for (std::uint64_t i = 0; i < operations; ++i) {
    if (auto difference = step()) {
      return base::concat("operation ", index_, ": ", *difference);
    }
  }
  for (const auto& twin : twins_) count_work(*twin);
  return compare_deeply();
}

std::optional<std::string> Twins::step() {
  KvOperation operation;
  if (index_ == 0) {
    operation.kind = OperationKind::kPolicy;
    operation.policy = small_policy();
    operation.stamp = TimeMs(1'000);
  } else {
    operation = stream_.next(model_.state().newest_version());
  }
  const LogIndex index(++index_);
  log_.push_back(operation);
  const Outcome expected = model_core_.execute(index, operation).outcome;
  ++seen_[static_cast<std::size_t>(expected.code)];
  const base::Bytes encoded = encode_operation(operation);
  for (auto& twin : twins_) {
    if (random_.chance(0.3) && twin->core->needs_disk(operation)) twin->core->fetch_for(operation);
    const auto result = twin->executor->apply_encoded(index, encoded);
    if (!result.ok()) return twin->name + ": " + result.status().to_string();
    if (!(result->outcome == expected)) {
      return base::concat(twin->name, " answers ", describe(result->outcome), ", the model ",
                          describe(expected));
    }
    ReplicatedState& state = twin->database->state();
    if (state.clock() != model_.state().clock() ||
        state.conflict_floor() != model_.state().conflict_floor()) {
      return base::concat(twin->name, ": clock ", state.clock().value(), " floor ",
                          state.conflict_floor().value(), ", the model ",
                          model_.state().clock().value(), " ",
                          model_.state().conflict_floor().value());
    }
    const double eagerness = twin->is_tight() ? 0.5 : 0.05;
    if (random_.chance(eagerness)) {
      twin->database->housekeep(std::chrono::milliseconds(10 * index_));
    }
    if (random_.chance(0.02)) {
      const base::Status persisted = twin->persist();
      if (!persisted.ok()) return twin->name + ": " + persisted.to_string();
    }
    if (twin->drops_values()) {
      if (auto difference = keep_memory(*twin)) return difference;
    }
  }
  if (random_.chance(0.002)) {
    if (auto difference = crash(*twins_[1])) return difference;
    if (auto difference = crash(*twins_[4])) return difference;
  }
  if (random_.chance(0.05)) {
    if (auto difference = compare_reads()) return difference;
  }
  if (index_ % 1'000 == 0) return compare_deeply();
  return std::nullopt;
}

/// What persistence and the pipeline do for a store with a memory bound, at odd moments.
std::optional<std::string> Twins::keep_memory(Twin& twin) {
  if (random_.chance(0.1)) {
    const base::Status persisted = twin.persist();
    if (!persisted.ok()) return twin.name + ": " + persisted.to_string();
  }
  if (random_.chance(0.05)) twin.take_snapshot();
  if (random_.chance(0.1)) twin.database->cold_values().release();
  if (!random_.chance(0.1) || !twin.database->must_wait()) return std::nullopt;
  const base::Status persisted = twin.persist();
  if (!persisted.ok()) return twin.name + ": " + persisted.to_string();
  twin.take_snapshot();
  if (!twin.database->must_wait()) return std::nullopt;
  return twin.name + " waits although everything is persisted";
}

void Twins::count_work(const Twin& twin) {
  const MemoryStatus status = twin.database->memory_status();
  memory_work_.cold_reads += status.cold_reads;
  memory_work_.apply_fetches += status.apply_fetches;
  memory_work_.values_dropped += status.values_dropped;
  memory_work_.values_warmed += status.values_warmed;
}

std::optional<std::string> Twins::crash(Twin& twin) {
  ++crashes_;
  count_work(twin);
  twin.reopen();
  const auto loaded = twin.database->load(*twin.backend);
  if (!loaded.ok()) return twin.name + " cannot load: " + loaded.status().to_string();
  for (std::uint64_t i = loaded->value() + 1; i <= index_; ++i) {
    (void)twin.executor->apply(LogIndex(i), log_[i - log_first_]);
  }
  return std::nullopt;
}

std::optional<std::string> Twins::compare_reads() {
  const Version newest = model_.visible_version();
  PointReadRequest request;
  if (random_.chance(0.5)) {
    request.at = Version(newest.value() - static_cast<std::int64_t>(random_.below(40)));
  }
  request.ns = stream_.ns();
  request.key = stream_.key();
  const PointReadReply expected = model_core_.read(request);
  RangeReadRequest range;
  range.ns = request.ns;
  range.begin = request.key;
  range.at = request.at;
  range.limit = 1 + random_.below(20);
  range.skip = random_.below(3);
  const RangeReadReply expected_range = model_core_.read_range(range);
  for (auto& twin : twins_) {
    // Without waiting the answer may be that it takes the disk, and never a wrong one.
    const ReadWait wait = random_.chance(0.9) ? ReadWait::kForDisk : ReadWait::kNever;
    const PointReadReply reply = twin->core->read(request, wait);
    if (reply.is_cold && wait == ReadWait::kNever && twin->drops_values()) continue;
    // What a twin forgot it must say, never guess.
    const bool forgot = reply.code == OutcomeCode::kTooOld && request.at && *request.at < newest;
    if (forgot) continue;
    if (reply.found != expected.found || reply.value != expected.value ||
        reply.version != expected.version || reply.expiry != expected.expiry) {
      return base::concat(twin->name, " reads '", reply.value, "' v", reply.version.value(), " of ",
                          request.key, " at ", newest.value(), ", the model '", expected.value,
                          "' v", expected.version.value());
    }
    const RangeReadReply rows = twin->core->read_range(range, wait);
    if (rows.is_cold && wait == ReadWait::kNever && twin->drops_values()) continue;
    if (rows.code == OutcomeCode::kTooOld && range.at && *range.at < newest) continue;
    if (rows.rows != expected_range.rows || rows.has_more != expected_range.has_more) {
      return base::concat(twin->name, " scans ", rows.rows.size(), " rows from ", range.begin,
                          ", the model ", expected_range.rows.size());
    }
  }
  return std::nullopt;
}

std::optional<std::string> Twins::compare_deeply() {
  const StateHash expected = twins_[0]->database->hash();
  for (auto& twin : twins_) {
    if (!(twin->database->hash() == expected)) return twin->name + ": the state hash differs";
    base::Status verified = twin->database->verify_tables();
    if (verified.ok()) verified = twin->persist();
    if (verified.ok()) verified = twin->database->verify_backend(*twin->backend);
    if (!verified.ok()) return twin->name + ": " + verified.to_string();
  }
  if (random_.chance(0.1)) {
    // Replace the restored twin by a copy of the steady one's rows: a checkpoint.
    Twin& restored = *twins_[2];
    auto copy = storage::make_memory_backend();
    storage::WriteBatch rows;
    const base::Status scanned =
        twins_[0]->backend->scan({}, {}, [&](base::BytesView key, base::BytesView value) {
          rows.put(key, value);
          return true;
        });
    if (!scanned.ok() || !copy->write(rows).ok()) return "the checkpoint cannot be copied";
    restored.reopen();
    restored.backend = std::move(copy);
    const auto loaded = restored.database->load(*restored.backend);
    if (!loaded.ok()) return "restored: " + loaded.status().to_string();
  }
  log_.clear();
  log_first_ = index_ + 1;
  return std::nullopt;
}

}  // namespace synod::core
