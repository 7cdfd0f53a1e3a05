// SPDX-License-Identifier: Apache-2.0
#include "tests/history/session.h"

#include <algorithm>

namespace synod::history {
namespace {

constexpr std::chrono::milliseconds kPauseAfterFailure{5};

}  // namespace

bool RunState::take_operation() {
  return clock.boot_time() < end && operations.fetch_add(1) < options.operations_max;
}

Session::Session(RunState& run, Client& client, base::Random random)
    : run_(run), client_(client), random_(random), process_(run.recorder.new_process()) {}

void Session::perform(std::vector<MicroOp> intended, const std::function<Attempt()>& body,
                      bool pinned) {
  Event event;
  event.process = process_;
  event.workload = run_.options.workload;
  event.ops = std::move(intended);
  event.pinned = pinned;
  run_.recorder.record(event);  // S1
  Attempt attempt = body();
  last_ = attempt.outcome;
  event.type = last_ == Outcome::kApplied      ? EventType::kOk
               : last_ == Outcome::kNotApplied ? EventType::kFail
                                               : EventType::kInfo;
  event.ops = std::move(attempt.ops);
  event.read_version = attempt.read_version;
  event.commit_version = attempt.commit_version;
  event.error = std::move(attempt.error);
  run_.recorder.record(std::move(event));
  if (last_ == Outcome::kUnknown) process_ = run_.recorder.new_process();  // S2
  if (attempt.read_version.has_value() && !pinned) read_version_ = attempt.read_version;
}

Attempt Session::attempt(const Steps& steps) {
  Attempt made;
  auto begun = client_.begin();
  if (!begun.ok()) {
    made.error = begun.status().to_string();
    pause();
    return made;
  }
  ClientTransaction& txn = **begun;
  auto performed = steps(txn);
  if (!performed.ok()) {
    made.error = performed.status().to_string();
    pause();
    return made;
  }
  made.ops = std::move(performed).value();
  made.read_version = txn.read_version();
  WriteResult result = txn.commit();
  for (int i = 0; result.outcome == Outcome::kUnknown && i < run_.options.settle_attempts; ++i) {
    if (i > 0) pause();
    result = txn.commit_again();
  }
  made.outcome = result.outcome;
  made.error = std::move(result.error);
  const bool wrote = std::any_of(made.ops.begin(), made.ops.end(), [](const MicroOp& step) {
    return step.writes() && (step.kind != OpKind::kCas || step.swapped);
  });
  if (wrote && result.outcome == Outcome::kApplied) made.commit_version = result.version;
  return made;
}

void Session::transact(std::vector<MicroOp> intended, const Steps& steps) {
  perform(std::move(intended), [&] { return attempt(steps); });
}

/// A store that is away must not be asked in a busy loop.
void Session::pause() {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, kPauseAfterFailure);
}

MicroOp read_step(base::Bytes key, bool is_list) {
  MicroOp step;
  step.key = std::move(key);
  step.is_list = is_list;
  return step;
}

MicroOp range_step(base::Bytes begin, base::Bytes end, std::uint32_t limit) {
  MicroOp step;
  step.kind = OpKind::kRange;
  step.key = std::move(begin);
  step.end = std::move(end);
  step.limit = limit;
  return step;
}

MicroOp write_step(OpKind kind, base::Bytes key, std::optional<base::Bytes> value) {
  MicroOp step;
  step.kind = kind;
  step.key = std::move(key);
  step.value = std::move(value);
  return step;
}

base::Status perform_read(ClientTransaction& txn, MicroOp& step) {
  if (step.kind == OpKind::kRange) {
    SYNOD_ASSIGN_OR_RETURN(step.rows, txn.range(step.key, step.end, step.limit));
  } else {
    SYNOD_ASSIGN_OR_RETURN(step.value, txn.get(step.key));
  }
  step.seen = true;
  return {};
}

}  // namespace synod::history
