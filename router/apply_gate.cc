// SPDX-License-Identifier: Apache-2.0
#include "router/apply_gate.h"

#include <utility>

#include "base/assert.h"

namespace synod::router {

void ApplyGate::pause(base::Function<void()> then) {
  ++pauses_;
  waiting_.push_back(std::move(then));
  begin_pauses();
}

void ApplyGate::begin_pauses() {
  if (running_ > 0) return;
  for (auto& then : std::exchange(waiting_, {})) then();
}

void ApplyGate::resume() {
  SYNOD_ASSERT(pauses_ > 0, "AG1: a gate that is closed is opened once");
  --pauses_;
  if (pauses_ > 0) return;
  for (auto& change : std::exchange(held_, {})) run(std::move(change));
}

/// AG2: what comes while something is held stands behind it.
void ApplyGate::run(base::Function<void()> change) {
  if (pauses_ > 0) return held_.push_back(std::move(change));
  ++running_;
  change();
}

void ApplyGate::end_one() {
  SYNOD_ASSERT(running_ > 0, "AG1: a change ends once");
  --running_;
  begin_pauses();
}

void ApplyGate::apply(std::vector<consensus::Delivery> deliveries,
                      const consensus::StateLabel& after,
                      Done<base::Result<std::vector<base::Bytes>>> done) {
  run([this, deliveries = std::move(deliveries), after, done = std::move(done)]() mutable {
    machine_.apply(std::move(deliveries), after,
                   [this, done = std::move(done)](auto results) mutable {
                     done(std::move(results));
                     end_one();
                   });
  });
}

void ApplyGate::switch_state(const consensus::StagedImage& image, Done<base::Status> done) {
  run([this, image, done = std::move(done)]() mutable {
    machine_.switch_state(image,
                          [this, done = std::move(done)](const base::Status& status) mutable {
                            done(status);
                            end_one();
                          });
  });
}

}  // namespace synod::router
