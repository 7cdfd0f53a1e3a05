// SPDX-License-Identifier: Apache-2.0
#include "tests/router/sim_server.h"

#include <algorithm>
#include <utility>

#include "storage/sim_backend.h"

namespace synod::router {
namespace {

constexpr int kReaders = 2;

}  // namespace

SimServer::SimServer(std::uint64_t seed, Durability durability)
    : loop_(seed),
      files_(base::Random(seed ^ 0x6469736bULL)),
      commit_(loop_.add_dispatcher()),
      persistence_(loop_.add_dispatcher()),
      storage_(loop_.add_dispatcher()),
      outcomes_(std::make_shared<std::vector<std::optional<core::Outcome>>>()) {
  for (int i = 0; i < kReaders; ++i) {
    readers_.push_back(&loop_.add_dispatcher());
    pool_.push_back(std::make_unique<HeldDispatcher>(*readers_.back()));
  }
  options_.directory = "/data";
  options_.pipeline.durability = durability;
  options_.pipeline.group_operations_max = 4;
  options_.log.segment_bytes = 64U << 10;
  options_.disk_reserve_bytes = 1;
  options_.policy.conflict_window_ms = 200;
}

SimServer::~SimServer() { stop_process(); }

base::Status SimServer::open() {
  stop_process();
  died_ = false;
  StandaloneSeams seams{files_,
                        commit_,
                        persistence_,
                        storage_,
                        loop_.random().fork(),
                        [this](const std::string& directory) {
                          return storage::open_sim_backend(files_, directory, 7);
                        },
                        [this](const std::string& /*reason*/) { died_ = true; },
                        {}};
  if (options_.database.memory_bytes_max != 0) {
    for (const auto& reader : pool_) seams.cold_reads.push_back(reader.get());
  }
  SYNOD_ASSIGN_OR_RETURN(store_, Standalone::open(std::move(seams), options_));
  return store_->start();
}

void SimServer::stop_process() {
  loop_.drop_tasks(commit_);
  loop_.drop_tasks(persistence_);
  loop_.drop_tasks(storage_);
  for (base::SimDispatcher* reader : readers_) loop_.drop_tasks(*reader);
  for (const auto& reader : pool_) reader->drop_tasks();
  store_.reset();
  // The drop of the store may have posted nothing; completions that never came stay unknown.
}

void SimServer::power_cut(storage::CrashPolicy policy) {
  files_.crash(policy);
  stop_process();
  files_.restart();
}

std::size_t SimServer::submit(core::KvOperation operation) {
  const std::size_t position = outcomes_->size();
  outcomes_->emplace_back();
  store_->router().submit(std::move(operation), {},
                          [outcomes = outcomes_, position](core::Outcome outcome) {
                            (*outcomes)[position] = std::move(outcome);
                          });
  return position;
}

void SimServer::settle(base::Nanos span) {
  const base::Nanos deadline = loop_.now() + span;
  const auto settled = [this] {
    return std::all_of(outcomes_->begin(), outcomes_->end(),
                       [](const auto& outcome) { return outcome.has_value(); });
  };
  while (!died_ && !settled() && loop_.now() < deadline) {
    if (!loop_.step()) break;
  }
}

std::optional<std::string> SimServer::get(const std::string& key) {
  std::optional<std::string> value;
  core::PointReadRequest request;
  request.key = key;
  store_->router().read(request, {}, [&value](core::PointReadReply reply) {
    if (reply.found) value = std::move(reply.value);
  });
  return value;
}

core::Step set_step(std::string key, std::string value, std::int64_t ttl_ms) {
  core::Step step;
  step.kind = core::StepKind::kSet;
  step.key = std::move(key);
  step.value = std::move(value);
  step.ttl_ms = ttl_ms;
  return step;
}

core::KvOperation operation_of(std::vector<core::Step> steps) {
  core::KvOperation operation;
  operation.steps = std::move(steps);
  return operation;
}

}  // namespace synod::router
