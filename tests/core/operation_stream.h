// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>

#include "base/random.h"
#include "base/text.h"
#include "core/operation.h"

namespace synod::core {

/// A seeded stream of operations that aims at every rule of the service: few keys so that they
/// meet, read versions around the floors, expiries shorter than the stream, repeats of tokens.
class OperationStream {
 public:
  explicit OperationStream(std::uint64_t seed, int keys = 60) : random_(seed), keys_(keys) {}

  /// The operation that follows when the store's newest version is `newest`.
  KvOperation next(Version newest) {
    clock_ms_ += random_.between(0, 6);
    KvOperation op;
    op.stamp = TimeMs(clock_ms_ - (random_.chance(0.02) ? 5 : 0));
    const std::uint64_t kind = random_.below(100);
    if (kind < 5) {
      op.kind = OperationKind::kTick;
      return op;
    }
    if (kind < 9 && !repeats_.empty()) {
      KvOperation repeat = repeats_[random_.below(repeats_.size())];
      repeat.stamp = op.stamp;
      return repeat;
    }
    op.read_version = read_version(newest);
    add_read_set(op);
    const std::uint64_t steps = random_.chance(0.7) ? 1 : random_.below(6);
    for (std::uint64_t i = 0; i < steps; ++i) op.steps.push_back(step());
    if (random_.chance(0.15)) add_token(op, newest);
    return op;
  }

  [[nodiscard]] base::Random& random() { return random_; }
  std::string key() { return base::concat("k", random_.below(static_cast<std::uint64_t>(keys_))); }
  std::string ns() {
    static constexpr const char* kNames[] = {"", "default", "a", "b", "c"};
    return kNames[random_.below(random_.chance(0.8) ? 2 : 5)];
  }

 private:
  std::int64_t read_version(Version newest) {
    if (random_.chance(0.03)) return random_.between(-1, newest.value() + 2);
    return newest.value() - static_cast<std::int64_t>(random_.below(random_.chance(0.9) ? 12 : 90));
  }

  void add_read_set(KvOperation& op) {
    if (random_.chance(0.3)) return;
    for (std::uint64_t i = random_.below(3); i > 0; --i) {
      ReadConflictKey read;
      if (random_.chance(0.7)) read.ns = ns();
      read.key = key();
      op.read_keys.push_back(std::move(read));
    }
    for (std::uint64_t i = random_.below(2); i > 0; --i) {
      ReadConflictRange range;
      range.ns = ns();
      range.begin = key();
      if (random_.chance(0.9)) range.end = random_.chance(0.5) ? range.begin + "5" : key();
      op.read_ranges.push_back(std::move(range));
    }
  }

  void add_token(KvOperation& op, Version newest) {
    ClientToken token;
    token.client_id[0] = static_cast<char>(random_.below(12));
    token.sequence = ++sequence_ - static_cast<std::int64_t>(random_.below(4));
    op.token = token;
    if (op.read_version <= 0) op.read_version = newest.value();
    repeats_.push_back(op);
    if (repeats_.size() > 64) repeats_.pop_front();
  }

  Step step() {
    Step step;
    step.ns = ns();
    step.key = key();
    const std::uint64_t kind = random_.below(200);
    if (kind < 80) {
      step.kind = StepKind::kSet;
      step.value = std::string(random_.below(40), static_cast<char>('a' + random_.below(26)));
      if (random_.chance(0.3)) step.ttl_ms = random_.between(1, 120);
      if (random_.chance(0.1)) step.flags = kKeepExpiry;
    } else if (kind < 120) {
      step.kind = StepKind::kDelete;
    } else if (kind < 130) {
      step.kind = StepKind::kSetStampedKey;
      step.key += std::string(10, '\0');
    } else if (kind < 140) {
      step.kind = StepKind::kSetStampedValue;
      step.value = random_.chance(0.5) ? std::string(12, '\0') : "short";
      if (random_.chance(0.7)) step.flags = kStampOnlyZeroTail;
    } else if (kind < 150) {
      step.kind = StepKind::kCheckVersion;
      step.number = random_.chance(0.7) ? 0 : random_.between(1, 50);
    } else if (kind < 165) {
      step.kind = StepKind::kIncrement;
      step.key = "counter" + std::to_string(random_.below(5));
      step.number = random_.between(-5, 5);
    } else if (kind < 175) {
      step.kind = StepKind::kAppend;
      step.value = "x";
    } else if (kind < 185) {
      step.kind = StepKind::kExpire;
      step.ttl_ms = random_.between(-1, 90);
    } else if (kind < 190) {
      step.kind = StepKind::kPersist;
    } else if (kind < 197) {
      step.kind = StepKind::kClearRange;
      step.end_key = step.key + "9";
    } else if (kind < 199) {
      step.kind = StepKind::kClearNamespace;
      step.ns = random_.chance(0.6) ? "c" : ns();
    } else {
      step.kind = static_cast<StepKind>(200);
    }
    return step;
  }

  base::Random random_;
  const int keys_;
  std::int64_t clock_ms_ = 1'000;
  std::int64_t sequence_ = 0;
  std::deque<KvOperation> repeats_;
};

}  // namespace synod::core
