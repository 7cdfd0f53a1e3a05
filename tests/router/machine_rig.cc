// SPDX-License-Identifier: Apache-2.0
#include "tests/router/machine_rig.h"

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/text.h"
#include "consensus/protocol/configuration_codec.h"
#include "core/kv_store_executor.h"
#include "router/snapshot_files.h"
#include "storage/sim_backend.h"
#include "tests/router/gated_backend.h"
#include "tests/router/sim_server.h"

namespace synod::router {

using base::Result;
using base::Status;
using consensus::Delivery;
using consensus::EntryKind;
using consensus::Slot;
using consensus::SnapshotManifest;

namespace {

consensus::Chain three_voters() {
  consensus::Configuration configuration;
  configuration.id = consensus::ConfigId(1);
  configuration.first = Slot(1);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    configuration.voters.push_back({consensus::ReplicaId(id), consensus::Incarnation(id * 7)});
  }
  return consensus::Chain{{configuration}, Slot(0)};
}

}  // namespace

DecidedLog::DecidedLog()
    : ballot_{consensus::ConfigId(1), consensus::Round(1), consensus::ReplicaId(1)},
      labels_{{Slot(), {}, three_voters()}},
      database_({}),
      core_(database_) {
  hashes_.push_back(database_.hash());
}

void DecidedLog::add(EntryKind kind, base::Bytes bytes, bool is_fenced) {
  Delivery delivery{Slot(deliveries_.size() + 1), make_entry(ballot_, kind, std::move(bytes)),
                    is_fenced};
  consensus::StateLabel label = labels_.back();
  take_in(label, delivery);
  core::KvStoreExecutor executor(core_, database_);
  const core::LogIndex index(delivery.slot.value());
  const auto command = kind == EntryKind::kCommand
                           ? decode_command(*delivery.entry.command)
                           : Result<CommandView>(Status(base::StatusCode::kNotFound, "none"));
  if (command.ok() && !is_fenced && command->kind == CommandKind::kOperation) {
    auto operation = core::decode_operation(command->payload);
    ASSERT_TRUE(operation.ok());
    operation->stamp = command->stamp;
    static_cast<void>(executor.apply(index, *operation));
  } else {
    executor.skip(index);
  }
  hashes_.push_back(database_.hash());
  labels_.push_back(std::move(label));
  deliveries_.push_back(std::move(delivery));
}

void DecidedLog::operation(core::KvOperation operation, bool is_fenced) {
  base::Bytes command = encode_command({RouterProcess(9), ++sequence_}, CommandKind::kOperation,
                                       encode_operation(operation));
  stamp_command(command, core::TimeMs(1'000 + static_cast<std::int64_t>(deliveries_.size())));
  add(EntryKind::kCommand, std::move(command), is_fenced);
}

void DecidedLog::set(const std::string& key, const std::string& value, bool is_fenced) {
  operation(operation_of({set_step(key, value)}), is_fenced);
}

void DecidedLog::hash_mark() {
  add(EntryKind::kCommand,
      encode_command({RouterProcess(9), ++sequence_}, CommandKind::kHashMark, {}));
}

void DecidedLog::barrier(std::uint64_t round, std::uint32_t owner) {
  ballot_.round = consensus::Round(round);
  ballot_.owner = consensus::ReplicaId(owner);
  add(EntryKind::kBarrier, {});
}

void DecidedLog::fill() { add(EntryKind::kFill, {}); }

void DecidedLog::learner(std::uint32_t id, bool is_added) {
  add(EntryKind::kLearner, consensus::encode_learner_change(
                               {{consensus::ReplicaId(id), consensus::Incarnation(id)}, is_added}));
}

void DecidedLog::stop_sign() {
  consensus::NextConfiguration next;
  next.voters = labels_.back().chain.current().voters;
  add(EntryKind::kStopSign, consensus::encode_next(next));
}

void DecidedLog::raw_command(base::Bytes bytes) { add(EntryKind::kCommand, std::move(bytes)); }

void DecidedLog::random_entries(std::uint64_t seed, std::size_t count) {
  base::Random random(seed);
  std::uint64_t round = ballot_.round.value();
  for (std::size_t i = 0; i < count; ++i) {
    if (deliveries_.size() == 3) {
      core::KvOperation policy;
      policy.kind = core::OperationKind::kPolicy;
      policy.policy = core::Policy();
      operation(std::move(policy));
      continue;
    }
    const std::string key = base::concat("k", random.below(12));
    switch (random.below(10)) {
      case 0:
        barrier(++round, static_cast<std::uint32_t>(1 + random.below(3)));
        break;
      case 1:
        fill();
        break;
      case 2:
        learner(static_cast<std::uint32_t>(4 + random.below(2)), random.chance(0.5));
        break;
      case 3:
        hash_mark();
        break;
      case 4:
        set(key, "never", true);
        break;
      case 5:
        if (random.chance(0.3)) stop_sign();
        break;
      default:
        set(key, base::concat("v", i));
    }
  }
}

std::vector<Delivery> DecidedLog::slots(std::uint64_t first, std::uint64_t last) const {
  return {deliveries_.begin() + static_cast<std::ptrdiff_t>(first - 1),
          deliveries_.begin() + static_cast<std::ptrdiff_t>(last)};
}

MachineRig::MachineRig(base::SimLoop& loop, std::uint64_t seed, const DecidedLog& log)
    : loop_(loop),
      log_(log),
      files_(base::Random(seed)),
      apply_(loop.add_dispatcher()),
      persistence_(loop.add_dispatcher()),
      storage_(loop.add_dispatcher()) {
  options_.directory = "/data";
}

MachineRig::~MachineRig() { stop(); }

Status MachineRig::open(const std::string& active) {
  stop();
  heard_.clear();
  options_.active = active;
  options_.first_chain = std::nullopt;
  if (active == "db") options_.first_chain = log_.first_chain();
  StateMachineSeams seams{
      files_,
      apply_,
      persistence_,
      storage_,
      loop_.random().fork(),
      [this](const std::string& path) -> Result<std::unique_ptr<storage::StorageBackend>> {
        SYNOD_ASSIGN_OR_RETURN(auto backend, storage::open_sim_backend(files_, path, 3));
        return std::unique_ptr<storage::StorageBackend>(
            std::make_unique<GatedBackend>(std::move(backend), is_refusing_));
      }};
  SYNOD_ASSIGN_OR_RETURN(machine_, ReplicatedStateMachine::open(std::move(seams), options_));
  machine_->set_listener(*this);
  return {};
}

void MachineRig::stop() {
  loop_.drop_tasks(apply_);
  loop_.drop_tasks(persistence_);
  loop_.drop_tasks(storage_);
  machine_.reset();
}

void MachineRig::power_cut(storage::CrashPolicy policy) {
  files_.crash(policy);
  stop();
  files_.restart();
}

std::shared_ptr<bool> MachineRig::apply(std::uint64_t first, std::uint64_t last) {
  auto is_done = std::make_shared<bool>(false);
  apply_.post([this, first, last, is_done] {
    machine_->apply(log_.slots(first, last), log_.label(last),
                    [this, is_done, count = last - first + 1](auto results) {
                      failure_ = results.status();
                      if (results.ok()) {
                        EXPECT_EQ(results->size(), count);
                      }
                      *is_done = true;
                    });
  });
  return is_done;
}

void MachineRig::apply_until(std::uint64_t last) {
  if (applied() >= last) return;
  const auto is_done = apply(applied() + 1, last);
  EXPECT_TRUE(loop_.run_until_done([&] { return *is_done; }, 100'000));
}

template <class Value, class Call>
Value MachineRig::wait(Call call) {
  auto answer = std::make_shared<std::optional<Value>>();
  apply_.post([call = std::move(call), answer]() mutable {
    call([answer](Value value) { answer->emplace(std::move(value)); });
  });
  EXPECT_TRUE(loop_.run_until_done([&] { return answer->has_value(); }, 100'000));
  if constexpr (std::is_constructible_v<Value, Status>) {
    if (!*answer) return Status(base::StatusCode::kTimeout, "no answer");
  }
  return answer->value();
}

Status MachineRig::flush() {
  return wait<Status>([this](auto done) { machine_->flush(std::move(done)); });
}
Result<SnapshotManifest> MachineRig::snapshot() {
  return wait<Result<SnapshotManifest>>(
      [this](auto done) { machine_->take_snapshot(std::move(done)); });
}
std::optional<base::Bytes> MachineRig::read(const consensus::ReadSnapshot& request) {
  return wait<std::optional<base::Bytes>>(
      [this, request](auto done) { machine_->read_snapshot(request, std::move(done)); });
}
Result<std::vector<consensus::StagedFile>> MachineRig::begin(const SnapshotManifest& manifest) {
  return wait<Result<std::vector<consensus::StagedFile>>>(
      [this, manifest](auto done) { machine_->begin_staging(manifest, std::move(done)); });
}
Status MachineRig::stage(const consensus::StageBytes& part) {
  return wait<Status>([this, part](auto done) { machine_->stage(part, std::move(done)); });
}
Status MachineRig::restart(const consensus::RestartFile& file) {
  return wait<Status>([this, file](auto done) { machine_->restart_file(file, std::move(done)); });
}
Result<consensus::StagedImage> MachineRig::finish(const SnapshotManifest& manifest) {
  return wait<Result<consensus::StagedImage>>(
      [this, manifest](auto done) { machine_->finish_staging(manifest, std::move(done)); });
}
Status MachineRig::switch_to(const consensus::StagedImage& image) {
  return wait<Status>([this, image](auto done) { machine_->switch_state(image, std::move(done)); });
}

bool MachineRig::pull(MachineRig& source, const SnapshotManifest& manifest,
                      std::uint32_t part_bytes, std::size_t parts_max) {
  const auto staged = begin(manifest);
  EXPECT_TRUE(staged.ok()) << staged.status().to_string();
  if (!staged.ok()) return false;
  for (std::uint32_t file = 0; file < manifest.files.size(); ++file) {
    std::uint64_t offset = (*staged)[file].bytes;
    while (offset < manifest.files[file].bytes) {
      if (parts_max-- == 0) return false;
      const auto part = source.read({consensus::ReplicaId(2), consensus::RequestId(1), manifest.id,
                                     file, offset, part_bytes});
      if (!part || part->empty()) return false;
      EXPECT_TRUE(stage({manifest.id, file, offset, *part}).ok());
      offset += part->size();
    }
  }
  return true;
}

testing::AssertionResult MachineRig::agrees_with_log() const {
  const consensus::StateLabel label = machine_->label();
  const std::uint64_t slot = label.applied.value();
  const auto image = machine_->image();
  if (image->database->applied_index().value() != slot) {
    return testing::AssertionFailure() << "label and tables are of different slots";
  }
  if (!is_same_label(label, log_.label(slot))) {
    return testing::AssertionFailure() << "the label of slot " << slot << " is another one";
  }
  if (!(image->database->hash() == log_.hash(slot))) {
    return testing::AssertionFailure() << "the state of slot " << slot << " is another one";
  }
  const Status tables = image->database->verify_tables();
  if (!tables.ok()) return testing::AssertionFailure() << tables.to_string();
  return testing::AssertionSuccess();
}

std::vector<std::string> MachineRig::list(const std::string& directory) const {
  const auto names = files_.list(directory);
  return names.ok() ? *names : std::vector<std::string>();
}

void MachineRig::on_executed(const CommandId& id, Slot slot, core::ExecutionResult& result) {
  heard_.push_back(base::concat("executed ", id.sequence, " at ", slot.value(), " ",
                                core::outcome_code_name(result.outcome.code)));
}
void MachineRig::on_fenced(const CommandId& id, Slot slot) {
  heard_.push_back(base::concat("fenced ", id.sequence, " at ", slot.value()));
}
void MachineRig::on_hash_mark(const CommandId& id, Slot slot, const core::StateHash& hash) {
  EXPECT_EQ(hash, log_.hash(slot.value()));
  heard_.push_back(base::concat("mark ", id.sequence, " at ", slot.value()));
}
void MachineRig::on_fence(const consensus::Ballot& fence, Slot slot) {
  heard_.push_back(base::concat("fence ", to_string(fence), " at ", slot.value()));
}
void MachineRig::on_skipped(const consensus::StateLabel& label) {
  heard_.push_back(base::concat("skipped to ", label.applied.value()));
}

}  // namespace synod::router
