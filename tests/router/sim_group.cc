// SPDX-License-Identifier: Apache-2.0
#include "tests/router/sim_group.h"

#include <algorithm>
#include <utility>

#include "router/replicated_state_machine.h"
#include "storage/sim_backend.h"
#include "tests/router/gated_backend.h"
#include "tests/router/sim_server.h"

namespace synod::router {
namespace {

constexpr std::size_t kThreads = 8;
constexpr const char* kDirectory = "/data";

net::SimNetworkOptions network_options() {
  net::SimNetworkOptions options;
  options.connect_max = base::Millis(10);
  options.stall_max = base::Millis(500);
  return options;
}

/// Small and quick: everything that happens once in an hour happens in seconds.
ReplicatedOptions small_options(std::size_t number, std::size_t members) {
  ReplicatedOptions options;
  options.directory = kDirectory;
  options.node.node_id = static_cast<std::int32_t>(number);
  for (std::size_t i = 1; i <= members; ++i) {
    options.members.push_back(static_cast<std::uint32_t>(i));
  }
  // A spare is configured with those who form the group, and itself.
  if (number > members) options.members.push_back(static_cast<std::uint32_t>(number));
  options.hold = base::Millis(2000);
  options.request_timeout = base::Millis(4000);
  options.disk_reserve_bytes = 1;
  options.log.segment_bytes = 64U << 10;
  options.policy.conflict_window_ms = 200;
  options.runtime.replica.timing.election_min = base::Millis(200);
  options.runtime.replica.timing.heartbeat = base::Millis(40);
  options.runtime.replica.snapshot_pull.chunk_bytes = 4000;
  options.runtime.replica.snapshot_pull.retry_after = base::Millis(100);
  options.runtime.replica.snapshot_pull.stuck_after = base::Millis(500);
  options.runtime.state.snapshot_pause = base::Millis(200);
  return options;
}

base::Result<std::unique_ptr<storage::StorageBackend>> open_gated_backend(
    storage::SimFileSystem& files, const std::string& directory,
    const std::shared_ptr<bool>& is_refusing) {
  SYNOD_ASSIGN_OR_RETURN(auto inner, storage::open_sim_backend(files, directory, 7));
  return std::unique_ptr<storage::StorageBackend>(
      std::make_unique<GatedBackend>(std::move(inner), is_refusing));
}

}  // namespace

SimGroup::SimGroup(std::uint64_t seed, std::size_t members, std::size_t nodes)
    : loop_(seed), network_(loop_, network_options()) {
  for (std::size_t i = 0; i < nodes; ++i) add_node(members);
}

SimGroup::~SimGroup() {
  for (const auto& node : nodes_) end_process(*node);
}

void SimGroup::add_node(std::size_t members) {
  auto node = std::make_unique<Node>();
  node->files = std::make_unique<storage::SimFileSystem>(loop_.random().fork());
  for (std::size_t i = 0; i < kThreads; ++i) node->threads.push_back(&loop_.add_dispatcher());
  node->storage = std::make_unique<HeldDispatcher>(*node->threads[4]);
  node->compaction = std::make_unique<HeldDispatcher>(*node->threads[6]);
  node->reader = std::make_unique<HeldDispatcher>(*node->threads[7]);
  node->options = small_options(nodes_.size() + 1, members);
  nodes_.push_back(std::move(node));
}

base::Status SimGroup::start(std::size_t index) {
  Node& node = *nodes_[index];
  end_process(node);
  node.has_died = false;
  node.transport = network_.add(id_of(index), *node.threads[5]);
  ReplicatedSeams seams{
      *node.files,
      *node.threads[0],
      *node.threads[1],
      *node.threads[2],
      *node.threads[3],
      *node.storage,
      *node.compaction,
      *node.transport,
      loop_.random().fork(),
      [files = node.files.get(), is_refusing = node.is_refusing](const std::string& directory) {
        return open_gated_backend(*files, directory, is_refusing);
      },
      nullptr,
      [&node](const std::string& reason) {
        node.fatal = reason;
        node.has_died = true;
      },
      {}};
  if (node.options.database.memory_bytes_max != 0) seams.cold_reads = {node.reader.get()};
  auto opened = Replicated::open(std::move(seams), node.options);
  if (!opened.ok()) {
    node.transport.reset();
    return opened.status();
  }
  node.store = std::move(*opened);
  return node.store->start();
}

bool SimGroup::form() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const bool is_spare = i >= nodes_[0]->options.members.size();
    if (!is_spare && !start(i).ok()) return false;
  }
  return wait_for_leader();
}

void SimGroup::end_process(Node& node) {
  for (base::SimDispatcher* thread : node.threads) loop_.drop_tasks(*thread);
  node.storage->drop_tasks();
  node.compaction->drop_tasks();
  node.reader->drop_tasks();
  node.transport.reset();
  node.store.reset();
  // What the destructors posted belongs to the process, too.
  for (base::SimDispatcher* thread : node.threads) loop_.drop_tasks(*thread);
}

void SimGroup::crash(std::size_t index) {
  Node& node = *nodes_[index];
  node.files->kill();
  end_process(node);
  node.files->restart();
}

void SimGroup::power_cut(std::size_t index, storage::CrashPolicy policy) {
  Node& node = *nodes_[index];
  node.files->crash(policy);
  end_process(node);
  node.files->restart();
}

base::Status SimGroup::shut_down(std::size_t index) {
  Node& node = *nodes_[index];
  bool has_stopped = false;
  node.store->stop([&has_stopped] { has_stopped = true; });
  if (!run_until([&] { return has_stopped; })) {
    return {base::StatusCode::kTimeout, "the store does not stop"};
  }
  for (base::SimDispatcher* thread : node.threads) loop_.drop_tasks(*thread);
  const base::Status closed = node.store->close();
  end_process(node);
  node.files->kill();
  node.files->restart();
  return closed;
}

void SimGroup::lose_disk(std::size_t index) {
  nodes_[index]->files = std::make_unique<storage::SimFileSystem>(loop_.random().fork());
}

void SimGroup::isolate(std::size_t node) {
  for (std::size_t other = 0; other < nodes_.size(); ++other) {
    if (other == node) continue;
    network_.cut(id_of(node), id_of(other));
    network_.cut(id_of(other), id_of(node));
  }
}

bool SimGroup::step() {
  const bool goes_on = loop_.step();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i]->has_died && nodes_[i]->store) crash(i);
  }
  return goes_on;
}

void SimGroup::run_for(base::Nanos span) {
  run_until([] { return false; }, span);
}

bool SimGroup::run_until(const std::function<bool()>& done, base::Nanos span) {
  const base::Nanos deadline = loop_.now() + span;
  while (!done()) {
    if (loop_.now() >= deadline || !step()) return done();
  }
  return true;
}

std::size_t SimGroup::submit(std::size_t node, core::KvOperation operation) {
  auto call = std::make_shared<SimCall>();
  call->node = node;
  call->begun = loop_.now();
  calls_.push_back(call);
  if (!is_up(node)) return calls_.size() - 1;
  store(node).router().submit(std::move(operation), {}, [call](core::Outcome outcome) {
    call->outcome = std::move(outcome);
  });
  return calls_.size() - 1;
}

core::Outcome SimGroup::execute(std::size_t node, core::KvOperation operation) {
  const std::size_t position = submit(node, std::move(operation));
  run_until([&] { return call(position).outcome.has_value() || !is_up(node); });
  if (call(position).outcome) return *call(position).outcome;
  return core::refused(core::OutcomeCode::kOutcomeUnknown, "the node is gone");
}

std::optional<core::PointReadReply> SimGroup::read(std::size_t node, const std::string& key,
                                                   ReadLevel level,
                                                   std::optional<core::Version> at) {
  auto answer = std::make_shared<std::optional<core::PointReadReply>>();
  if (!is_up(node)) return std::nullopt;
  core::PointReadRequest request;
  request.key = key;
  request.at = at;
  RequestContext context;
  context.read_level = level;
  store(node).router().read(std::move(request), context,
                            [answer](core::PointReadReply reply) { *answer = std::move(reply); });
  run_until([&] { return answer->has_value() || !is_up(node); });
  return *answer;
}

std::optional<std::string> SimGroup::get(std::size_t node, const std::string& key,
                                         ReadLevel level) {
  const auto reply = read(node, key, level);
  if (!reply || reply->code != core::OutcomeCode::kOk || !reply->found) return std::nullopt;
  return reply->value;
}

base::Status SimGroup::change_member(std::size_t node, MemberChange change, std::uint32_t who,
                                     std::uint32_t by) {
  auto answer = std::make_shared<std::optional<base::Status>>();
  store(node).change_member(change, who, by,
                            [answer](base::Status status) { *answer = std::move(status); });
  run_until([&] { return answer->has_value() || !is_up(node); }, std::chrono::seconds(200));
  if (!*answer) return {base::StatusCode::kOutcomeUnknown, "no answer"};
  return **answer;
}

std::optional<StoreStatus> SimGroup::status(std::size_t node) {
  auto answer = std::make_shared<std::optional<StoreStatus>>();
  if (!is_up(node)) return std::nullopt;
  store(node).status([answer](StoreStatus status) { *answer = std::move(status); });
  run_until([&] { return answer->has_value() || !is_up(node); });
  return *answer;
}

std::optional<VerifyReport> SimGroup::verify(std::size_t node, bool deep) {
  auto answer = std::make_shared<std::optional<VerifyReport>>();
  store(node).verify(deep, [answer](VerifyReport report) { *answer = std::move(report); });
  run_until([&] { return answer->has_value() || !is_up(node); }, std::chrono::seconds(60));
  return *answer;
}

std::optional<std::size_t> SimGroup::leader() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto seen = is_up(i) ? status(i) : std::nullopt;
    if (seen && seen->group && seen->group->role == "leader") return i;
  }
  return std::nullopt;
}

bool SimGroup::wait_for_leader() {
  for (int i = 0; i < 200; ++i) {
    if (leader()) return true;
    run_for(base::Millis(50));
  }
  return false;
}

bool SimGroup::converge() {
  for (int i = 0; i < 400; ++i) {
    run_for(base::Millis(50));
    std::vector<StoreStatus> seen;
    std::size_t up = 0;
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
      if (!is_up(node)) continue;
      ++up;
      auto each = status(node);
      if (each && each->group && each->group->is_caught_up) seen.push_back(std::move(*each));
    }
    const bool are_equal = std::all_of(seen.begin(), seen.end(), [&](const StoreStatus& each) {
      return each.applied_index == seen.front().applied_index &&
             each.state_hash == seen.front().state_hash;
    });
    if (up > 0 && seen.size() == up && are_equal) return true;
  }
  return false;
}

void SimGroup::on_apply(std::size_t node, std::function<void()> task) {
  bool is_done = false;
  nodes_[node]->threads[2]->post([&is_done, task = std::move(task)] {
    task();
    is_done = true;
  });
  run_until([&] { return is_done; });
}

core::KvOperation increment(const std::string& key) {
  core::Step step;
  step.kind = core::StepKind::kIncrement;
  step.key = key;
  step.number = 1;
  return operation_of({std::move(step)});
}

core::KvOperation increment_once(const std::string& key, std::uint64_t client,
                                 std::int64_t sequence, core::Version begun) {
  core::KvOperation operation = increment(key);
  operation.read_version = begun.value();
  operation.token.emplace();
  base::store_le64(operation.token->client_id.data(), client);
  operation.token->sequence = sequence;
  return operation;
}

core::KvOperation write(const std::string& key, const std::string& value) {
  return operation_of({set_step(key, value)});
}

}  // namespace synod::router
