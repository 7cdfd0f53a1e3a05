// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <thread>

#include "base/random.h"
#include "base/text.h"
#include "client/cpp/client.h"
#include "client/cpp/transaction.h"

namespace synod::client {
namespace {

/// Pauses that double up to a bound, each a random part of its step so that clients that met once
/// do not meet again.
class Backoff {
 public:
  explicit Backoff(const RetryOptions& options)
      : options_(options), step_(options.backoff_first), random_(seed()) {}

  void wait(base::Millis at_least) {
    const auto bound = static_cast<std::uint64_t>(std::max<std::int64_t>(step_.count(), 1));
    const base::Millis random_part(static_cast<std::int64_t>(random_.below(bound) + 1));
    const base::Millis pause = std::max(at_least, random_part);
    step_ = std::min(step_ * 2, options_.backoff_max);
    if (options_.pause) {
      options_.pause(pause);
    } else {
      std::this_thread::sleep_for(pause);
    }
  }

 private:
  static std::uint64_t seed() {
    std::uint64_t value = 0;
    base::system_random(reinterpret_cast<char*>(&value), sizeof(value));
    return value;
  }

  const RetryOptions& options_;
  base::Millis step_;
  base::Random random_;
};

bool passes_by_itself(const base::Status& status) {
  return status.code() == base::StatusCode::kClosed || status.code() == base::StatusCode::kBusy ||
         status.code() == base::StatusCode::kTimeout;
}

bool worth_retrying(const CommitOutcome& outcome) {
  if (outcome.state == CommitState::kConflict) return true;
  return outcome.state == CommitState::kRefused &&
         (outcome.code == "BUSY" || outcome.code == "NO_QUORUM" || outcome.code == "NOT_LEADER" ||
          outcome.code == "TIMEOUT");
}

constexpr std::string_view kForgotten = "OUTCOME_FORGOTTEN";

/// Asks for an unknown outcome once more. There is never a new attempt while the outcome of one is
/// open, for both could apply; and a refusal of the repetition says nothing about the first.
void settle(Transaction& transaction, CommitOutcome& outcome) {
  CommitOutcome again = transaction.commit_again();
  if (again.state != CommitState::kRefused) outcome = std::move(again);
}

}  // namespace

base::Result<CommitOutcome> run_transaction(Client& client,
                                            const std::function<base::Status(Transaction&)>& body,
                                            const RetryOptions& options) {
  Backoff backoff(options);
  CommitOutcome outcome;
  for (int attempt = 0; attempt < options.attempts_max;) {
    ++attempt;
    auto begun = client.begin();
    if (!begun.ok()) {
      if (!passes_by_itself(begun.status()) || attempt == options.attempts_max) {
        return begun.status();
      }
      backoff.wait(base::Millis(0));
      continue;
    }
    Transaction transaction = std::move(begun).value();
    SYNOD_RETURN_IF_ERROR(body(transaction));
    outcome = transaction.commit();
    for (; outcome.state == CommitState::kUnknown && attempt < options.attempts_max; ++attempt) {
      if (outcome.code == kForgotten) break;
      backoff.wait(outcome.retry_after);
      settle(transaction, outcome);
    }
    if (outcome.committed()) return outcome;
    if (outcome.state == CommitState::kUnknown) {
      return base::Status(base::StatusCode::kOutcomeUnknown, outcome.message);
    }
    if (!worth_retrying(outcome)) {
      return base::Status(base::StatusCode::kInvalidArgument,
                          base::concat(outcome.code, ": ", outcome.message));
    }
    if (attempt < options.attempts_max) backoff.wait(outcome.retry_after);
  }
  return base::Status(base::StatusCode::kBusy,
                      base::concat("gave up after ", options.attempts_max,
                                   " attempts: ", outcome.code, ": ", outcome.message));
}

}  // namespace synod::client
