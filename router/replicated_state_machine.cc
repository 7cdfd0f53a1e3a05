// SPDX-License-Identifier: Apache-2.0
#include "router/replicated_state_machine.h"

#include <utility>

#include "base/assert.h"
#include "base/logging.h"
#include "base/text.h"
#include "core/kv_store_executor.h"
#include "router/snapshot_files.h"

namespace synod::router {

using base::Result;
using base::Status;
using base::StatusCode;
using consensus::Delivery;
using consensus::EntryKind;
using consensus::Slot;
using consensus::StateLabel;

namespace {

constexpr base::Nanos kBacklogRetry = std::chrono::milliseconds(5);
constexpr base::Nanos kFlushRetry = std::chrono::milliseconds(200);
/// While nothing is applied: fetched values come back, values leave, old versions go.
constexpr base::Nanos kHousekeepEvery = std::chrono::milliseconds(250);

/// What may be better later: the log holds the data until then.
bool is_passing(StatusCode code) {
  return code == StatusCode::kNoSpace || code == StatusCode::kIoError || code == StatusCode::kBusy;
}

}  // namespace

ReplicatedStateMachine::ReplicatedStateMachine(StateMachineSeams seams, StateMachineOptions options)
    : seams_(std::move(seams)),
      options_(std::move(options)),
      yard_(std::make_shared<ImageYard>(seams_, options_.directory, options_.database,
                                        options_.persistence)),
      snapshots_(seams_, options_.directory + "/snap", interrupted_),
      staging_(seams_.files, options_.directory + "/staging", options_.disk_reserve_bytes,
               interrupted_),
      names_(seams_.random) {
  // Two generators that do not name alike.
  names_ = names_.fork();
}

ReplicatedStateMachine::~ReplicatedStateMachine() {
  seams_.apply.cancel(housekeep_timer_);
  yard_->close();
}

Result<std::unique_ptr<ReplicatedStateMachine>> ReplicatedStateMachine::open(
    StateMachineSeams seams, StateMachineOptions options) {
  std::unique_ptr<ReplicatedStateMachine> machine(
      new ReplicatedStateMachine(std::move(seams), std::move(options)));
  SYNOD_RETURN_IF_ERROR(machine->recover());
  if (machine->options_.database.memory_bytes_max != 0) machine->housekeep_later();
  return machine;
}

void ReplicatedStateMachine::housekeep_later() {
  housekeep_timer_ = seams_.apply.run_after(kHousekeepEvery, [this] {
    image_->database->housekeep(seams_.apply.clock().boot_time());
    housekeep_later();
  });
}

Status ReplicatedStateMachine::recover() {
  if (!is_plain_name(options_.active)) {
    return {StatusCode::kCorruption, "the superblock names no image"};
  }
  SYNOD_RETURN_IF_ERROR(seams_.files.create_directories(options_.directory));
  SYNOD_RETURN_IF_ERROR(yard_->remove_leftovers(options_.active));
  SYNOD_RETURN_IF_ERROR(staging_.recover());
  SYNOD_ASSIGN_OR_RETURN(image_, yard_->open(options_.active, options_.first_chain));
  SYNOD_ASSIGN_OR_RETURN(label_, ImageYard::label_of(*image_));
  applied_.store(label_.applied.value());
  return snapshots_.open();
}

std::shared_ptr<const ReplicaImage> ReplicatedStateMachine::image() const {
  const std::lock_guard lock(image_mutex_);
  return image_;
}

void ReplicatedStateMachine::found(const consensus::Chain& first) {
  SYNOD_ASSERT(label_.applied == consensus::kNoSlot, "M4: a group begins once");
  label_.chain = first;
  // Goes with the first slot; until that is durable, every start says it again.
  image_->database->put_label(encode_label(label_));
}

bool ReplicatedStateMachine::needs_tick(core::TimeMs now) const {
  return image_->core->needs_tick(now);
}

void ReplicatedStateMachine::interrupt() {
  interrupted_.store(true);
  image()->backend->interrupt();
}

Status ReplicatedStateMachine::close() {
  seams_.apply.cancel(housekeep_timer_);
  refuse_waiting(Status(StatusCode::kClosed, "the replica is stopping"));
  yard_->close();
  const Status persisted = image_->persistence->drain_now(true);
  image_->persistence->stop();
  if (!persisted.ok()) {
    // The log holds everything: the next start executes it again.
    base::log_warning("persistence", "final flush: " + persisted.to_string());
  }
  return {};
}

StateLabel ReplicatedStateMachine::label() const { return label_; }

Slot ReplicatedStateMachine::durable_applied() const {
  return Slot(image_->persistence->durable_index().value());
}

std::optional<consensus::SnapshotManifest> ReplicatedStateMachine::newest_snapshot() const {
  return snapshots_.newest();
}

void ReplicatedStateMachine::apply(std::vector<Delivery> deliveries, const StateLabel& after,
                                   Done<Result<Results>> done) {
  SYNOD_ASSERT(listener_ != nullptr, "set_listener comes before the first apply");
  if (has_failed_) return done(Status(StatusCode::kClosed, "the state machine has failed"));
  waiting_.push_back({std::move(deliveries), after, std::move(done)});
  if (!is_running_ && !is_waiting_) run();
}

void ReplicatedStateMachine::run() {
  is_running_ = true;
  while (!waiting_.empty() && !is_waiting_) {
    Batch& batch = waiting_.front();
    const Status executed = execute(batch);
    image_->database->housekeep(seams_.apply.clock().boot_time());
    image_->persistence->kick();
    if (!executed.ok()) {
      refuse_waiting(executed);
    } else if (batch.next == batch.deliveries.size()) {
      finish_front();
    } else {
      is_waiting_ = true;
      seams_.apply.run_after(kBacklogRetry, [this] {
        is_waiting_ = false;
        run();
      });
    }
  }
  is_running_ = false;
}

/// Up to the end, or as far as the backlog allows.
Status ReplicatedStateMachine::execute(Batch& batch) {
  const base::Nanos begun = seams_.apply.clock().boot_time();
  const std::size_t first = batch.next;
  while (batch.next < batch.deliveries.size() && !must_wait()) {
    SYNOD_RETURN_IF_ERROR(execute(batch.deliveries[batch.next]));
    ++batch.next;
  }
  image_->database->seal();
  if (options_.observer != nullptr && batch.next > first) {
    options_.observer->on_applied(batch.next - first, seams_.apply.clock().boot_time() - begun);
  }
  if (batch.next < batch.deliveries.size()) return {};
  SYNOD_ASSERT(batch.deliveries.empty() ||
                   (label_.applied == batch.after.applied && label_.fence == batch.after.fence &&
                    label_.chain.as_of == batch.after.chain.as_of),
               "M2: both sides derive the same label");
  return {};
}

bool ReplicatedStateMachine::must_wait() const {
  const std::uint64_t unsealed = image_->database->write_behind().open_bytes();
  return image_->persistence->backlog_bytes() + unsealed > options_.backlog_bytes_max ||
         image_->database->must_wait();
}

Status ReplicatedStateMachine::execute(const Delivery& delivery) {
  const consensus::Ballot fence = label_.fence;
  const Slot chain_as_of = label_.chain.as_of;
  consensus::take_in(label_, delivery);
  const bool has_new_fence = label_.fence != fence;
  // SM2: before the slot is finished, so that it is one batch with it.
  if (has_new_fence || label_.chain.as_of != chain_as_of) {
    image_->database->put_label(encode_label(label_));
  }
  if (delivery.entry.kind == EntryKind::kCommand) return execute_command(delivery);
  core::KvStoreExecutor(*image_->core, *image_->database)
      .skip(core::LogIndex(delivery.slot.value()));
  applied_.store(delivery.slot.value());
  if (has_new_fence) listener_->on_fence(label_.fence, delivery.slot);
  return {};
}

Status ReplicatedStateMachine::execute_command(const Delivery& delivery) {
  const core::LogIndex index(delivery.slot.value());
  const auto fail = [&index](const Status& status) {
    return status.with_context(base::concat("the command at slot ", index.value()));
  };
  const auto command = decode_command(*delivery.entry.command);
  if (!command.ok()) return fail(command.status());
  core::KvStoreExecutor executor(*image_->core, *image_->database);
  if (!delivery.is_fenced && command->kind == CommandKind::kOperation) {
    auto operation = core::decode_operation(command->payload);
    if (!operation.ok()) return fail(operation.status());
    operation->stamp = command->stamp;
    core::ExecutionResult result = executor.apply(index, *operation);
    applied_.store(delivery.slot.value());
    listener_->on_executed(command->id, delivery.slot, result);
    return {};
  }
  executor.skip(index);
  applied_.store(delivery.slot.value());
  if (delivery.is_fenced) {
    listener_->on_fenced(command->id, delivery.slot);
  } else {
    listener_->on_hash_mark(command->id, delivery.slot, image_->database->hash());
  }
  return {};
}

/// The batch is gone before its completion runs: it may hand over the next one.
void ReplicatedStateMachine::finish_front() {
  Batch batch = std::move(waiting_.front());
  waiting_.pop_front();
  batch.done(Results(batch.deliveries.size()));
}

void ReplicatedStateMachine::refuse_waiting(const Status& status) {
  has_failed_ = true;
  while (!waiting_.empty()) {
    Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    batch.done(status);
  }
}

void ReplicatedStateMachine::flush(Done<Status> done) {
  image_->persistence->request_flush(
      [this, image = image_, done = std::move(done)](Status status) mutable {
        seams_.apply.post([this, status = std::move(status), done = std::move(done)]() mutable {
          on_flushed(status, std::move(done));
        });
      });
}

void ReplicatedStateMachine::on_flushed(const Status& status, Done<Status> done) {
  if (!is_passing(status.code())) return done(status);
  base::log_warning("persistence", "flush: " + status.to_string());
  seams_.apply.run_after(kFlushRetry,
                         [this, done = std::move(done)]() mutable { flush(std::move(done)); });
}

}  // namespace synod::router
